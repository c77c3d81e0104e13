//! Successful requests.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Stdio;
use std::thread;

use serde_json::Value;

use super::server::{Server, read_reply, square};
use crate::program::{command, nin};
use crate::workshop::{train_small, words};

fn predicted(root: &std::path::Path, more: &str, picture: &[u8]) -> String {
    let line = format!("predict --checkpoint run --format json {more} -");
    let mut child = command(root, &words(&line))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(picture).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

fn form(field: &str, picture: &[u8]) -> (String, Vec<u8>) {
    let boundary = "a-boundary-that-no-picture-has";
    let head = format!(
        "--{boundary}\r\ncontent-disposition: form-data; name=\"{field}\"; \
         filename=\"../../etc/passwd\"\r\ncontent-type: image/png\r\n\r\n"
    );
    let body = [head.as_bytes(), picture, format!("\r\n--{boundary}--\r\n").as_bytes()].concat();
    (format!("content-type: multipart/form-data; boundary={boundary}\r\n"), body)
}

#[test]
fn serve_and_predict_give_the_same_answer() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    let server = Server::start(root.path(), &[]);
    let picture = square();
    let expected = predicted(root.path(), "", &picture);

    let reply = server.predict(&picture);
    assert_eq!((reply.status, reply.text()), (200, expected.clone()));
    assert!(reply.head.contains("content-type: application/json"), "{}", reply.head);
    let (header, body) = form("image", &picture);
    assert_eq!(server.ask("POST", "/v1/predict", &header, &body).text(), expected);
    for kind in ["image/png", "application/octet-stream", "application/x-www-form-urlencoded"] {
        let header = format!("content-type: {kind}\r\n");
        assert_eq!(server.ask("POST", "/v1/predict", &header, &picture).text(), expected, "{kind}");
    }
    let reply = server.ask("POST", "/v1/predict?top=1&invert=yes", "", &picture);
    assert_eq!(reply.text(), predicted(root.path(), "--top 1 --invert yes", &picture));
}

#[test]
fn concurrent_requests_are_batched_without_changing_the_answers() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    let server = Server::start(root.path(), &[]);
    let picture = square();
    let alone = server.predict(&picture).text();
    thread::scope(|scope| {
        let asking: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| (0..20).map(|_| server.predict(&picture).text()).collect::<Vec<_>>())
            })
            .collect();
        for answers in asking {
            for answer in answers.join().unwrap() {
                assert_eq!(answer, alone);
            }
        }
    });
    let metrics = server.get("/metrics");
    assert!(metrics.head.contains("content-type: text/plain; version=0.0.4"), "{}", metrics.head);
    let text = metrics.text();
    let value = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().parse().unwrap()
    };
    assert_eq!(value("nin_http_requests_total{route=\"/v1/predict\",status=\"200\"}"), 161.0);
    assert_eq!(value("nin_pictures_total"), 161.0);
    let batches = value("nin_batches_total");
    assert!(batches < 161.0, "{batches} batches: no two pictures went together");
    assert_eq!(value("nin_predict_duration_seconds_count"), 161.0);
    assert_eq!(value("nin_queue_pictures"), 0.0);
    assert!(value("process_resident_memory_bytes") > 1e6);
}

#[test]
fn every_route_answers_with_the_security_headers() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    let server = Server::start(root.path(), &[]);
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
        ("/openapi.json", "application/json"),
        ("/v1/model", "application/json"),
        ("/healthz", "text/plain; charset=utf-8"),
    ] {
        let reply = server.get(path);
        assert_eq!(reply.status, 200, "{path}");
        assert!(reply.head.contains(&format!("content-type: {kind}")), "{path}: {}", reply.head);
        for header in [
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self';",
            "x-content-type-options: nosniff",
            "x-frame-options: deny",
            "referrer-policy: no-referrer",
        ] {
            assert!(reply.head.contains(header), "{path}: {header}");
        }
        // Other origins may not read it.
        assert!(!reply.head.contains("access-control-"), "{path}");
        let head = server.ask("HEAD", path, "", b"");
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    }
    let policy = server.get("/").head;
    assert!(!policy.contains("unsafe"), "{policy}");
    let model = server.get("/v1/model").json();
    assert_eq!(model["classes"], Value::from(["0", "1", "2"].map(Value::from).to_vec()));
    assert_eq!(model["input"], Value::from([1, 20, 20].map(Value::from).to_vec()));
    // The gallery has clothes, not shapes.
    assert_eq!(model["gallery"], Value::from(Vec::<Value>::new()));
    server.get("/v1/gallery/0").problem(404);
}

/// Returns a schema's keys, and checks that all are required.
fn keys(description: &Value, schema: &str) -> BTreeSet<String> {
    let schema = &description["components"]["schemas"][schema];
    let required = schema["required"].as_array().unwrap().iter();
    let required: BTreeSet<_> = required.map(|key| key.as_str().unwrap().to_owned()).collect();
    let named: BTreeSet<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(required, named, "{schema}");
    required
}

fn keys_of(object: &Value) -> BTreeSet<String> {
    object.as_object().unwrap_or_else(|| panic!("{object}")).keys().cloned().collect()
}

#[test]
fn answers_match_the_openapi_description() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    let server = Server::start(root.path(), &[]);
    let description = server.get("/openapi.json").json();
    let answers = server.predict(&square()).json();
    assert_eq!(keys_of(&answers), keys(&description, "Answers"));
    let answer = &answers["images"][0];
    assert_eq!(keys_of(answer), keys(&description, "Answer"));
    let parts = &description["components"]["schemas"]["Answer"]["properties"];
    for (found, described) in [
        (&answer["top"][0], &parts["top"]["items"]),
        (&answer["maps"][0], &parts["maps"]["items"]),
        (&answer["map_geometry"], &parts["map_geometry"]),
    ] {
        assert_eq!(keys_of(found), keys_of(&described["properties"]));
        assert_eq!(described["required"].as_array().unwrap().len(), keys_of(found).len());
    }
    let model = server.get("/v1/model").json();
    assert_eq!(keys_of(&model), keys(&description, "Model"));

    // Every error is described, and is a problem; too long headers get no body.
    let responses = &description["paths"]["/v1/predict"]["post"]["responses"];
    let long = format!("x-long: {}\r\n", "x".repeat(1 << 20));
    let refusals = [
        server.ask("POST", "/v1/predict?top=0", "", &square()),
        server.ask("PUT", "/v1/predict", "", b""),
        server.predict(b"no picture"),
        server.ask("POST", "/v1/predict", &long, b""),
    ];
    for (reply, status) in refusals.iter().zip([400, 405, 415, 431]) {
        assert_eq!(reply.status, status);
        assert!(responses[status.to_string()].is_object(), "{status} is not described");
        if status == 431 {
            assert!(reply.body.is_empty() && responses["431"]["content"].is_null());
        } else {
            assert_eq!(keys_of(&reply.json()), keys(&description, "Problem"));
        }
    }
    // The body is read whatever its content type.
    let types = &description["paths"]["/v1/predict"]["post"]["requestBody"]["content"];
    assert!(types["*/*"].is_object(), "{types}");
}

#[test]
fn other_paths_are_not_found_and_never_read_from_disk() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    let server = Server::start(root.path(), &[]);
    for path in [
        "/nothing",
        "/run/recipe.toml",
        "/../run/recipe.toml",
        "/..%2f..%2fetc/passwd",
        "//etc/passwd",
        "/v1/gallery/../../run/recipe.toml",
        "/v1/gallery/-1",
        "/v1/gallery/99999999999999999999",
        "/v1/predict/",
        "/%00",
    ] {
        server.get(path).problem(404);
    }
    for (method, path, allowed) in [
        ("GET", "/v1/predict", "post"),
        ("PUT", "/v1/predict", "post"),
        ("OPTIONS", "/v1/predict", "post"),
        ("POST", "/", "get, head"),
        ("DELETE", "/healthz", "get, head"),
    ] {
        let reply = server.ask(method, path, "", b"");
        reply.problem(405);
        assert!(reply.head.contains(&format!("allow: {allowed}")), "{}", reply.head);
    }
    for query in ["top=0", "top=many", "invert=perhaps", "path=/etc/passwd", "top=1&top"] {
        server.ask("POST", &format!("/v1/predict?{query}"), "", &square()).problem(400);
    }
    // Data that is not HTTP is an error, and the next request is answered.
    let mut stream = server.connect();
    stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").unwrap();
    assert_eq!(read_reply(stream).status, 400);
    assert_eq!(server.predict(&square()).status, 200);
}

#[test]
fn a_connection_can_be_reused() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    let server = Server::start(root.path(), &[]);
    let mut stream = server.connect();
    let picture = square();
    let head = format!(
        "POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n",
        picture.len()
    );
    // Pipelined: the second request is sent before the first is answered.
    stream.write_all(&[format!("{head}\r\n").as_bytes(), &picture].concat()).unwrap();
    stream
        .write_all(&[format!("{head}connection: close\r\n\r\n").as_bytes(), &picture].concat())
        .unwrap();
    let first = read_reply(stream);
    let rest = String::from_utf8(first.body).unwrap();
    assert_eq!(rest.matches("\"path\":\"-\"").count(), 2, "{rest}");
    assert_eq!(rest.matches("HTTP/1.1 200 OK").count(), 1, "{rest}");
}

#[test]
fn a_network_trained_on_clothes_has_a_gallery() {
    let root = tempfile::tempdir().unwrap();
    let line = "train --set data.limit=64 --epochs 1 --run run --progress none";
    nin(root.path(), &words(line)).ok();
    let server = Server::start(root.path(), &[]);
    let labels = server.get("/v1/model").json()["gallery"].as_array().unwrap().clone();
    assert_eq!(
        (labels.len(), &labels[0], &labels[19]),
        (20, &"T-shirt/top".into(), &"Ankle boot".into())
    );
    for number in [0, 19] {
        let picture = server.get(&format!("/v1/gallery/{number}"));
        assert!(picture.head.contains("content-type: image/png"), "{}", picture.head);
        let image = image::load_from_memory(&picture.body).unwrap();
        assert_eq!((image.width(), image.height()), (28, 28));
        assert_eq!(server.predict(&picture.body).status, 200);
    }
    server.get("/v1/gallery/20").problem(404);
}

#[test]
fn startup_errors_have_hints() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    for (address, expected) in
        [(taken.as_str(), "cannot listen on"), ("nonsense", "is not an address")]
    {
        let refused = nin(root.path(), &["serve", "--checkpoint", "run", "--addr", address]);
        assert_eq!(refused.code, Some(1), "{address}");
        assert!(refused.stderr.contains(expected), "{}", refused.stderr);
        assert!(refused.stderr.contains("\nhint: "), "{}", refused.stderr);
    }
}

//! Requests beyond the limits, and invalid requests.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

use image::{GrayImage, ImageFormat};

use super::server::{Reply, Server, read_reply, square};
use crate::predict::{bomb, encoded};
use crate::workshop::train_small;

fn root() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    root
}

#[test]
fn bodies_that_are_not_pictures() {
    let root = root();
    let server = Server::start(root.path(), &[]);
    let whole = square();
    for (body, status, expected) in [
        (&b"{\"image\": 1"[..], 415, "neither JPEG, PNG, WebP, GIF, BMP nor TIFF"),
        (b"GIF89a\x01\0\x01\0\0\0\0,", 422, "incomplete or damaged GIF picture"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", 415, "HEIC pictures are not supported"),
        (b"", 422, "empty"),
        (&whole[..whole.len() / 2], 422, "incomplete or damaged PNG picture"),
        (&bomb(60_000), 413, "60000x60000 pixels are more than"),
        (&bomb(u32::MAX >> 1), 415, "unsupported kind of PNG: Memory limit exceeded"),
    ] {
        let detail = server.predict(body).problem(status);
        assert!(detail.contains(expected), "{detail}");
    }
    let gzipped = server.ask("POST", "/v1/predict", "content-encoding: gzip\r\n", &whole);
    gzipped.problem(415);

    let form = |kind: &str, body: &[u8]| {
        let header = format!("content-type: multipart/form-data{kind}\r\n");
        server.ask("POST", "/v1/predict", &header, body)
    };
    let part = "--b\r\ncontent-disposition: form-data; name=\"image\"\r\n\r\nno picture\r\n";
    for (kind, body, status, expected) in [
        ("", String::new(), 400, "has no boundary"),
        ("; boundary=b", String::new(), 400, "malformed form"),
        ("; boundary=b", part.to_owned(), 400, "malformed form"),
        ("; boundary=b", format!("{part}--b--").replace("image", "file"), 422, "no field `image`"),
        ("; boundary=b", format!("{part}{part}--b--"), 400, "more than one field `image`"),
        ("; boundary=b", format!("{part}--b--"), 415, "neither JPEG, PNG, WebP, GIF, BMP nor TIFF"),
        ("; boundary=b", format!("{part}--b--").replace("no picture", ""), 422, "empty"),
    ] {
        let detail = form(kind, body.as_bytes()).problem(status);
        assert!(detail.contains(expected), "{body}: {detail}");
    }
    assert_eq!(server.predict(&whole).status, 200);
}

#[test]
fn too_large_a_body_is_rejected_with_and_without_a_content_length() {
    let root = root();
    let server = Server::start(root.path(), &["--max-body", "1"]);
    let large = vec![0; (1 << 20) + 1];
    server.predict(&large).problem(413);
    server.predict(&large[1..]).problem(415);
    // `Expect: 100-continue` is rejected.
    let mut stream = server.connect();
    stream
        .write_all(
            b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n\
              content-length: 2000000\r\n\r\n",
        )
        .unwrap();
    read_reply(stream).problem(413);
    // Endless chunks.
    let mut stream = server.connect();
    stream
        .write_all(
            b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n",
        )
        .unwrap();
    let chunk = [&b"10000\r\n"[..], &vec![7; 1 << 16], b"\r\n"].concat();
    while stream.write_all(&chunk).is_ok() {}
    assert_eq!(server.predict(&square()).status, 200);
}

#[test]
fn slow_clients_time_out() {
    let root = root();
    let server = Server::start(root.path(), &["--timeout", "1"]);
    let begun = Instant::now();
    // A body that stalls.
    let mut stream = server.connect();
    stream
        .write_all(
            b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\nslow",
        )
        .unwrap();
    read_reply(stream).problem(408);
    // Endless headers, a silent connection, and one that stalls.
    for said in [
        "POST /v1/predict HTTP/1.1\r\nhost: n",
        "",
        "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n",
    ] {
        let mut stream = server.connect();
        stream.write_all(said.as_bytes()).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        let rest = String::from_utf8(rest).unwrap();
        assert!(rest.is_empty() || rest.contains(" 408 ") || rest.ends_with("ok\n"), "{rest}");
    }
    // A body that arrives byte by byte: each in time, but not all together.
    let mut stream = server.connect();
    stream
        .write_all(b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n")
        .unwrap();
    for _ in 0..15 {
        let _ = stream.write_all(b"x");
        thread::sleep(Duration::from_millis(100));
    }
    read_reply(stream).problem(408);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(server.predict(&square()).status, 200);
}

#[test]
fn half_closed_connections_are_answered_and_closed_ones_are_dropped() {
    let root = root();
    let server = Server::start(root.path(), &[]);
    let picture = square();
    let head = format!(
        "POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        picture.len()
    );
    let mut stream = server.connect();
    stream.write_all(&[head.as_bytes(), &picture].concat()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let reply = read_reply(stream);
    assert_eq!((reply.status, reply.json()["images"][0]["path"].clone()), (200, "-".into()));
    // Half a body, then closed.
    for _ in 0..20 {
        let mut stream = server.connect();
        stream.write_all(&[head.as_bytes(), &picture[..20]].concat()).unwrap();
    }
    // A complete request, closed before the answer.
    for _ in 0..20 {
        let mut stream = server.connect();
        stream.write_all(&[head.as_bytes(), &picture].concat()).unwrap();
    }
    assert_eq!(server.predict(&picture).status, 200);
}

/// Returns a black PNG. The larger it is, the longer it takes to decode.
fn black_square(side: u32) -> Vec<u8> {
    encoded(&GrayImage::new(side, side).into(), ImageFormat::Png)
}

/// Returns the answers for this many simultaneous requests with the same picture.
fn answers_at_once(server: &Server, picture: &[u8], clients: usize) -> Vec<Reply> {
    thread::scope(|scope| {
        let asking: Vec<_> =
            (0..clients).map(|_| scope.spawn(|| server.predict(picture))).collect();
        asking.into_iter().map(|reply| reply.join().unwrap()).collect()
    })
}

#[test]
fn a_full_queue_and_too_many_connections_are_rejected() {
    let root = root();
    let server = Server::start(root.path(), &["--max-queue", "1", "--max-connections", "40"]);
    // A large picture takes a while to decode.
    let large = black_square(4000);
    let replies = answers_at_once(&server, &large, 20);
    let (answered, sent_away): (Vec<_>, Vec<_>) =
        replies.iter().partition(|reply| reply.status == 200);
    assert!(!answered.is_empty() && !sent_away.is_empty(), "{}", answered.len());
    for reply in sent_away {
        assert!(reply.problem(429).contains("1 pictures are already waiting"));
        assert!(reply.head.contains("retry-after: 1"), "{}", reply.head);
    }

    let silent: Vec<_> = (0..40).map(|_| server.connect()).collect();
    let begun = Instant::now();
    let reply = loop {
        let reply = server.get("/healthz");
        if reply.status == 503 {
            break reply;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "41 connections are open");
    };
    reply.problem(503);
    // A late request is still read: a reset would discard the answer.
    let mut stream = server.connect();
    for said in ["GET /healthz HTTP/1.1\r\n", "host: localhost\r\n", "\r\n"] {
        thread::sleep(Duration::from_millis(50));
        stream.write_all(said.as_bytes()).unwrap();
    }
    read_reply(stream).problem(503);
    drop(silent);
    while server.get("/healthz").status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(20), "they were closed");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_slow_answer_is_an_error() {
    let root = root();
    let server = Server::start(root.path(), &["--timeout", "1", "--max-queue", "4096"]);
    // Each takes a tenth of a second or less to decode, one after the other.
    let large = black_square(8000);
    let refusals = |clients| -> Vec<_> {
        let replies = answers_at_once(&server, &large, clients);
        replies.into_iter().filter(|reply| reply.status != 200).collect()
    };
    // Enough that it takes more than a second on any machine.
    let late = [24, 48, 96, 192].into_iter().map(refusals).find(|late| !late.is_empty());
    for reply in late.expect("192 pictures take more than a second") {
        assert!(reply.problem(503).contains("took too long"));
    }
    let begun = Instant::now();
    while server.predict(&square()).status != 200 {
        assert!(begun.elapsed() < Duration::from_mins(1), "it recovers");
    }
}

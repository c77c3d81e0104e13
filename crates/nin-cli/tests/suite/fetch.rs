//! `data fetch` against local servers that misbehave like real ones.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::hostile_folders::{ALL, contents, flaw};
use crate::program::{Finished, command};
use crate::workshop::{PACKAGE, has_package};

/// A server's behaviour.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Manner {
    /// Correct, with range requests.
    Good,
    /// Closes the connection halfway through the first response for each file; supports ranges.
    BreaksOff,
    /// The same, but ignores ranges.
    BreaksOffWithoutRanges,
    /// Stalls halfway through the first response for each file.
    Stalls,
    /// Busy for the first requests.
    Busy,
    /// Always busy.
    AlwaysBusy,
    /// 404 for every file.
    Missing,
    /// Redirects to itself.
    Circle,
    /// Sends too small a content length.
    LiesAboutLength,
    /// Sends a very large content length.
    Huge,
    /// Sends endless data without a content length.
    Endless,
    /// Sends another file.
    Wrong,
}

/// A server that records the request lines and ranges, in order.
struct Server {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/files", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let seen = Arc::clone(&seen);
                thread::spawn(move || {
                    let _ = answer(&stream, manner, &seen);
                });
            }
        });
        Self { address, requests }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn answer(
    mut stream: &TcpStream,
    manner: Manner,
    seen: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let line = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let mut from = 0;
    for header in lines {
        let header = header?.to_ascii_lowercase();
        if let Some(range) = header.strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().unwrap();
        }
        if header.is_empty() {
            break;
        }
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let earlier = {
        let mut seen = seen.lock().unwrap();
        let earlier = seen.iter().filter(|one| one.starts_with(&path)).count();
        seen.push(format!("{path} from {from}"));
        earlier
    };
    let name = path.rsplit('/').next().unwrap_or_default();
    let content = std::fs::read(Path::new(PACKAGE).join(name)).unwrap_or_default();
    let half = content.len() / 2;
    let mut head = |status: &str, more: &str| {
        write!(stream, "HTTP/1.1 {status}\r\nconnection: close\r\n{more}\r\n")
    };
    let length = |length: usize| format!("content-length: {length}\r\n");
    match manner {
        Manner::BreaksOff | Manner::BreaksOffWithoutRanges if earlier == 0 => {
            head("200 OK", &length(content.len()))?;
            stream.write_all(&content[..half])
        }
        Manner::Stalls if earlier == 0 => {
            head("200 OK", &length(content.len()))?;
            stream.write_all(&content[..half])?;
            thread::sleep(Duration::from_secs(20));
            Ok(())
        }
        Manner::Busy if earlier < 2 => head("503 Service Unavailable", &length(0)),
        Manner::AlwaysBusy => head("503 Service Unavailable", &length(0)),
        Manner::Missing => head("404 Not Found", &length(0)),
        Manner::Circle => head("302 Found", &format!("location: /files/{name}\r\n{}", length(0))),
        Manner::LiesAboutLength => {
            head("200 OK", &length(half))?;
            stream.write_all(&content)
        }
        Manner::Huge => head("200 OK", &length(1 << 40)),
        Manner::Endless => {
            head("200 OK", "")?;
            loop {
                stream.write_all(&vec![0; 1 << 16])?;
            }
        }
        Manner::Wrong => {
            head("200 OK", &length(14))?;
            stream.write_all(b"<html>no</html>")
        }
        _ if from > 0 && manner != Manner::BreaksOffWithoutRanges => {
            let (last, all) = (content.len() - 1, content.len());
            let range = format!("content-range: bytes {from}-{last}/{all}\r\n");
            head("206 Partial Content", &format!("{range}{}", length(all - from)))?;
            stream.write_all(&content[from..])
        }
        _ => {
            head("200 OK", &length(content.len()))?;
            stream.write_all(&content)
        }
    }
}

/// Runs `data fetch fashion-mnist` into a folder, from this address.
fn fetch(folder: &Path, address: &str, proxy: Option<&str>) -> Finished {
    let arguments = ["data", "fetch", "fashion-mnist", "--from", address, "--timeout", "2"];
    let mut command = command(folder, &arguments);
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
    {
        command.env_remove(name);
    }
    if let Some(proxy) = proxy {
        command.env("http_proxy", proxy);
    }
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdout, mut stderr) = (String::new(), String::new());
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    Finished { code: child.wait().unwrap().code(), stdout, stderr }
}

#[test]
fn fetch_retries_failing_servers_and_the_data_trains() {
    if !has_package() {
        return;
    }
    for (manner, resumes) in [
        (Manner::Good, false),
        (Manner::BreaksOff, true),
        (Manner::BreaksOffWithoutRanges, true),
        (Manner::Stalls, true),
        (Manner::Busy, false),
    ] {
        let root = tempfile::tempdir().unwrap();
        let server = Server::start(manner);
        let fetched = fetch(root.path(), &server.address, None).ok();
        let folder = root.path().join("cache/nin/fashion-mnist");
        assert_eq!(fetched.stdout.trim(), folder.to_str().unwrap());
        let mut names: Vec<_> =
            std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names.len(), 4, "{manner:?}: {names:?}");
        for name in names {
            let (ours, theirs) = (folder.join(&name), Path::new(PACKAGE).join(&name));
            assert!(std::fs::read(ours).unwrap() == std::fs::read(theirs).unwrap(), "{manner:?}");
        }
        let requests = server.requests();
        let resumed = requests.iter().filter(|request| !request.ends_with(" from 0")).count();
        assert_eq!(resumed, if resumes { 4 } else { 0 }, "{manner:?}: {requests:?}");

        // Existing files are not fetched again.
        fetch(root.path(), &server.address, None).ok();
        assert_eq!(server.requests().len(), requests.len(), "{manner:?}");
    }
}

#[test]
fn fetch_gives_up_on_useless_servers() {
    for (manner, message, asked) in [
        (Manner::AlwaysBusy, "returned status 503", 4),
        (Manner::Missing, "returned status 404", 1),
        (Manner::Circle, "redirects more than 5 times", 6),
        (Manner::Huge, "is larger than 67108864 bytes", 1),
        (Manner::Endless, "is larger than 67108864 bytes", 1),
        (Manner::Wrong, "is not the expected file", 4),
    ] {
        let root = tempfile::tempdir().unwrap();
        let server = Server::start(manner);
        let begun = Instant::now();
        let refused = fetch(root.path(), &server.address, None);
        assert_eq!(refused.code, Some(1), "{manner:?}: {}", refused.stderr);
        let error = refused.stderr.lines().find(|line| line.starts_with("error: ")).unwrap();
        assert!(error.contains(message), "{manner:?}: {error}");
        assert!(refused.stderr.contains("hint: "), "{manner:?}: {}", refused.stderr);
        assert_eq!(server.requests().len(), asked, "{manner:?}: {:?}", server.requests());
        assert!(begun.elapsed() < Duration::from_secs(20), "{manner:?}");
        let folder = root.path().join("cache/nin/fashion-mnist");
        assert!(!folder.join("train-images-idx3-ubyte.gz").exists(), "{manner:?}");
    }
}

#[test]
fn fetch_detects_a_wrong_content_length() {
    if !has_package() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let server = Server::start(Manner::LiesAboutLength);
    let refused = fetch(root.path(), &server.address, None);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("is not the expected file"), "{}", refused.stderr);
}

#[test]
fn fetch_reports_offline_immediately() {
    let root = tempfile::tempdir().unwrap();
    // Nothing listens there any longer.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let begun = Instant::now();
    let refused = fetch(root.path(), &format!("http://{address}/files"), None);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("error: cannot connect to `127.0.0.1`"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--dataset fashion-mnist-sample"), "{}", refused.stderr);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn fetch_uses_the_proxy_of_the_environment() {
    let root = tempfile::tempdir().unwrap();
    let proxy = Server::start(Manner::Missing);
    let refused =
        fetch(root.path(), "http://data.example/files", Some(&proxy.address.replace("/files", "")));
    assert!(refused.stderr.contains("returned status 404"), "{}", refused.stderr);
    let asked = "http://data.example/files/train-images-idx3-ubyte.gz from 0";
    assert_eq!(proxy.requests(), [asked]);
}

#[test]
fn fetch_rejects_unknown_names_and_invalid_urls() {
    let root = tempfile::tempdir().unwrap();
    for name in ["cifar-10", "../mnist", "fashion-mnist-sample"] {
        let refused = crate::program::nin(root.path(), &["data", "fetch", name]);
        assert_eq!(refused.code, Some(1));
        assert!(refused.stderr.contains("cannot fetch"), "{}", refused.stderr);
        assert!(refused.stderr.contains("hint: "), "{}", refused.stderr);
    }
    let refused = fetch(root.path(), "no address", None);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("error: "), "{}", refused.stderr);
}

#[test]
fn fetch_does_not_write_through_links() {
    // The response truncates the partial file before its length is found too large.
    let server = Server::start(Manner::Huge);
    for planted in ALL {
        let root = tempfile::tempdir().unwrap();
        let outside = root.path().join("outside");
        let folder = root.path().join("cache/nin/fashion-mnist");
        std::fs::create_dir(&outside).unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        let part = folder.join("train-images-idx3-ubyte.gz.part");
        std::fs::write(&part, "precious").unwrap();
        planted.plant(&part, &outside);
        let before = contents(&outside);
        let fetched = fetch(root.path(), &server.address, None);
        assert_eq!((flaw(&fetched), fetched.code), (None, Some(1)), "{planted:?}");
        assert_eq!(contents(&outside), before, "{planted:?}");
    }
    assert!(server.requests().len() >= 3, "some of them were written to");
}

//! Shutdown of the server.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use super::server::{Server, read_reply, square};
use crate::workshop::train_small;

/// The server shuts down within this time, even with open connections.
const SOON: Duration = Duration::from_secs(15);

#[test]
fn running_requests_are_answered_and_the_exit_code_is_0() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    for signal in ["-TERM", "-INT"] {
        let server = Server::start(root.path(), &[]);
        let picture = square();
        // A silent connection, as browsers keep it, and one kept open after an answer.
        let silent = server.connect();
        let mut kept = server.connect();
        kept.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        let mut answer = [0; 64];
        assert!(kept.read(&mut answer).unwrap() > 0);
        // Half a request.
        let mut begun = server.connect();
        write!(
            begun,
            "POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
            picture.len()
        )
        .unwrap();
        begun.write_all(&picture[..10]).unwrap();
        thread::sleep(Duration::from_millis(200));

        server.signal(signal);
        let start = Instant::now();
        let address = server.address().to_owned();
        while TcpStream::connect(&address).is_ok() {
            assert!(start.elapsed() < SOON, "it still listens");
            thread::sleep(Duration::from_millis(10));
        }
        begun.write_all(&picture[10..]).unwrap();
        let reply = read_reply(begun);
        assert_eq!(reply.status, 200);
        assert!(reply.head.contains("connection: close"), "{}", reply.head);
        let finished = server.finish();
        assert_eq!(finished.code, Some(0), "{signal}: {}", finished.stderr);
        assert!(finished.stderr.ends_with("stopped\n"), "{}", finished.stderr);
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
        drop((silent, kept));
    }
}

#[test]
fn a_second_signal_exits_immediately() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    let server = Server::start(root.path(), &[]);
    let mut stream = server.connect();
    stream
        .write_all(b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\nx")
        .unwrap();
    thread::sleep(Duration::from_millis(200));
    server.signal("-TERM");
    thread::sleep(Duration::from_millis(200));
    let start = Instant::now();
    server.signal("-INT");
    assert_eq!(server.finish().code, Some(130));
    assert!(start.elapsed() < Duration::from_secs(5));
}

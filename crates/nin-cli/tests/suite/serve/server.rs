//! A server process, and a client that can violate the protocol.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use image::{GrayImage, ImageFormat};
use serde_json::Value;

use crate::memory::limited;
use crate::predict::encoded;
use crate::program::{Finished, command, kill};
use crate::workshop::SIDE;

/// Longer than any answer takes.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// What is served, and where.
const LINE: [&str; 5] = ["serve", "--checkpoint", "run", "--addr", "127.0.0.1:0"];

/// A running server.
pub(super) struct Server {
    child: Option<Child>,
    address: String,
}

/// A complete response.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Server {
    /// Serves the run in a folder. Returns once requests are answered.
    pub(super) fn start(root: &Path, more: &[&str]) -> Self {
        Self::spawn(command(root, &[&LINE[..], more].concat()))
    }

    /// The same, with its address space limited to this many KiB.
    pub(super) fn start_with_memory(root: &Path, limit_kib: u64, more: &[&str]) -> Self {
        Self::spawn(limited(root, limit_kib, &[&LINE[..], more].concat()))
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").unwrap_or_else(|| {
            let mut stderr = String::new();
            child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
            panic!("it does not listen: {stderr}")
        });
        Self { address: address.to_owned(), child: Some(child) }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Opens a connection and sends nothing.
    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(LONGEST_WAIT)).unwrap();
        stream
    }

    /// Sends a request and reads to the end of the connection.
    pub(super) fn ask(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Reply {
        let mut stream = self.connect();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-length: {length}\r\n{headers}\r\n"
        );
        // The server may close the connection early.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        read_reply(stream)
    }

    pub(super) fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, "", b"")
    }

    pub(super) fn predict(&self, picture: &[u8]) -> Reply {
        self.ask("POST", "/v1/predict", "", picture)
    }

    pub(super) fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub(super) fn signal(&self, signal: &str) {
        kill(signal, self.id());
    }

    /// Waits for the process to end.
    pub(super) fn finish(mut self) -> Finished {
        let output = self.child.take().unwrap().wait_with_output().unwrap();
        Finished {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Reads a response to the end of the connection.
pub(super) fn read_reply(mut stream: TcpStream) -> Reply {
    let mut bytes = Vec::new();
    // A reset after the answer does not matter.
    let _ = stream.read_to_end(&mut bytes);
    let _ = stream.shutdown(Shutdown::Both);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_else(|| {
        panic!("no whole head: {:?}", String::from_utf8_lossy(&bytes));
    });
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, head, body: bytes[end + 4..].to_vec() }
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// Checks that it is a problem (RFC 9457) with this status, and returns its detail.
    pub(super) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        assert!(self.head.contains("content-type: application/problem+json"), "{}", self.head);
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], "about:blank");
        for key in ["title", "detail", "hint"] {
            assert!(!problem[key].as_str().unwrap().is_empty(), "{key}: {problem}");
        }
        problem["detail"].as_str().unwrap().to_owned()
    }
}

/// Returns a bright square on black as PNG.
pub(crate) fn square() -> Vec<u8> {
    let side = SIDE as u32;
    let inside = |at: u32| (side / 4..side * 3 / 4).contains(&at);
    let image = GrayImage::from_fn(side, side, |x, y| {
        image::Luma([if inside(x) && inside(y) { 200 } else { 0 }])
    });
    encoded(&image.into(), ImageFormat::Png)
}

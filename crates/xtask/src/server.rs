//! Runs `serve` and sends requests to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use crate::training::{Subject, send};

/// The beginning of a request. Other headers, an empty line and the picture follow.
pub(crate) const HEAD: &str =
    "POST /v1/predict HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n";

/// The server under test.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Serves a checkpoint on a free port. Returns once requests are answered.
    pub(crate) fn start(
        subject: &Subject,
        checkpoint: &str,
        more: &[&str],
    ) -> anyhow::Result<Self> {
        let line = ["serve", "--checkpoint", checkpoint, "--addr", "127.0.0.1:0"];
        let mut child = subject
            .command(&[&line[..], more].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no stdout")?).read_line(&mut line)?;
        let Some(address) = line.trim().strip_prefix("http://") else {
            let _ = child.kill();
            bail!("the server did not start");
        };
        Ok(Self { address: address.to_owned(), child })
    }

    /// Opens a connection.
    pub(crate) fn connect(&self) -> anyhow::Result<TcpStream> {
        let stream = TcpStream::connect(&self.address).context("the server is gone")?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        Ok(stream)
    }

    /// Sends a picture and returns the status and body.
    pub(crate) fn predict(&self, picture: &[u8]) -> anyhow::Result<(u16, Vec<u8>)> {
        let mut stream = self.connect()?;
        stream.write_all(&request(picture))?;
        read(&mut stream)
    }

    /// Returns the process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Reads a value from `/metrics`.
    pub(crate) fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let mut stream = self.connect()?;
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let text = String::from_utf8(read(&mut stream)?.1)?;
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        Ok(line.with_context(|| format!("no {name}"))?.trim().parse()?)
    }

    /// Ends the server with SIGTERM. It must exit with 0 and must not have panicked.
    pub(crate) fn end(&mut self) -> anyhow::Result<()> {
        ensure!(self.child.try_wait()?.is_none(), "the server ended by itself");
        ensure!(send(&self.child, "-TERM")?, "cannot send SIGTERM");
        let status = self.child.wait()?;
        let mut said = String::new();
        self.child.stderr.take().context("no stderr")?.read_to_string(&mut said)?;
        ensure!(status.code() == Some(0), "it ended with {status}: {said}");
        ensure!(!said.contains("panicked"), "{said}");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}
/// Returns a request with this body that closes its connection.
pub(crate) fn request(body: &[u8]) -> Vec<u8> {
    let head = format!("{HEAD}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Reads the status and body of an answer; the status is 0 if the connection was closed without one.
pub(crate) fn read(stream: &mut TcpStream) -> anyhow::Result<(u16, Vec<u8>)> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => return Err(error).context("no answer"),
    }
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok((0, Vec::new()));
    };
    let head = String::from_utf8_lossy(&bytes[..end]);
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    Ok((status, bytes[end + 4..].to_vec()))
}

//! Sends many hostile requests at once. The server must answer each correctly, keep answering others, and
//! neither grow nor break.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::Shutdown;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::arguments::SubjectArguments;
use crate::chance::Chance;
use crate::pictures::{claiming, deep_png, png, profiled_png};
use crate::pressure;
use crate::server::{HEAD, Server, read, request};
use crate::training::{Subject, finish};

/// Concurrent requests.
const CLIENTS: usize = 16;
/// The server's timeout for slow requests.
const PATIENCE: &str = "2";
/// The most that the server's memory may grow between the first and the second half.
const GROWTH_BYTES: f64 = 64.0 * 1024.0 * 1024.0;
/// Statuses that any request may get while the server is overloaded.
const BUSY: [u16; 2] = [429, 503];

/// A kind of request and its permitted statuses; 0 is a closed connection.
struct Kind {
    name: &'static str,
    statuses: &'static [u16],
}

const KINDS: [Kind; 25] = [
    Kind { name: "picture", statuses: &[200] },
    Kind { name: "cut picture", statuses: &[422] },
    Kind { name: "changed picture", statuses: &[200, 413, 415, 422] },
    Kind { name: "claims 60000x60000", statuses: &[413] },
    Kind { name: "bomb of 8000x8000", statuses: &[200] },
    Kind { name: "random bytes", statuses: &[415] },
    Kind { name: "JSON", statuses: &[415] },
    Kind { name: "body too large", statuses: &[413] },
    Kind { name: "chunks too many", statuses: &[413] },
    Kind { name: "chunks that are none", statuses: &[400] },
    Kind { name: "slow body", statuses: &[408] },
    Kind { name: "slow head", statuses: &[0, 408] },
    Kind { name: "half-closed", statuses: &[200] },
    Kind { name: "half-closed in the body", statuses: &[0, 400] },
    Kind { name: "closed in the body", statuses: &[0] },
    Kind { name: "form that is none", statuses: &[400] },
    Kind { name: "head too large", statuses: &[431] },
    Kind { name: "no HTTP", statuses: &[0, 400] },
    Kind { name: "profile of 100 MiB", statuses: &[200] },
    Kind { name: "1x65535", statuses: &[413] },
    Kind { name: "foreign host", statuses: &[421] },
    Kind { name: "no host", statuses: &[400] },
    Kind { name: "two hosts", statuses: &[400] },
    Kind { name: "page of another site", statuses: &[403] },
    Kind { name: "origin that is none", statuses: &[403] },
];

/// Sends the requests and returns the report.
pub(crate) fn run(arguments: &SubjectArguments, requests: usize) -> anyhow::Result<Value> {
    let subject = Subject::new(arguments)?;
    finish(subject.train("run", &["--epochs", "1"]))?;
    let limits = ["--max-body", "1", "--timeout", PATIENCE];
    let mut server = Server::start(&subject, "run", &limits)?;
    let pictures = Pictures::new()?;
    let expected = server.predict(&pictures.whole)?;
    ensure!(expected.0 == 200, "a picture got status {}", expected.0);

    let begun = Instant::now();
    let counts = Mutex::new(BTreeMap::<String, usize>::new());
    let mut memory = Vec::new();
    for (half, first) in [(0, 0), (1, requests / 2)] {
        let last = if half == 0 { requests / 2 } else { requests };
        server.attack(first..last, arguments.seed, &pictures, &counts)?;
        let after = server.predict(&pictures.whole)?;
        ensure!(after == expected, "the same picture got another answer: {after:?}");
        memory.push(server.metric("process_resident_memory_bytes")?);
    }
    let secs = begun.elapsed().as_secs_f64();
    ensure!(
        memory[1] - memory[0] < GROWTH_BYTES,
        "memory grew from {} to {} bytes",
        memory[0],
        memory[1]
    );
    // All connections but the one that asks are closed.
    let waited = Instant::now();
    while server.metric("nin_connections")? > 1.0 || server.metric("nin_queue_pictures")? > 0.0 {
        ensure!(waited.elapsed() < Duration::from_secs(30), "connections are still open");
        thread::sleep(Duration::from_millis(100));
    }
    server.end()?;
    let pressed = pressure::run(&subject)?;
    let counts = counts.into_inner().map_err(|_| anyhow::anyhow!("a client panicked"))?;
    Ok(json!({
        "check": "hostile",
        "backend": arguments.backend,
        "seed": arguments.seed,
        "requests": requests,
        "secs": secs,
        "memory_bytes": memory,
        "answers": counts,
        "small_pictures": pressed,
        "whole": true,
    }))
}

impl Server {
    /// Sends the requests with these numbers, several at a time.
    fn attack(
        &self,
        numbers: std::ops::Range<usize>,
        seed: u64,
        pictures: &Pictures,
        counts: &Mutex<BTreeMap<String, usize>>,
    ) -> anyhow::Result<()> {
        let next = AtomicUsize::new(numbers.start);
        thread::scope(|scope| {
            let work = || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= numbers.end {
                        return Ok(());
                    }
                    let kind = &KINDS[number % KINDS.len()];
                    let mut chance = Chance::new(seed.wrapping_add(number as u64));
                    let status = self
                        .send(kind.name, pictures, &mut chance)
                        .with_context(|| format!("request {number}, {}", kind.name))?;
                    let fits = kind.statuses.contains(&status) || BUSY.contains(&status);
                    ensure!(fits, "request {number}, {}: answered {status}", kind.name);
                    if let Ok(mut counts) = counts.lock() {
                        *counts.entry(format!("{}: {status}", kind.name)).or_default() += 1;
                    }
                }
            };
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(work)).collect();
            for client in clients {
                client.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
            }
            Ok(())
        })
    }

    /// Sends one request. Returns the status, or 0 if the connection was closed without an answer.
    fn send(&self, kind: &str, pictures: &Pictures, chance: &mut Chance) -> anyhow::Result<u16> {
        let whole = &pictures.whole;
        let mut stream = self.connect()?;
        let mut say = |bytes: &[u8]| {
            // The server may close the connection early.
            let _ = stream.write_all(bytes);
        };
        match kind {
            "picture" => say(&request(whole)),
            "cut picture" => {
                say(&request(&whole[..20 + chance.below(whole.len() as u64 - 30) as usize]));
            }
            "changed picture" => {
                let mut changed = whole.clone();
                for _ in 0..=chance.below(8) {
                    let at = chance.below(changed.len() as u64) as usize;
                    changed[at] = chance.below(256) as u8;
                }
                say(&request(&changed));
            }
            "claims 60000x60000" => say(&request(&claiming(whole.clone(), 60_000))),
            "bomb of 8000x8000" => say(&request(&pictures.bomb)),
            "random bytes" => {
                let length = 1 + chance.below(100_000);
                let bytes: Vec<u8> = (0..length).map(|_| chance.below(256) as u8).collect();
                say(&request(&bytes));
            }
            "JSON" => say(&request(br#"{"image": "data:image/png;base64,AAAA", "top": -1"#)),
            "body too large" => say(&request(&vec![0; 2 << 20])),
            "chunks too many" => {
                say(format!("{HEAD}transfer-encoding: chunked\r\n\r\n").as_bytes());
                for _ in 0..32 {
                    say(&[&b"10000\r\n"[..], &vec![7; 1 << 16], b"\r\n"].concat());
                }
                say(b"0\r\n\r\n");
            }
            "chunks that are none" => {
                say(format!("{HEAD}transfer-encoding: chunked\r\n\r\nzzz\r\n").as_bytes());
            }
            "slow body" => say(&request(whole)[..request(whole).len() - 10]),
            "slow head" => say(&HEAD.as_bytes()[..HEAD.len() - 4]),
            "half-closed" => {
                say(&request(whole));
                stream.shutdown(Shutdown::Write)?;
            }
            "half-closed in the body" => {
                say(&request(whole)[..request(whole).len() - 10]);
                stream.shutdown(Shutdown::Write)?;
            }
            "closed in the body" => {
                say(&request(whole)[..request(whole).len() - 10]);
                return Ok(0);
            }
            "form that is none" => {
                let form = "--b\r\ncontent-disposition: form-data; name=\"image\"\r\n\r\nno end";
                let kind = "content-type: multipart/form-data; boundary=b\r\n";
                let length = form.len();
                say(format!("{HEAD}{kind}content-length: {length}\r\n\r\n{form}").as_bytes());
            }
            "profile of 100 MiB" => say(&request(&pictures.profiled)),
            "1x65535" => say(&request(&pictures.narrow)),
            "foreign host" => say(&with_head("host: evil.example\r\n", whole)),
            "no host" => say(&with_head("", whole)),
            "two hosts" => say(&with_head("host: localhost\r\nhost: evil.example\r\n", whole)),
            "page of another site" => {
                say(&with_head("host: localhost\r\nsec-fetch-site: cross-site\r\n", whole));
            }
            "origin that is none" => {
                say(&with_head("host: localhost\r\norigin: null\r\n", whole));
            }
            "head too large" => {
                say(format!("{HEAD}x-long: {}\r\n\r\n", "a".repeat(100_000)).as_bytes());
            }
            _ => {
                let bytes: Vec<u8> = (0..64).map(|_| 128 + chance.below(128) as u8).collect();
                say(&[&bytes[..], b"\r\n\r\n"].concat());
            }
        }
        read(&mut stream).map(|(status, _)| status)
    }
}

/// Returns a request with these headers and this picture.
fn with_head(headers: &str, picture: &[u8]) -> Vec<u8> {
    let length = picture.len();
    let head = format!(
        "POST /v1/predict HTTP/1.1\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), picture].concat()
}

struct Pictures {
    whole: Vec<u8>,
    bomb: Vec<u8>,
    profiled: Vec<u8>,
    narrow: Vec<u8>,
}

impl Pictures {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            whole: png(20, 90)?,
            bomb: png(8000, 0)?,
            profiled: profiled_png(100)?,
            narrow: deep_png(1, 65_535)?,
        })
    }
}

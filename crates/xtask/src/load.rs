//! Measures a server's throughput, latency and memory under load, compared with one call of `predict` per picture.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::arguments::LoadArguments;
use crate::pictures::png;
use crate::server::Server;
use crate::training::{Subject, finish};

/// Timed calls of `predict`.
const CALLS: usize = 5;
/// Memory readings during the load.
const MEMORY_READINGS: u32 = 20;

/// Puts a server under load and returns the report.
pub(crate) fn run(arguments: &LoadArguments) -> anyhow::Result<Value> {
    let subject = Subject::new(&arguments.subject)?;
    let checkpoint = if let Some(path) = &arguments.checkpoint {
        let path = fs::canonicalize(path)
            .with_context(|| format!("no checkpoint at `{}`", path.display()))?;
        path.to_string_lossy().into_owned()
    } else {
        finish(subject.train("run", &["--epochs", "1"]))?;
        "run".to_owned()
    };
    let picture = match &arguments.picture {
        Some(path) => {
            fs::read(path).with_context(|| format!("no picture at `{}`", path.display()))?
        }
        None => png(28, 90)?,
    };
    let file = subject.run_folder("picture");
    fs::write(&file, &picture)?;
    let alone_secs = single_calls(&subject, &checkpoint, &file)?;

    let mut server = Server::start(&subject, &checkpoint, &[])?;
    let expected = server.predict(&picture)?;
    ensure!(expected.0 == 200, "the picture got status {}", expected.0);
    let duration = Duration::from_secs(arguments.secs);
    let begun = Instant::now();
    let mut memory = Vec::new();
    let mut times: Vec<Duration> = thread::scope(|scope| {
        let client = || ask_until(&server, &picture, begun + duration);
        let clients: Vec<_> = (0..arguments.clients).map(|_| scope.spawn(client)).collect();
        for _ in 0..MEMORY_READINGS {
            thread::sleep(duration / MEMORY_READINGS);
            memory.push(server.metric("process_resident_memory_bytes")?);
        }
        let mut times = Vec::new();
        for client in clients {
            times.extend(client.join().map_err(|_| anyhow::anyhow!("a client panicked"))??);
        }
        anyhow::Ok(times)
    })?;
    let secs = begun.elapsed().as_secs_f64();
    let batches = server.metric("nin_batches_total")?;
    let pictures = server.metric("nin_pictures_total")?;
    server.end()?;
    times.sort_unstable();
    let quantile = |share: f64| {
        let at = (times.len() as f64 * share) as usize;
        times.get(at.min(times.len() - 1)).map(|time| time.as_secs_f64() * 1000.0)
    };
    Ok(json!({
        "check": "load",
        "backend": arguments.subject.backend,
        "clients": arguments.clients,
        "secs": secs,
        "requests": times.len(),
        "requests_per_sec": times.len() as f64 / secs,
        "millis": {
            "p50": quantile(0.5),
            "p90": quantile(0.9),
            "p99": quantile(0.99),
            "p999": quantile(0.999),
            "max": quantile(1.0),
        },
        "pictures_per_batch": pictures / batches,
        "memory_bytes": memory,
        "predict_calls_per_sec": 1.0 / alone_secs,
    }))
}

/// Returns the median time of a call of `predict` for the picture, in seconds.
fn single_calls(subject: &Subject, checkpoint: &str, picture: &Path) -> anyhow::Result<f64> {
    let picture = picture.to_string_lossy();
    let mut secs = Vec::new();
    for _ in 0..CALLS {
        let begun = Instant::now();
        finish(subject.command(&["predict", "--checkpoint", checkpoint, &picture]))?;
        secs.push(begun.elapsed().as_secs_f64());
    }
    secs.sort_by(f64::total_cmp);
    Ok(secs[CALLS / 2])
}

/// Runs one client, which sends and times one request after another on one connection.
fn ask_until(server: &Server, picture: &[u8], end: Instant) -> anyhow::Result<Vec<Duration>> {
    let head = format!(
        "POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        picture.len()
    );
    let request = [head.as_bytes(), picture].concat();
    let mut stream = server.connect()?;
    stream.set_nodelay(true)?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let mut times = Vec::new();
    while Instant::now() < end {
        let begun = Instant::now();
        stream.write_all(&request)?;
        read_answer(&mut answers)?;
        times.push(begun.elapsed());
    }
    Ok(times)
}

/// Reads one answer, which must be 200, from a connection that stays open.
fn read_answer(answers: &mut impl BufRead) -> anyhow::Result<()> {
    let mut line = String::new();
    answers.read_line(&mut line)?;
    ensure!(line.starts_with("HTTP/1.1 200 "), "answered {line}");
    let mut length = None;
    loop {
        line.clear();
        answers.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = Some(value.trim().parse::<usize>()?);
        }
    }
    let mut body = vec![0; length.context("an answer without a length")?];
    answers.read_exact(&mut body)?;
    Ok(())
}

//! Times small pictures while the server is under pressure: large pictures, abandoned requests, inflating metadata,
//! clients that do not read.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::pictures::{deep_png, png, profiled_png};
use crate::server::{Server, request};
use crate::training::Subject;

/// The checkpoint that `serve` serves by default.
const NETWORK: &str = "pretrained:record-fashion-mnist";
/// Small pictures to time, one after the other.
const TIMED: usize = 300;
/// The most that the median time of small pictures may grow under pressure, as a factor. Metadata that inflates must not
/// make a small picture a large one: the factor is then over the time beside clients with small pictures.
const SLOWEST: f64 = 3.0;
/// Measurements of which one must keep to it: other work on the machine slows small pictures too.
const ATTEMPTS: usize = 3;
/// Requests whose clients hang up.
const ABANDONED: usize = 70;
/// Clients that send large pictures without a pause.
const CLIENTS: usize = 2;
/// Connections that do not read. The server allows a few more.
const DEAF: usize = 240;
/// The time within which the server must end, whatever is connected.
const SOONEST: Duration = Duration::from_secs(10);
/// The documented memory bound for two cores, bodies of 16 MiB and a small network (docs/threat-model.md), in
/// bytes. More cores decode more pictures at a time.
const MEMORY_BYTES: f64 = 1536.0 * 1024.0 * 1024.0;

/// Puts a server under each kind of pressure and returns the medians.
pub(crate) fn run(subject: &Subject) -> anyhow::Result<Value> {
    let mut attempt = 1;
    loop {
        let report = measure(subject)?;
        let slow = report["slowed"].as_array().is_some_and(|names| !names.is_empty());
        if !slow {
            return Ok(report);
        }
        ensure!(attempt < ATTEMPTS, "small pictures wait too long, {attempt} times: {report}");
        attempt += 1;
    }
}

/// Measures once; `slowed` names the kinds of pressure under which small pictures wait too long.
fn measure(subject: &Subject) -> anyhow::Result<Value> {
    let mut server = Server::start(subject, NETWORK, &["--timeout", "60"])?;
    let small = png(28, 90)?;
    let alone = median(&server, &small)?;
    let (huge, wide) = (deep_png(2048, 32_768)?, deep_png(4000, 4000)?);
    let tall = deep_png(600, 32_768)?;
    let profiled = profiled_png(700)?;
    let beside_small = median_beside(&server, &small, &small)?;
    // With what each is compared.
    let mut medians = vec![
        ("alone", alone, alone),
        ("2 clients with small pictures", beside_small, beside_small),
    ];

    for _ in 0..ABANDONED {
        server.connect()?.write_all(&request(&huge))?;
    }
    medians.push(("70 huge pictures of clients that are gone", median(&server, &small)?, alone));
    for (name, picture, usual) in [
        ("2 clients with 2048x32768 of 64 bits", &huge, alone),
        ("2 clients with 4000x4000 of 64 bits", &wide, alone),
        ("2 clients with 600x32768 of 64 bits", &tall, alone),
        ("2 clients with colour profiles of 700 MiB", &profiled, beside_small),
    ] {
        medians.push((name, median_beside(&server, picture, &small)?, usual));
    }
    let deaf = connect_deaf(&server)?;
    medians.push(("240 clients that do not read", median(&server, &small)?, alone));
    let peak_bytes = peak_bytes(server.id())?;
    let begun = Instant::now();
    server.end()?;
    let end_secs = begun.elapsed().as_secs_f64();
    drop(deaf);

    let slowed: Vec<_> = medians
        .iter()
        .filter(|(_, millis, usual)| *millis > SLOWEST * usual)
        .map(|(name, ..)| name.to_owned())
        .collect();
    ensure!(end_secs < SOONEST.as_secs_f64(), "it took {end_secs:.1} s to end");
    let has_two_cores = thread::available_parallelism().is_ok_and(|cores| cores.get() <= 2);
    ensure!(!has_two_cores || peak_bytes < MEMORY_BYTES, "it took {peak_bytes} bytes");
    let medians: serde_json::Map<String, Value> =
        medians.into_iter().map(|(name, millis, _)| (name.to_owned(), millis.into())).collect();
    Ok(json!({
        "median_millis": medians,
        "slowed": slowed,
        "peak_bytes": peak_bytes,
        "end_secs": end_secs,
    }))
}

/// Returns the median time of small pictures, in milliseconds.
fn median(server: &Server, small: &[u8]) -> anyhow::Result<f64> {
    let mut times = Vec::with_capacity(TIMED);
    for _ in 0..TIMED {
        let begun = Instant::now();
        let (status, _) = server.predict(small)?;
        ensure!(status == 200, "a small picture got status {status}");
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[TIMED / 2])
}

/// Returns the median time of small pictures while other clients send another picture without a pause.
fn median_beside(server: &Server, other: &[u8], small: &[u8]) -> anyhow::Result<f64> {
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let ask = || -> anyhow::Result<()> {
        while !stop.load(Ordering::Relaxed) {
            let (status, _) = server.predict(other)?;
            ensure!([200, 429, 503].contains(&status), "another picture got status {status}");
            answered.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(ask)).collect();
        thread::sleep(Duration::from_millis(300));
        let millis = median(server, small);
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
        }
        ensure!(answered.load(Ordering::Relaxed) > 0, "no other picture was answered");
        millis
    })
}

/// Connects clients that request more than their sockets hold and read nothing.
fn connect_deaf(server: &Server) -> anyhow::Result<Vec<TcpStream>> {
    let requests = b"GET /page.js HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(2000);
    (0..DEAF)
        .map(|_| {
            let mut stream = server.connect()?;
            stream.set_nonblocking(true)?;
            // A partial write is enough.
            let _ = stream.write(&requests);
            Ok(stream)
        })
        .collect()
}

/// Returns the peak memory of a process, in bytes.
fn peak_bytes(id: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).context("no /proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024.0)
}

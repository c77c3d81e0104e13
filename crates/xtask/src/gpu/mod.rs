//! `cargo xtask gpu`: the kernels of nin-gpu on this machine's adapter.
//!
//! Builds what it needs, then takes its parts one by one, each within its share of the time, and writes one file.

mod dispatches;
mod layers;
mod limit;
mod programs;
mod session;
mod steps;
mod tiles;

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use self::limit::Limit;
use self::programs::Programs;
use self::session::Session;
use crate::arguments::GpuArguments;

/// A part, which fills in its findings as it goes.
struct Part {
    name: &'static str,
    /// Its share of the time, in per cent.
    share: u32,
    run: fn(&Session, &Limit, &mut Value) -> anyhow::Result<()>,
}

/// The parts, in the order of what matters most.
const PARTS: [Part; 5] = [
    Part { name: "parity", share: 22, run: parity },
    Part { name: "layers", share: 3, run: layers::run },
    Part { name: "steps", share: 40, run: steps::run },
    Part { name: "tiles", share: 25, run: tiles::run },
    Part { name: "dispatches", share: 10, run: dispatches::run },
];

/// Takes the wanted parts, writes their findings into the file, and returns its content.
///
/// # Errors
/// A part failed; the file has the others. A part that ran out of time is no error.
pub(crate) fn run(arguments: &GpuArguments) -> anyhow::Result<Value> {
    let mut content = match fs::read(&arguments.output) {
        Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| {
            format!("`{}` was not written by `cargo xtask gpu`", arguments.output.display())
        })?,
        Err(_) => json!({}),
    };
    let unlimited = Limit::none();
    let words = std::env::args().skip(1);
    content["machine"] = arguments.machine.clone().into();
    content["date"] = unlimited.printed(Command::new("date").args(["--utc", "+%F"]))?.trim().into();
    let mut commands = content["commands"].as_array().cloned().unwrap_or_default();
    commands.push(words.fold("cargo xtask".to_owned(), |line, word| line + " " + &word).into());
    content["commands"] = commands.into();
    let commit = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    content["commit"] = commit.unwrap_or_default().into();

    let session = Session { arguments, programs: Programs::build(arguments)? };
    let mut failed = Vec::new();
    for Part { name, share, run } in PARTS {
        if !arguments.wants(name) {
            continue;
        }
        let allowed = Duration::from_secs(arguments.secs) * share / 100;
        let start = Instant::now();
        eprintln!("{name}: at most {} s", allowed.as_secs());
        let mut found = Value::Null;
        let result = run(&session, &Limit::after(allowed), &mut found);
        let secs = start.elapsed().as_secs();
        let end = match &result {
            Ok(()) => "done".to_owned(),
            Err(error) if limit::is_out_of_time(error) => "out of time".to_owned(),
            Err(error) => {
                failed.push(name);
                format!("failed: {error:#}")
            }
        };
        eprintln!("{name}: {end} after {secs} s");
        content[name] = found;
        content["parts"][name] =
            json!({ "secs": secs, "at_most_secs": allowed.as_secs(), "end": end });
        // After each part, so that nothing is lost.
        let text = serde_json::to_string_pretty(&content)?;
        fs::write(&arguments.output, text + "\n")
            .with_context(|| format!("cannot write {}", arguments.output.display()))?;
    }
    let file = arguments.output.display();
    ensure!(failed.is_empty(), "failed: {}; `{file}` says why", failed.join(", "));
    Ok(content)
}

/// Runs the tests of nin-gpu, which fail without an adapter.
fn parity(session: &Session, limit: &Limit, found: &mut Value) -> anyhow::Result<()> {
    let mut tests = Command::new(&session.programs.tests);
    let said = limit.printed(tests.env("NIN_REQUIRE", "vulkan"))?;
    let lines = said.lines().filter(|line| line.starts_with("test "));
    *found = json!({ "tests": "nin-gpu", "said": lines.collect::<Vec<_>>() });
    Ok(())
}

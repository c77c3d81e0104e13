//! Trains one recipe for fifty steps with 1, 2 and 4 threads, 1 and 4 data loader workers, interrupted and not, on
//! each CPU backend. All trainings on one backend must give the same weights, bit for bit. The two backends
//! differ in the last bits: each computes the loss and the optimizer step in its own way.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::arguments::{CPU_BACKENDS, HashesArguments};
use crate::training::{INTERRUPTED, find, finish, send, sha256, watch};

/// Fifty steps: 1,600 images in batches of 32.
const STEPS: [&str; 6] = ["--epochs", "1", "--batch-size", "32", "--set", "data.limit=1600"];

const THREADS: [&str; 3] = ["1", "2", "4"];
const WORKERS: [&str; 2] = ["1", "4"];

/// The point at which a training is cut: the second of the five that an epoch reports.
const CUT_AT_POINT: usize = 2;

/// What `--baseline` compares: the precisions, each with every instruction set that this CPU has.
const PRECISIONS: [&str; 2] = ["fp32", "bf16"];

/// Instruction sets by the names that `NIN_CPU` takes, and the CPU feature that each needs.
const KERNELS: [(&str, Option<&str>); 7] = [
    ("portable", None),
    ("portable-wide", None),
    ("portable-tiles", None),
    ("neon", Some("neon")),
    ("avx2", Some("avx2")),
    ("avx512", Some("avx512f")),
    ("amx", Some("amx-bf16")),
];

/// Compares the weights after fifty steps with those of an earlier version, for each backend, instruction set
/// and precision; writes what the file does not have yet.
///
/// Burn's own operations pick their vectors by themselves, so the file has a table for each class of machine.
///
/// # Errors
/// Some weights differ, or a training fails.
fn compare(arguments: &HashesArguments, baseline: &Path) -> anyhow::Result<Value> {
    let root = tempfile::tempdir().context("cannot create a folder to train in")?;
    let binary = find(&arguments.binary)?;
    let devices = Command::new(&binary).args(["devices", "--format", "json"]).output()?;
    let devices: Value = serde_json::from_slice(&devices.stdout)?;
    let has = |name: &str| {
        devices["cpu_features"].as_array().into_iter().flatten().any(|feature| feature == name)
    };
    let machine = ["avx512bf16", "avx512f", "avx2", "neon"].into_iter().find(|name| has(name));
    // Vendors too: bf16 is multiplied where that is faster, which is not on every CPU that can.
    let vendor = devices["cpu"].as_str().and_then(|name| name.split([' ', '(']).next());
    let machine = &format!("{} {}", vendor.unwrap_or("unknown"), machine.unwrap_or("plain"));
    let mut known: Value = match fs::read(baseline) {
        Ok(text) => serde_json::from_slice(&text)?,
        Err(_) => json!({}),
    };
    let (mut compared, mut added) = (0, 0);
    for backend in CPU_BACKENDS {
        for (kernels, _) in KERNELS.iter().filter(|(_, needs)| needs.is_none_or(has)) {
            for precision in PRECISIONS {
                let name = format!("{backend}, {kernels}, {precision}");
                let run = root.path().join(&name);
                let mut command = Command::new(&binary);
                command.arg("train").arg("--run").arg(&run).args(STEPS).args([
                    "--backend",
                    backend,
                    "--set",
                    &format!("training.precision={precision}"),
                ]);
                finish({
                    command.env("NIN_CPU", kernels);
                    command
                })
                .with_context(|| name.clone())?;
                let found = weights(&run)?;
                if let Some(expected) = known[machine.as_str()][&name].as_str() {
                    ensure!(found == expected, "{name} on {machine}: {found}, once {expected}");
                    compared += 1;
                } else {
                    known[machine.as_str()][&name] = found.into();
                    added += 1;
                }
            }
        }
    }
    if added > 0 {
        fs::write(baseline, serde_json::to_string_pretty(&known)? + "\n")?;
    }
    Ok(json!({ "check": "hashes", "machine": machine, "compared": compared, "added": added }))
}

/// Trains once for each combination; fails if two trainings on one backend differ.
pub(crate) fn run(arguments: &HashesArguments) -> anyhow::Result<Value> {
    if let Some(baseline) = &arguments.baseline {
        return compare(arguments, baseline);
    }
    let root = tempfile::tempdir().context("cannot create a folder to train in")?;
    let binary = find(&arguments.binary)?;
    let mut hashes = serde_json::Map::new();
    for backend in CPU_BACKENDS {
        let mut expected: Option<String> = None;
        for (threads, workers, is_cut) in settings() {
            let name = format!("{backend}, {threads} threads, {workers} workers, cut: {is_cut}");
            let run = root.path().join(&name);
            let settings = ["--backend", backend, "--threads", threads, "--workers", workers];
            let train = |begin: &[&str]| {
                let mut command = Command::new(&binary);
                command.arg("train").args(begin).arg("--run").arg(&run).args(settings).args(STEPS);
                command
            };
            let mut begin = vec!["--config", &arguments.config];
            begin.extend(arguments.set.iter().flat_map(|assignment| ["--set", assignment]));
            if is_cut {
                cut(train(&begin)).with_context(|| name.clone())?;
                begin = vec!["--resume"];
            }
            finish(train(&begin)).with_context(|| name.clone())?;
            let found = weights(&run)?;
            let expected = expected.get_or_insert_with(|| found.clone());
            ensure!(found == *expected, "{name}: weights {found}, the first {expected}");
        }
        hashes.insert(backend.to_owned(), expected.into());
    }
    Ok(json!({
        "check": "hashes",
        "config": arguments.config,
        "set": arguments.set,
        "steps": 50,
        "threads": THREADS,
        "workers": WORKERS,
        "cut": [false, true],
        "sha256": hashes,
    }))
}

fn settings() -> impl Iterator<Item = (&'static str, &'static str, bool)> {
    THREADS.into_iter().flat_map(|threads| {
        WORKERS.into_iter().flat_map(move |workers| {
            [false, true].into_iter().map(move |is_cut| (threads, workers, is_cut))
        })
    })
}

fn weights(run: &Path) -> anyhow::Result<String> {
    sha256(&run.join("checkpoints/latest/model.safetensors"))
}

/// Trains, and interrupts the training in the middle of its epoch.
fn cut(command: Command) -> anyhow::Result<()> {
    let mut points = 0;
    let (status, text) = watch(command, |child, event| {
        points += usize::from(event["event"] == "step");
        if event["event"] == "step" && points == CUT_AT_POINT {
            ensure!(send(child, "-TERM")?, "the training ended before it was cut");
        }
        Ok(())
    })?;
    ensure!(status.code() == Some(INTERRUPTED), "not cut, but ended with {status}: {text}");
    Ok(())
}

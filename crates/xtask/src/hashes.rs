//! One recipe trained for fifty steps with 1, 2 and 4 threads on each CPU backend: the same weights
//! of one backend, bit for bit. The two backends differ from each other in last bits: what is not
//! the project's own kernels (loss, optimiser) they compute each in its way.

use std::fs;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::HashesArguments;
use crate::training::{finish, sha256};

/// Fifty steps: 1,600 images in batches of 32.
const STEPS: [&str; 8] =
    ["--epochs", "1", "--batch-size", "32", "--set", "data.limit=1600", "--progress", "none"];

const THREADS: [&str; 3] = ["1", "2", "4"];

/// Trains once for each pair of backend and threads; fails where two of one backend differ.
pub(crate) fn run(arguments: &HashesArguments) -> anyhow::Result<Value> {
    let root = tempfile::tempdir().context("cannot make a folder to train in")?;
    let binary = fs::canonicalize(&arguments.binary)
        .with_context(|| format!("no program at `{}`", arguments.binary.display()))?;
    let mut hashes = serde_json::Map::new();
    for backend in ["flex", "ndarray"] {
        let mut of_backend = Vec::new();
        for threads in THREADS {
            let run = root.path().join(format!("{backend}-{threads}"));
            let mut command = Command::new(&binary);
            command.args(["train", "--config", &arguments.config, "--backend", backend]);
            command.args(["--threads", threads, "--run"]).arg(&run).args(STEPS);
            for assignment in &arguments.set {
                command.args(["--set", assignment]);
            }
            finish(command)?;
            of_backend.push(sha256(&run.join("checkpoints/latest/model.safetensors"))?);
        }
        let same = of_backend.iter().all(|hash| *hash == of_backend[0]);
        ensure!(same, "{backend}: weights differ with {THREADS:?} threads: {of_backend:?}");
        hashes.insert(backend.to_owned(), of_backend.swap_remove(0).into());
    }
    Ok(json!({
        "check": "hashes",
        "config": arguments.config,
        "set": arguments.set,
        "steps": 50,
        "threads": THREADS,
        "sha256": hashes,
    }))
}

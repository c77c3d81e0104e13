//! One recipe trained for fifty steps with 1, 2 and 4 threads on both CPU backends: the same weights, bit for bit.

use std::fs;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::HashesArguments;

/// Fifty steps: 1,600 images in batches of 32.
const STEPS: [&str; 8] =
    ["--epochs", "1", "--batch-size", "32", "--set", "data.limit=1600", "--progress", "none"];

/// Trains once for each pair of backend and threads; fails where two differ.
pub(crate) fn run(arguments: &HashesArguments) -> anyhow::Result<Value> {
    let root = tempfile::tempdir().context("cannot make a folder to train in")?;
    let binary = fs::canonicalize(&arguments.binary)
        .with_context(|| format!("no program at `{}`", arguments.binary.display()))?;
    let mut hashes = Vec::new();
    for backend in ["flex", "ndarray"] {
        for threads in ["1", "2", "4"] {
            let run = root.path().join(format!("{backend}-{threads}"));
            let mut command = Command::new(&binary);
            command.args(["train", "--config", &arguments.config, "--backend", backend]);
            command.args(["--threads", threads, "--run"]).arg(&run).args(STEPS);
            for assignment in &arguments.set {
                command.args(["--set", assignment]);
            }
            let output = command.output().context("cannot run the program")?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.success(), "train: {}", said.trim());
            let weights = fs::read(run.join("checkpoints/latest/model.safetensors"))?;
            hashes.push((format!("{backend} {threads}"), format!("{:x}", Sha256::digest(weights))));
        }
    }
    let same = hashes.windows(2).all(|pair| pair[0].1 == pair[1].1);
    ensure!(same, "weights differ: {hashes:?}");
    Ok(json!({
        "check": "hashes",
        "config": arguments.config,
        "set": arguments.set,
        "steps": 50,
        "runs": hashes.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        "sha256": hashes.first().map(|(_, hash)| hash),
    }))
}

//! The test accuracy of each seed after a recipe's first steps: kills the training after its first checkpoint and
//! evaluates that checkpoint on all test images.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use crate::arguments::EarlyArguments;
use crate::costs::median;
use crate::training::{find, finish, send, watch};

/// Trains and evaluates every seed; fails if one is below the required accuracy.
pub(crate) fn run(arguments: &EarlyArguments) -> anyhow::Result<Value> {
    let binary = find(&arguments.binary)?;
    let mut accuracies = Vec::new();
    for seed in 1..=arguments.seeds {
        let root = tempfile::tempdir().context("cannot create a folder to train in")?;
        let run = root.path().join("run");
        begin(&binary, arguments, seed, &run).with_context(|| format!("seed {seed}"))?;
        let accuracy =
            accuracy(&binary, arguments, &run).with_context(|| format!("seed {seed}"))?;
        eprintln!("seed {seed}: {accuracy}");
        accuracies.push(accuracy);
    }
    let of_each_seed = accuracies.clone();
    let median = median(&mut accuracies);
    let least = accuracies.first().copied().context("no seed was asked for")?;
    let report = json!({
        "check": "early",
        "config": arguments.config,
        "backend": arguments.backend,
        "steps": arguments.steps,
        "test_accuracy_of_each_seed": of_each_seed,
        "least": least,
        "median": median,
        "at_least": arguments.at_least,
    });
    if least < arguments.at_least {
        bail!("a seed is below {}: {report}", arguments.at_least);
    }
    Ok(report)
}

/// Trains by the unchanged recipe, schedule included, until its first checkpoint.
fn begin(binary: &Path, arguments: &EarlyArguments, seed: u64, run: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(binary);
    command.args(["train", "--config", &arguments.config, "--backend", &arguments.backend]);
    command.args(["--seed", &seed.to_string()]).arg("--run").arg(run);
    command.args(["--set", &format!("checkpoint.every_steps={}", arguments.steps)]);
    let mut steps = None;
    let (status, text) = watch(command, |child, event| {
        if event["event"] == "checkpoint" && steps.is_none() {
            steps = event["total_steps"].as_u64();
            send(child, "-KILL")?;
        }
        Ok(())
    })?;
    let asked = arguments.steps as u64;
    ensure!(steps == Some(asked), "the first checkpoint is at step {steps:?} ({status}): {text}");
    Ok(())
}

fn accuracy(binary: &Path, arguments: &EarlyArguments, run: &Path) -> anyhow::Result<f64> {
    let mut command = Command::new(binary);
    command.arg("eval").arg("--checkpoint").arg(run.join("checkpoints/latest"));
    command.args(["--backend", &arguments.backend, "--format", "json"]);
    let evaluation: Value = serde_json::from_slice(&finish(command)?.stdout)?;
    evaluation["accuracy"].as_f64().context("`eval` gave no `accuracy`")
}

//! Kills a training that saves every few steps at random moments. Each time, `eval` must open the run, and the
//! checkpoint must not be older than the last one announced.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::arguments::SubjectArguments;
use crate::chance::Chance;
use crate::training::{Subject, cut};

/// More epochs than it can finish between the kills.
const OPTIONS: [&str; 6] =
    ["--epochs", "100000", "--set", "checkpoint.every_steps=2", "--threads", "1"];

/// The longest time between the first checkpoint and the kill.
const LONGEST_MILLIS: u64 = 1500;

/// Kills a training as often as asked and returns the report.
pub(crate) fn run(arguments: &SubjectArguments, kills: usize) -> anyhow::Result<Value> {
    let subject = Subject::new(arguments)?;
    let mut chance = Chance::new(arguments.seed);
    let begun = Instant::now();
    let (mut evaluated, mut steps) = (0, 0);
    for kill in 1..=kills {
        let after = Duration::from_millis(chance.below(LONGEST_MILLIS));
        let ended = cut(subject.train("run", &OPTIONS), "-KILL", after)?;
        ensure!(ended.status.code().is_none(), "kill {kill}: it ended itself: {}", ended.stderr);
        let found = subject.latest_steps("run").with_context(|| format!("kill {kill}"))?;
        let announced = ended.announced.max(steps);
        ensure!(
            found >= announced,
            "kill {kill}: {found} steps are there, {announced} were announced"
        );
        steps = found;
        if found > 0 {
            subject.evaluate("run").with_context(|| format!("kill {kill}"))?;
            evaluated += 1;
        }
    }
    ensure!(kills == 0 || steps > 0, "no checkpoint was ever written");
    Ok(json!({
        "check": "kills",
        "backend": arguments.backend,
        "seed": arguments.seed,
        "kills": kills,
        "evaluated": evaluated,
        "total_steps": steps,
        "secs": begun.elapsed().as_secs_f64(),
        "whole": true,
    }))
}

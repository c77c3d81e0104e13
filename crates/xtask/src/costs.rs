//! The costs of an epoch besides its steps (checkpoints, data loading, bookkeeping), and the time of `shapes`.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use crate::arguments::CostsArguments;
use crate::training::{events, find, finish};

/// Runs of `nin-cli shapes`. The best time counts, because the machine may be busy.
const SHAPES_RUNS: usize = 5;
/// `shapes` is a pure function of the architecture and creates no tensor, so it must be fast.
const MOST_SHAPES_TIME: Duration = Duration::from_millis(50);

/// Measures the costs. Each pair times steps with `bench`, trains an epoch with one checkpoint, and trains it
/// again with a checkpoint after every step. The difference divided by the additional checkpoints is the cost
/// of one.
pub(crate) fn run(arguments: &CostsArguments) -> anyhow::Result<Value> {
    let shapes = shapes(arguments)?;
    ensure!(shapes < MOST_SHAPES_TIME, "`shapes` took {shapes:?}, at most {MOST_SHAPES_TIME:?}");
    let mut checkpoint_secs = Vec::new();
    let mut epoch_secs = Vec::new();
    let mut epoch_to_step = Vec::new();
    let mut bookkeeping_shares = Vec::new();
    let images = arguments.images as f64;
    for _ in 0..arguments.pairs {
        let step_images_per_sec = bench(arguments)?;
        let seldom = train(arguments, 0)?;
        let often = train(arguments, 1)?;
        ensure!(
            often.checkpoints > seldom.checkpoints,
            "every_steps = 1 wrote no additional checkpoint"
        );
        let more = (often.checkpoints - seldom.checkpoints) as f64;
        checkpoint_secs.push((often.secs - seldom.secs) / more);
        epoch_secs.push(images / seldom.images_per_sec);
        epoch_to_step.push(seldom.epoch_images_per_sec / step_images_per_sec);
        bookkeeping_shares.push(seldom.bookkeeping_share);
    }
    let (checkpoint, epoch) = (median(&mut checkpoint_secs), median(&mut epoch_secs));
    let (to_step, bookkeeping) = (median(&mut epoch_to_step), median(&mut bookkeeping_shares));
    let epoch = epoch * arguments.images_per_epoch as f64 / images;
    Ok(json!({
        "check": "costs",
        "config": arguments.config,
        "backend": arguments.backend,
        "pairs": arguments.pairs,
        "images_measured": arguments.images,
        "images_per_epoch": arguments.images_per_epoch,
        "epoch_secs": epoch,
        "checkpoint_secs": checkpoint,
        "checkpoint_secs_of_each_pair": checkpoint_secs,
        "checkpoint_share_of_epoch": checkpoint / epoch,
        "bench_steps": arguments.steps,
        "epoch_to_step": to_step,
        "epoch_to_step_of_each_pair": epoch_to_step,
        "bookkeeping_share_of_epoch": bookkeeping,
        "bookkeeping_share_of_each_pair": bookkeeping_shares,
        "shapes_runs": SHAPES_RUNS,
        "shapes_secs": shapes.as_secs_f64(),
    }))
}

/// Returns the best time of `nin-cli shapes` on the book's network, from the start of the process to its end.
fn shapes(arguments: &CostsArguments) -> anyhow::Result<Duration> {
    let binary = find(&arguments.binary)?;
    let mut best = Duration::MAX;
    for _ in 0..SHAPES_RUNS {
        let mut command = Command::new(&binary);
        command.args(["shapes", "--config", "d2l"]);
        let begun = Instant::now();
        finish(command)?;
        best = best.min(begun.elapsed());
    }
    Ok(best)
}

struct Training {
    /// Of the whole process.
    secs: f64,
    checkpoints: usize,
    /// Of the steps alone, without data loading.
    images_per_sec: f64,
    /// Of the epoch's training, with data loading.
    epoch_images_per_sec: f64,
    /// The share of the epoch's training that is bookkeeping.
    bookkeeping_share: f64,
}

/// Returns the images per second of training steps without data loading.
fn bench(arguments: &CostsArguments) -> anyhow::Result<f64> {
    let mut command = Command::new(find(&arguments.binary)?);
    command.args(["bench", "--config", &arguments.config, "--backend", &arguments.backend]);
    command.args(["--steps", &arguments.steps.to_string(), "--format", "json"]);
    let figures: Value = serde_json::from_slice(&finish(command)?.stdout)?;
    figures["train_images_per_sec"].as_f64().context("`bench` gave no `train_images_per_sec`")
}

fn train(arguments: &CostsArguments, every_steps: usize) -> anyhow::Result<Training> {
    let root = tempfile::tempdir().context("cannot create a folder to train in")?;
    let limit = format!("data.limit={}", arguments.images);
    let every_steps = format!("checkpoint.every_steps={every_steps}");
    let mut command = Command::new(find(&arguments.binary)?);
    command.args(["train", "--config", &arguments.config, "--backend", &arguments.backend]);
    command.args(["--epochs", "1", "--set", &limit, "--set", &every_steps, "--progress", "none"]);
    command.args(["--run", "run"]).current_dir(root.path());
    let begun = Instant::now();
    finish(command)?;
    let secs = begun.elapsed().as_secs_f64();
    let events = events(&root.path().join("run"))?;
    let of = |name: &str| events.iter().filter(|event| event["event"] == name).collect::<Vec<_>>();
    let [epoch] = of("epoch")[..] else { bail!("the log does not have exactly one epoch") };
    let number = |name: &str| epoch[name].as_f64().with_context(|| format!("no `{name}`"));
    Ok(Training {
        secs,
        checkpoints: of("checkpoint").len(),
        images_per_sec: number("images_per_sec")?,
        epoch_images_per_sec: number("epoch_images_per_sec")?,
        bookkeeping_share: number("bookkeeping_secs")? / number("train_secs")?,
    })
}

/// Sorts the values and returns the median.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    // Of an even number of values, the mean of the middle two.
    f64::midpoint(middle(values.len().saturating_sub(1) / 2), middle(values.len() / 2))
}

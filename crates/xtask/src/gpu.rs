//! `cargo xtask gpu`: the kernels of nin-gpu on this machine's adapter.
//!
//! Parity, every tile for every layer, and `bench` with the kernels and with Burn's matrix products in turn, in one file.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::arguments::GpuArguments;
use crate::costs::median;

/// Whole training steps: the side of the input, the recipe or architecture, and its assignments.
const STEPS: [(&str, &str, &[&str]); 3] =
    [("224", "d2l", &[]), ("96", "d2l", &["data.input_size=96"]), ("28", "quickstart", &[])];

/// The values of `NIN_GPU`.
const WAYS: [&str; 2] = ["kernels", "products"];

/// The peer in another framework.
const PYTORCH: &str = "crates/nin-cli/src/commands/bench/compare/pytorch_nin.py";

/// Measures the wanted parts, writes them into the file, and returns its content.
pub(crate) fn run(arguments: &GpuArguments) -> anyhow::Result<Value> {
    let wanted =
        |part: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| only == part);
    let mut content = match fs::read(&arguments.output) {
        Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| {
            format!("`{}` was not written by `cargo xtask gpu`", arguments.output.display())
        })?,
        Err(_) => json!({}),
    };
    let words = std::env::args().skip(1);
    content["machine"] = arguments.machine.clone().into();
    content["date"] = printed(Command::new("date").args(["--utc", "+%F"]))?.trim().into();
    let mut commands = content["commands"].as_array().cloned().unwrap_or_default();
    commands.push(words.fold("cargo xtask".to_owned(), |line, word| line + " " + &word).into());
    content["commands"] = commands.into();
    content["commit"] =
        printed(Command::new("git").args(["rev-parse", "--short", "HEAD"]))?.trim().into();
    if wanted("parity") {
        content["parity"] = parity()?;
    }
    if wanted("layers") {
        content["layers"] = layers(arguments)?;
    }
    if wanted("dispatches") {
        content["dispatches"] = dispatches(arguments)?;
    }
    if wanted("steps") {
        content["steps"] = steps(arguments)?;
    }
    if wanted("tiles") {
        content["tiles"] = tiles(arguments)?;
    }
    let text = serde_json::to_string_pretty(&content)?;
    fs::write(&arguments.output, text + "\n")
        .with_context(|| format!("cannot write {}", arguments.output.display()))?;
    Ok(content)
}

/// Runs the tests of nin-gpu, which fail without an adapter.
fn parity() -> anyhow::Result<Value> {
    let start = Instant::now();
    let mut test = Command::new("cargo");
    test.args(["test", "--quiet", "--package", "nin-gpu"]).env("NIN_REQUIRE", "vulkan");
    let said = printed(&mut test)?;
    let passed =
        said.lines().filter(|line| line.starts_with("test result: ok")).collect::<Vec<_>>();
    Ok(
        json!({ "command": "cargo test --package nin-gpu", "said": passed, "secs": start.elapsed().as_secs() }),
    )
}

/// A GPU as the cost model sees it.
struct Model {
    name: &'static str,
    /// The peak in fp32 and the memory's bandwidth, of the data sheet.
    tflops: f64,
    gbytes_per_sec: f64,
    /// The share of the peak that matrix products in plain WGSL reach: an assumption from public measurements of others.
    share: f64,
}

const MODELS: [Model; 3] = [
    Model { name: "NVIDIA H200", tflops: 66.9, gbytes_per_sec: 4800.0, share: 0.4 },
    Model { name: "NVIDIA RTX 4060 Laptop", tflops: 11.6, gbytes_per_sec: 256.0, share: 0.4 },
    Model { name: "Intel Iris Xe, 96 units", tflops: 2.1, gbytes_per_sec: 68.0, share: 0.3 },
];

/// The seconds that a dispatch costs, if the host prepares the next ones meanwhile: an assumption.
const DISPATCH_SECS: f64 = 5e-6;

/// Returns what each layer costs, as `bench --layers` counts it, and the images per second that follow for some GPUs.
fn layers(arguments: &GpuArguments) -> anyhow::Result<Value> {
    let mut rows = Vec::new();
    for (_, config, sets) in wanted_steps(arguments) {
        let mut found = bench(arguments, config, sets, &["--layers"], "kernels")?;
        let images = found["batch_size"].as_f64().unwrap_or_default();
        let expected: Value = MODELS
            .iter()
            .map(|gpu| {
                let secs = |pass: &Value| gpu.secs(pass).unwrap_or(f64::NAN);
                let layers = found["layers"].as_array().into_iter().flatten();
                let step: f64 =
                    layers.map(|layer| secs(&layer["forward"]) + secs(&layer["backward"])).sum();
                (gpu.name.to_owned(), json!((images / step).round()))
            })
            .collect();
        found["computed_not_measured_images_per_sec"] = expected;
        rows.push(found);
    }
    Ok(rows.into())
}

/// Returns the training steps whose sizes are wanted.
fn wanted_steps(
    arguments: &GpuArguments,
) -> impl Iterator<Item = (&'static str, &'static str, &'static [&'static str])> {
    STEPS.into_iter().filter(|(side, ..)| {
        arguments.size.is_empty() || arguments.size.iter().any(|size| size == side)
    })
}

impl Model {
    /// Returns the seconds of a layer's pass, which arithmetic or memory bounds.
    fn secs(&self, pass: &Value) -> Option<f64> {
        let arithmetic = pass["executed_flops"].as_f64()? / (self.tflops * 1e12 * self.share);
        let memory = pass["bytes"].as_f64()? / (self.gbytes_per_sec * 1e9);
        Some(arithmetic.max(memory) + pass["dispatches"].as_f64()? * DISPATCH_SECS)
    }
}

/// Times whole steps both ways, in alternating pairs, and PyTorch where a Python with it is given.
fn steps(arguments: &GpuArguments) -> anyhow::Result<Value> {
    let mut rows = Vec::new();
    let count = arguments.steps.to_string();
    for (side, config, sets) in wanted_steps(arguments) {
        let mut pairs = Vec::new();
        let mut ratios = Vec::new();
        for _ in 0..arguments.pairs {
            let [kernels, products] =
                WAYS.map(|way| bench(arguments, config, sets, &["--steps", &count], way));
            let (kernels, products) = (kernels?, products?);
            let rate = |figures: &Value| figures["train_images_per_sec"].as_f64();
            let ratio = rate(&kernels).zip(rate(&products)).map(|(ours, before)| ours / before);
            ratios.push(ratio.context("`bench` gave no rate")?);
            pairs.push(json!({ "kernels": kernels, "products": products }));
        }
        let all = ratios.clone();
        let mut row = json!({
            "config": config,
            "set": sets,
            "pairs": pairs,
            "training_kernels_over_products": { "median": median(&mut ratios), "all": all },
        });
        // The peer's network is the book's.
        if let Some(python) = arguments.python.as_ref().filter(|_| config == "d2l") {
            row["pytorch"] = pytorch(arguments, python, side)?;
        }
        rows.push(row);
    }
    Ok(rows.into())
}

/// Measures the book's network in PyTorch, in fp32 and with its default TF32.
fn pytorch(arguments: &GpuArguments, python: &Path, side: &str) -> anyhow::Result<Value> {
    let measure = |more: &[&str]| -> anyhow::Result<Value> {
        let mut command = Command::new(python);
        command.args([PYTORCH, "--device", "cuda", "--size", side]);
        command.args(["--batch", &arguments.batch.to_string()]);
        command.args(["--steps", &arguments.steps.to_string()]).args(more);
        Ok(serde_json::from_str(&printed(&mut command)?)?)
    };
    Ok(json!({ "d2l_fp32": measure(&["--no-tf32"])?, "d2l_tf32": measure(&[])? }))
}

/// Counts the kernels of a training step both ways, in CubeCL's log. Batches are small, so that the products are not split.
fn dispatches(arguments: &GpuArguments) -> anyhow::Result<Value> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("kernels.log");
    let count = |config: &str, way: &str, more: &[&str]| -> anyhow::Result<f64> {
        let _ = fs::remove_file(&log);
        let mut command = Command::new(&arguments.binary);
        command.args(["bench", "--backend", "wgpu", "--batch-size", "2", "--config", config]);
        command.args(["--format", "json"]).args(more).env("NIN_GPU", way);
        command.env("CUBECL_DEBUG_LOG", &log).env("CUBECL_DEBUG_OPTION", "profile");
        printed(&mut command)?;
        // A line for each kernel: `| DURATION | NAME`.
        let said = fs::read_to_string(&log).context("CubeCL wrote no log")?;
        let starts_with_digit =
            |rest: &str| rest.starts_with(|letter: char| letter.is_ascii_digit());
        let is_kernel = |line: &&str| line.strip_prefix("| ").is_some_and(starts_with_digit);
        Ok(said.lines().filter(is_kernel).count() as f64)
    };
    let per_step = |config: &str, way: &str| -> anyhow::Result<Value> {
        let difference = |more: &[&str]| -> anyhow::Result<f64> {
            let more = |steps| [&["--steps", steps], more].concat();
            Ok((count(config, way, &more("3"))? - count(config, way, &more("1"))?) / 2.0)
        };
        // `bench` takes each step twice, without the data loader and with it, and one of inference.
        let inference = difference(&["--inference"])?;
        let training = (difference(&[])? - inference) / 2.0;
        Ok(json!({ "training": training, "inference": inference }))
    };
    let mut found = json!({});
    for config in ["quickstart", "d2l-fashion-mnist-96"] {
        for way in WAYS {
            found[config][way] = per_step(config, way)?;
        }
    }
    Ok(found)
}

/// Times every tile for every layer.
fn tiles(arguments: &GpuArguments) -> anyhow::Result<Value> {
    let mut bench = Command::new("cargo");
    bench.args(["bench", "--quiet", "--package", "nin-gpu", "--bench", "tiles", "--"]);
    bench.args(["--batch", &arguments.batch.to_string()]);
    bench.args(["--divisor", &arguments.divisor.to_string()]);
    Ok(serde_json::from_str(&printed(&mut bench)?)?)
}

/// Runs `bench` on wgpu and returns its figures.
fn bench(
    arguments: &GpuArguments,
    config: &str,
    sets: &[&str],
    more: &[&str],
    way: &str,
) -> anyhow::Result<Value> {
    let mut command = Command::new(&arguments.binary);
    command.args(["bench", "--backend", "wgpu", "--format", "json", "--config", config]);
    command.args(["--batch-size", &arguments.batch.to_string()]);
    command.args(sets.iter().flat_map(|set| ["--set", set]));
    command.args(more).env("NIN_GPU", way);
    Ok(serde_json::from_str(&printed(&mut command)?)?)
}

/// Runs a program and returns what it printed.
fn printed(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}", said.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

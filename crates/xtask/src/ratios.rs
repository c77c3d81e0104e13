//! `cargo xtask ratios`: measures speed ratios to PyTorch, onnxruntime and OpenVINO with `nin-cli bench`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::arguments::RatiosArguments;
use crate::costs::median;

/// Limits both frameworks to AVX2, so that a CPU with AVX-512 simulates one without.
const ONLY_AVX2: &[(&str, &str)] =
    &[("NIN_CPU", "avx2"), ("ONEDNN_MAX_CPU_ISA", "AVX2"), ("ATEN_CPU_CAPABILITY", "avx2")];

const BF16: &[&str] = &["training.precision=bf16"];
const FP32: &[&str] = &[];

/// One row of the table.
struct Row {
    name: &'static str,
    config: &'static str,
    sets: &'static [&'static str],
    peer: &'static str,
    environment: &'static [(&'static str, &'static str)],
}

const fn row(
    name: &'static str,
    config: &'static str,
    sets: &'static [&'static str],
    peer: &'static str,
) -> Row {
    Row { name, config, sets, peer, environment: &[] }
}

const ROWS: &[Row] = &[
    row("fp32", "d2l", FP32, "pytorch"),
    row("bf16", "d2l", BF16, "pytorch"),
    row("inference-onnxruntime", "d2l", FP32, "onnxruntime"),
    row("inference-openvino", "d2l", FP32, "openvino"),
    Row { environment: ONLY_AVX2, ..row("avx2-simulated", "d2l", FP32, "pytorch") },
    row("d2l-96", "d2l", &["data.input_size=96"], "pytorch"),
    row("paper-cifar10", "paper-cifar10", FP32, "pytorch"),
    row("paper-mnist", "paper-mnist", FP32, "pytorch"),
    row("imagenet", "imagenet", FP32, "pytorch"),
    row("quickstart", "quickstart", FP32, "pytorch"),
];

/// Measures the rows, writes each into the file, and returns the file's content.
pub(crate) fn run(arguments: &RatiosArguments) -> anyhow::Result<Value> {
    let wanted =
        |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| only == name);
    let mut table = Table::open(arguments)?;
    for row in ROWS.iter().filter(|row| wanted(row.name)) {
        for backend in &arguments.backend {
            let found = compare(arguments, row, backend)?;
            table.put(&format!("{} {backend}", row.name), found)?;
        }
    }
    for backend in arguments.backend.iter().filter(|_| wanted("threads")) {
        table.put(&format!("threads {backend}"), threads(arguments, backend)?)?;
    }
    Ok(table.content)
}

/// Measures a row against its peer.
fn compare(arguments: &RatiosArguments, row: &Row, backend: &str) -> anyhow::Result<Value> {
    let (pairs, steps) = (arguments.pairs.to_string(), arguments.steps.to_string());
    let mut words = vec!["bench", "--format", "json", "--config", row.config, "--backend", backend];
    words.extend(["--compare", row.peer, "--pairs", &pairs, "--steps", &steps]);
    words.extend(["--batch-size", "32", "--threads", "2"]);
    words.extend(row.sets.iter().flat_map(|assignment| ["--set", assignment]));
    let mut found = nin_cli(arguments, &words, row.environment)?;
    let environment: Value = row
        .environment
        .iter()
        .map(|&(name, value)| (name.to_owned(), Value::from(value)))
        .collect();
    found["environment"] = environment;
    Ok(found)
}

/// Measures training with two threads relative to one, in pairs.
fn threads(arguments: &RatiosArguments, backend: &str) -> anyhow::Result<Value> {
    let steps = arguments.steps.to_string();
    let mut ratios = Vec::new();
    let mut pairs = Vec::new();
    for _ in 0..arguments.pairs {
        let rate = |threads: &str| {
            let words = ["bench", "--format", "json", "--config", "d2l", "--backend", backend];
            let more = ["--batch-size", "32", "--steps", &steps, "--threads", threads];
            let found = nin_cli(arguments, &[&words[..], &more].concat(), &[])?;
            found["train_images_per_sec"].as_f64().context("`bench` gave no rate")
        };
        let [one, two] = [rate("1")?, rate("2")?];
        ratios.push(two / one);
        pairs.push([one, two]);
    }
    let median = median(&mut ratios);
    Ok(json!({ "train_images_per_sec": pairs, "two_threads_over_one": median, "all": ratios }))
}

/// Runs the program and returns its output.
fn nin_cli(
    arguments: &RatiosArguments,
    words: &[&str],
    environment: &[(&str, &str)],
) -> anyhow::Result<Value> {
    let mut command = match &arguments.through {
        Some(through) => {
            let mut command = Command::new(through);
            command.arg(&arguments.binary);
            command
        }
        None => Command::new(&arguments.binary),
    };
    command.args(words).envs(environment.iter().copied()).env("NIN_PYTHON", &arguments.python);
    let output = command.output().context("cannot run the program")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "nin-cli {}: {}", words.join(" "), said.trim());
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The file with the rows measured so far.
struct Table<'a> {
    path: &'a Path,
    content: Value,
}

impl<'a> Table<'a> {
    fn open(arguments: &'a RatiosArguments) -> anyhow::Result<Self> {
        let path = &arguments.output;
        let content = match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| {
                format!("`{}` was not written by `cargo xtask ratios`", path.display())
            })?,
            Err(_) => json!({
                "command": "cargo xtask ratios",
                "machine": arguments.machine,
                "date": printed("date", &["--utc", "+%F"])?,
                "rows": {},
            }),
        };
        let mut table = Self { path, content };
        // Rows may be measured again later, so each has its own commit.
        table.content["commit"] = printed("git", &["rev-parse", "--short", "HEAD"])?.into();
        Ok(table)
    }

    fn put(&mut self, name: &str, mut row: Value) -> anyhow::Result<()> {
        row["commit"] = self.content["commit"].clone();
        self.content["rows"][name] = row;
        let text = serde_json::to_string_pretty(&self.content)?;
        fs::write(self.path, text + "\n")
            .with_context(|| format!("cannot write {}", self.path.display()))
    }
}

fn printed(program: &str, words: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program)
        .args(words)
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

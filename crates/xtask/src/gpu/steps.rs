//! Whole training steps, by each way to compute them in turn, and in PyTorch.

use std::path::Path;
use std::process::Command;

use anyhow::Context;
use serde_json::{Value, json};

use super::limit::Limit;
use super::session::{Session, push};
use crate::arguments::GpuArguments;
use crate::costs::median;

/// A network on inputs of a size.
pub(super) struct Size {
    side: &'static str,
    /// The recipe or architecture, and its assignments.
    config: &'static str,
    sets: &'static [&'static str],
}

/// Small inputs first: if the time runs out, it is at the largest.
const SIZES: [Size; 3] = [
    Size { side: "28", config: "quickstart", sets: &[] },
    Size { side: "96", config: "d2l", sets: &["data.input_size=96"] },
    Size { side: "224", config: "d2l", sets: &[] },
];

/// The values of `NIN_GPU`: with Winograd's algorithm, without it, and by Burn's matrix products.
const WAYS: [&str; 3] = ["kernels", "direct", "products"];

/// The peer in another framework.
const PYTORCH: &str = "crates/nin-cli/src/commands/bench/compare/pytorch_nin.py";

/// Returns the wanted sizes.
pub(super) fn sizes(arguments: &GpuArguments) -> impl Iterator<Item = &'static Size> {
    SIZES.iter().filter(|size| {
        arguments.size.is_empty() || arguments.size.iter().any(|side| side == size.side)
    })
}

/// Times steps of every size in rounds, each with all ways, and PyTorch where a Python with it is given.
pub(super) fn run(session: &Session, limit: &Limit, rows: &mut Value) -> anyhow::Result<()> {
    let count = session.arguments.steps.to_string();
    for size in sizes(session.arguments) {
        let mut rounds = Vec::new();
        let mut result = Ok(());
        for _ in 0..session.arguments.pairs {
            let more = ["--steps", &count];
            match WAYS.iter().map(|way| bench(session, limit, size, &more, way)).collect() {
                Ok(figures) => rounds.push(figures),
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        if !rounds.is_empty() {
            push(rows, row(size, &rounds)?);
        }
        result?;
    }
    if let Some(python) = &session.arguments.python {
        for size in sizes(session.arguments).filter(|size| size.config == "d2l") {
            let figures = pytorch(session, limit, python, size)?;
            push(rows, figures);
        }
    }
    Ok(())
}

/// Returns the figures of some rounds, and the rates of the kernels relative to those of the other ways.
fn row(size: &Size, rounds: &[Vec<Value>]) -> anyhow::Result<Value> {
    let rates = |way: usize| -> anyhow::Result<Vec<f64>> {
        let rate = |round: &Vec<Value>| round.get(way)?["train_images_per_sec"].as_f64();
        rounds.iter().map(rate).collect::<Option<_>>().context("`bench` gave no rate")
    };
    let over = |way: usize| -> anyhow::Result<Value> {
        let (ours, others) = (rates(0)?, rates(way)?);
        let all: Vec<f64> = ours.iter().zip(&others).map(|(ours, other)| ours / other).collect();
        Ok(json!({ "median": median(&mut all.clone()), "all": all }))
    };
    let named = |round: &Vec<Value>| -> Value {
        WAYS.iter().zip(round).map(|(way, figures)| ((*way).to_owned(), figures.clone())).collect()
    };
    Ok(json!({
        "config": size.config,
        "set": size.sets,
        "rounds": rounds.iter().map(named).collect::<Vec<_>>(),
        "training_kernels_over_direct": over(1)?,
        "training_kernels_over_products": over(2)?,
    }))
}

/// Measures the book's network in PyTorch, in fp32 and with its default TF32.
fn pytorch(session: &Session, limit: &Limit, python: &Path, size: &Size) -> anyhow::Result<Value> {
    let arguments = session.arguments;
    let measure = |more: &[&str]| -> anyhow::Result<Value> {
        let mut command = Command::new(python);
        command.args([PYTORCH, "--device", "cuda", "--size", size.side]);
        command.args(["--batch", &arguments.batch.to_string()]);
        command.args(["--steps", &arguments.steps.to_string()]).args(more);
        Ok(serde_json::from_str(&limit.printed(&mut command)?)?)
    };
    let (fp32, tf32) = (measure(&["--no-tf32"])?, measure(&[])?);
    Ok(
        json!({ "config": size.config, "set": size.sets, "pytorch_fp32": fp32, "pytorch_tf32": tf32 }),
    )
}

/// Runs `bench` on wgpu and returns its figures.
pub(super) fn bench(
    session: &Session,
    limit: &Limit,
    size: &Size,
    more: &[&str],
    way: &str,
) -> anyhow::Result<Value> {
    let mut command = Command::new(&session.programs.nin_cli);
    command.args(["bench", "--backend", "wgpu", "--format", "json", "--config", size.config]);
    command.args(["--batch-size", &session.arguments.batch.to_string()]);
    command.args(size.sets.iter().flat_map(|set| ["--set", set]));
    command.args(more).env("NIN_GPU", way);
    Ok(serde_json::from_str(&limit.printed(&mut command)?)?)
}

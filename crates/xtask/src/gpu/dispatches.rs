//! The kernels that a training step launches.

use std::fs;
use std::process::Command;

use anyhow::Context;
use serde_json::{Value, json};

use super::limit::Limit;
use super::session::Session;

/// Counts the kernels of a training step and of one of inference, in CubeCL's log. Batches are small, so that the products are
/// not split.
pub(super) fn run(session: &Session, limit: &Limit, found: &mut Value) -> anyhow::Result<()> {
    for config in ["quickstart", "d2l-fashion-mnist-96"] {
        for way in ["kernels", "products"] {
            found[config][way] = per_step(session, limit, config, way)?;
        }
    }
    Ok(())
}

fn per_step(session: &Session, limit: &Limit, config: &str, way: &str) -> anyhow::Result<Value> {
    let difference = |more: &[&str]| -> anyhow::Result<f64> {
        let more = |steps| [&["--steps", steps], more].concat();
        let count = |steps| count(session, limit, config, way, &more(steps));
        Ok((count("3")? - count("1")?) / 2.0)
    };
    // `bench` takes each step twice, without the data loader and with it, and one of inference.
    let inference = difference(&["--inference"])?;
    let training = (difference(&[])? - inference) / 2.0;
    Ok(json!({ "training": training, "inference": inference }))
}

/// Returns the number of kernels that `bench` launches.
fn count(
    session: &Session,
    limit: &Limit,
    config: &str,
    way: &str,
    more: &[&str],
) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("kernels.log");
    let mut command = Command::new(&session.programs.nin_cli);
    command.args(["bench", "--backend", "wgpu", "--batch-size", "2", "--config", config]);
    command.args(["--format", "json"]).args(more).env("NIN_GPU", way);
    command.env("CUBECL_DEBUG_LOG", &log).env("CUBECL_DEBUG_OPTION", "profile");
    limit.printed(&mut command)?;
    // A line for each kernel: `| DURATION | NAME`.
    let said = fs::read_to_string(&log).context("CubeCL wrote no log")?;
    let starts_with_digit = |rest: &str| rest.starts_with(|letter: char| letter.is_ascii_digit());
    let is_kernel = |line: &&str| line.strip_prefix("| ").is_some_and(starts_with_digit);
    Ok(said.lines().filter(is_kernel).count() as f64)
}

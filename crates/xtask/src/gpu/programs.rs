//! The programs that `cargo xtask gpu` runs, built before its time begins.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::arguments::GpuArguments;

/// The programs by themselves, because a `cargo` that is ended leaves its own child running.
pub(super) struct Programs {
    pub(super) nin_cli: PathBuf,
    pub(super) tests: PathBuf,
    pub(super) tiles: PathBuf,
}

impl Programs {
    pub(super) fn build(arguments: &GpuArguments) -> anyhow::Result<Self> {
        let profile = &arguments.profile;
        let nin_cli = match &arguments.binary {
            Some(binary) => binary.clone(),
            None => built(&["build", "--package", "nin-cli", "--bin", "nin-cli"], profile)?,
        };
        Ok(Self {
            nin_cli,
            tests: built(
                &["test", "--no-run", "--package", "nin-gpu", "--test", "suite"],
                profile,
            )?,
            tiles: built(
                &["bench", "--no-run", "--package", "nin-gpu", "--bench", "tiles"],
                profile,
            )?,
        })
    }
}

/// Builds a program and returns its path.
fn built(words: &[&str], profile: &str) -> anyhow::Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.args(words).args(["--profile", profile, "--message-format", "json-render-diagnostics"]);
    let output = cargo.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
    ensure!(output.status.success(), "{cargo:?} failed");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let messages = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let paths = messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    paths.last().with_context(|| format!("{cargo:?} built no program"))
}

//! The programs that `cargo xtask gpu` runs, built before its time begins.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::arguments::GpuArguments;

/// The programs by themselves, because a `cargo` that is ended leaves its own child running.
pub(super) struct Programs {
    pub(super) nin_cli: PathBuf,
    /// The tests of nin-gpu, if they are wanted.
    pub(super) tests: PathBuf,
    /// Its bench, if it is wanted.
    pub(super) tiles: PathBuf,
}

impl Programs {
    /// Builds what the wanted parts need.
    pub(super) fn build(arguments: &GpuArguments) -> anyhow::Result<Self> {
        let for_part = |part: &str, words: &[&str]| {
            if arguments.wants(part) {
                built(words, &arguments.profile)
            } else {
                Ok(PathBuf::new())
            }
        };
        let nin_cli = match &arguments.binary {
            Some(binary) => binary.clone(),
            None => built(&["build", "--package", "nin-cli"], &arguments.profile)?,
        };
        let of_gpu = ["--no-run", "--package", "nin-gpu"];
        Ok(Self {
            nin_cli,
            tests: for_part("parity", &[&["test", "--test", "suite"][..], &of_gpu].concat())?,
            tiles: for_part("tiles", &[&["bench", "--bench", "tiles"][..], &of_gpu].concat())?,
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
    let messages = said.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut paths =
        messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    paths.next().with_context(|| format!("{cargo:?} built no program"))
}

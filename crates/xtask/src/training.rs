//! The program under test, in a folder of its own.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::arguments::SubjectArguments;
use crate::shapes;

/// The exit code of a training that was asked to end and saved its state.
pub(crate) const INTERRUPTED: i32 = 130;

/// The program under test, and a folder with data, a recipe and runs.
#[derive(Debug)]
pub(crate) struct Subject {
    root: tempfile::TempDir,
    binary: PathBuf,
    backend: String,
    /// The recipe.
    config: &'static str,
}

impl Subject {
    /// Creates the folder and writes data and a recipe.
    pub(crate) fn new(arguments: &SubjectArguments) -> anyhow::Result<Self> {
        let binary = find(&arguments.binary)?;
        let root = tempfile::tempdir().context("cannot create a folder to train in")?;
        shapes::write(root.path())?;
        Ok(Self { root, binary, backend: arguments.backend.clone(), config: "small.toml" })
    }

    /// Creates the folder for trainings on a folder of pictures.
    pub(crate) fn on_pictures(
        arguments: &SubjectArguments,
        pictures: &Path,
    ) -> anyhow::Result<Self> {
        let binary = find(&arguments.binary)?;
        let root = tempfile::tempdir().context("cannot create a folder to train in")?;
        let pictures = fs::canonicalize(pictures)
            .with_context(|| format!("no folder `{}`", pictures.display()))?;
        std::os::unix::fs::symlink(pictures, root.path().join("data"))?;
        Ok(Self { root, binary, backend: arguments.backend.clone(), config: "pictures" })
    }

    /// Deletes the cache of decoded pictures, if there is one.
    pub(crate) fn delete_cache(&self) -> anyhow::Result<()> {
        match fs::remove_dir_all(self.root.path().join("cache")) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Returns the folder of a run.
    pub(crate) fn run_folder(&self, run: &str) -> PathBuf {
        self.root.path().join(run)
    }

    /// Returns a command that runs the program in this folder, on the backend.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.current_dir(self.root.path()).args(arguments).args(["--backend", &self.backend]);
        command.env("XDG_CACHE_HOME", self.root.path().join("cache"));
        command
    }

    /// Returns the command that starts or resumes a run.
    pub(crate) fn train(&self, run: &str, more: &[&str]) -> Command {
        let is_run = self.run_folder(run).join("recipe.toml").is_file();
        let begin: &[&str] = if is_run { &["--resume"] } else { &["--config", self.config] };
        let common = ["train", "--data", "data", "--run", run, "--progress", "json"];
        self.command(&[&common[..], begin, more].concat())
    }

    /// Evaluates a run with `eval`, which must succeed.
    pub(crate) fn evaluate(&self, run: &str) -> anyhow::Result<Value> {
        let arguments = ["eval", "--checkpoint", run, "--data", "data", "--format", "json"];
        let output = self.command(&arguments).output().context("cannot run the program")?;
        ensure!(output.status.success(), "eval: {}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Returns the SHA-256 of a run's latest weights.
    pub(crate) fn weights(&self, run: &str) -> anyhow::Result<String> {
        sha256(&self.run_folder(run).join("checkpoints/latest/model.safetensors"))
    }

    /// Returns the steps and epochs in a run's log, without the values that depend on the clock.
    pub(crate) fn figures(&self, run: &str) -> anyhow::Result<Vec<Value>> {
        const CLOCK: [&str; 6] = [
            "images_per_sec",
            "epoch_images_per_sec",
            "secs_left",
            "train_secs",
            "bookkeeping_secs",
            "test_secs",
        ];
        let mut figures = Vec::new();
        for mut event in events(&self.run_folder(run))? {
            if ["step", "epoch", "alarm", "restart", "tested"]
                .iter()
                .any(|name| event["event"] == *name)
            {
                if let Some(event) = event.as_object_mut() {
                    event.retain(|key, _| !CLOCK.contains(&key.as_str()));
                }
                figures.push(event);
            }
        }
        Ok(figures)
    }

    /// Returns the step of a run's latest checkpoint; 0 if there is none.
    pub(crate) fn latest_steps(&self, run: &str) -> anyhow::Result<u64> {
        let path = self.run_folder(run).join("checkpoints/latest/state.json");
        if !self.run_folder(run).join("checkpoints/latest").exists() {
            return Ok(0);
        }
        let state: Value = serde_json::from_slice(&fs::read(path)?)?;
        state["total_steps"].as_u64().context("the state has no number of steps")
    }
}

/// Returns everything that a run logged, oldest first.
pub(crate) fn events(run: &Path) -> anyhow::Result<Vec<Value>> {
    let path = run.join("metrics.jsonl");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let event = |line: &str| {
        serde_json::from_str(line).with_context(|| format!("{}: {line}", path.display()))
    };
    text.lines().map(event).collect()
}

/// Returns the absolute path of the program under test.
pub(crate) fn find(binary: &Path) -> anyhow::Result<PathBuf> {
    fs::canonicalize(binary).with_context(|| {
        format!(
            "no program at `{}`: build it with cargo build --release, or name another one with --binary",
            binary.display()
        )
    })
}

/// Returns the SHA-256 of a file.
pub(crate) fn sha256(path: &Path) -> anyhow::Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(format!("{:x}", Sha256::digest(bytes)))
}

/// Runs a command that must succeed.
pub(crate) fn finish(mut command: Command) -> anyhow::Result<Output> {
    let output = command.output().context("cannot run the program")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(output)
}

/// How an interrupted training ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// The step of the last checkpoint that it announced.
    pub(crate) announced: u64,
    pub(crate) stderr: String,
}

/// Trains, and sends a signal after some time.
pub(crate) fn cut(mut command: Command, signal: &str, after: Duration) -> anyhow::Result<Ended> {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let reader = listen(&mut child)?;
    thread::sleep(after);
    if child.try_wait()?.is_none() {
        // It may have ended in the meantime.
        let _ = send(&child, signal)?;
    }
    let status = child.wait()?;
    let Ok((announced, stderr)) = reader.join() else { bail!("the reader of stderr panicked") };
    Ok(Ended { status, announced, stderr })
}

/// Trains to the end and calls `on_event` for each event. Returns the status and all of stderr.
pub(crate) fn watch(
    mut command: Command,
    mut on_event: impl FnMut(&Child, &Value) -> anyhow::Result<()>,
) -> anyhow::Result<(ExitStatus, String)> {
    command.args(["--progress", "json"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot run the program")?;
    let said = BufReader::new(child.stderr.take().context("no stderr")?);
    let mut text = String::new();
    for line in said.lines() {
        let line = line?;
        on_event(&child, &serde_json::from_str(&line).unwrap_or_default())?;
        text += &line;
        text.push('\n');
    }
    Ok((child.wait()?, text))
}

/// Sends a signal such as `-TERM`. Returns whether the process still existed.
pub(crate) fn send(child: &Child, signal: &str) -> anyhow::Result<bool> {
    Ok(Command::new("kill").args([signal, &child.id().to_string()]).status()?.success())
}

/// Reads stderr while the program runs.
fn listen(child: &mut Child) -> anyhow::Result<JoinHandle<(u64, String)>> {
    let stderr = child.stderr.take().context("no stderr")?;
    Ok(thread::spawn(move || {
        let (mut announced, mut text) = (0, String::new());
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            if event["event"] == "checkpoint" {
                announced = event["total_steps"].as_u64().unwrap_or(announced);
            }
            text += &line;
            text.push('\n');
        }
        (announced, text)
    }))
}

/// Counts the temporary files that were not cleaned up.
pub(crate) fn leftovers(folder: &Path) -> anyhow::Result<usize> {
    let mut count = 0;
    for folder in [folder.to_owned(), folder.join("checkpoints")] {
        for entry in fs::read_dir(folder)? {
            count += usize::from(entry?.file_name().to_string_lossy().starts_with(".unfinished-"));
        }
    }
    Ok(count)
}

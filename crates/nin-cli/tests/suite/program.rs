//! Runs `nin-cli`, and writes the data that it reads.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// A benchmark of one step.
pub(crate) const BENCH: [&str; 11] = [
    "bench",
    "--config",
    "quickstart",
    "--backend",
    "flex",
    "--steps",
    "1",
    "--batch-size",
    "4",
    "--format",
    "json",
];

/// The output of a command.
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the program in a folder, isolated from the user's cache, data folder and colours.
pub(crate) fn nin(folder: &Path, arguments: &[&str]) -> Finished {
    finish(command(folder, arguments))
}

/// Runs a command to its end.
pub(crate) fn finish(mut command: Command) -> Finished {
    let Output { status, stdout, stderr } = command.output().unwrap();
    Finished {
        code: status.code(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

/// Sends a signal, such as `-TERM`, to a process.
pub(crate) fn kill(signal: &str, process: u32) {
    assert!(Command::new("kill").args([signal, &process.to_string()]).status().unwrap().success());
}

/// Returns the isolated command.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nin-cli"));
    command.args(arguments);
    isolate(&mut command, folder);
    command
}

/// Runs a command in this folder, isolated from the user's environment except `NIN_CPU`: the tests hold for any
/// instruction set, and `NIN_CPU=portable cargo test` shows it.
pub(crate) fn isolate(command: &mut Command, folder: &Path) {
    command.current_dir(folder).env_remove("NIN_DATA").env("XDG_CACHE_HOME", folder.join("cache"));
}

impl Finished {
    /// Returns itself, and panics if the program failed.
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// Returns stdout as JSON.
    pub(crate) fn json(self) -> Value {
        let finished = self.ok();
        serde_json::from_str(&finished.stdout).unwrap_or_else(|error| {
            panic!("{error}: {}", finished.stdout);
        })
    }
}

/// Returns the events of a run's log.
pub(crate) fn metrics(run: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Writes a data set of squares, bars and crosses: three classes, `side` x `side`.
pub(crate) fn write_shapes(folder: &Path, side: usize, train: usize, test: usize) {
    for (split, count) in [("train", train), ("t10k", test)] {
        let mut images = vec![0, 0, 8, 3];
        for size in [count, side, side] {
            images.extend((size as u32).to_be_bytes());
        }
        let mut labels = vec![0, 0, 8, 1];
        labels.extend((count as u32).to_be_bytes());
        for at in 0..count {
            let class = at % 3;
            images.extend(shape(class, side, at / 3));
            labels.push(class as u8);
        }
        std::fs::write(folder.join(format!("{split}-images-idx3-ubyte")), images).unwrap();
        std::fs::write(folder.join(format!("{split}-labels-idx1-ubyte")), labels).unwrap();
    }
}

fn shape(class: usize, side: usize, variant: usize) -> Vec<u8> {
    let grey = 120 + (variant * 37 % 120) as u8;
    let shift = variant % 4;
    let inside = |at: usize| (side / 4 + shift..side * 3 / 4 + shift).contains(&at);
    let middle = |at: usize| (side / 2 + shift - 1..side / 2 + shift + 2).contains(&at);
    (0..side * side)
        .map(|at| {
            let (row, column) = (at / side, at % side);
            let is_set = match class {
                0 => inside(row) && inside(column),
                1 => middle(row),
                _ => middle(row) != middle(column),
            };
            if is_set { grey } else { 0 }
        })
        .collect()
}

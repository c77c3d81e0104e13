//! What may be planted in place of a file, and what must not change.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use nin_data::sha256;

use crate::program::{Finished, finish, isolate};

/// A replacement of a file or a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Planted {
    SymbolicLink,
    HardLink,
    DanglingLink,
    Pipe,
    Folder,
    /// The first, the middle or the last bit of a file is flipped.
    FlippedBit(usize),
}

use Planted::{DanglingLink, FlippedBit, Folder, HardLink, Pipe, SymbolicLink};

/// All replacements.
pub(crate) const ALL: [Planted; 8] = [
    SymbolicLink,
    HardLink,
    DanglingLink,
    Pipe,
    Folder,
    FlippedBit(0),
    FlippedBit(1),
    FlippedBit(2),
];

impl Planted {
    /// Replaces `path`, and moves the original to `outside` under its own name.
    /// Returns `false` if that is impossible, such as a flipped bit of a folder.
    pub(crate) fn plant(self, path: &Path, outside: &Path) -> bool {
        let there = outside.join(path.file_name().unwrap());
        let found = path.symlink_metadata().unwrap();
        match self {
            FlippedBit(_) if !found.is_file() => return false,
            HardLink if found.is_dir() => return false,
            FlippedBit(place) => {
                let mut bytes = fs::read(path).unwrap();
                let at = place * (bytes.len() - 1) / 2;
                bytes[at] ^= if place == 0 { 1 } else { 2 };
                fs::write(path, bytes).unwrap();
                return true;
            }
            _ => fs::rename(path, &there).unwrap(),
        }
        match self {
            SymbolicLink => symlink(&there, path).unwrap(),
            HardLink => fs::hard_link(&there, path).unwrap(),
            DanglingLink => symlink(outside.join("nothing"), path).unwrap(),
            Folder => fs::create_dir(path).unwrap(),
            _ => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        }
        true
    }
}

/// Lists every path below a folder, with a file's SHA-256 or a link's target.
pub(crate) fn contents(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let kind = path.symlink_metadata().unwrap().file_type();
            let content = if kind.is_symlink() {
                format!("-> {}", fs::read_link(&path).unwrap().display())
            } else if kind.is_dir() {
                folders.push(path.clone());
                "a folder".to_owned()
            } else if kind.is_file() {
                sha256(&fs::read(&path).unwrap())
            } else {
                "a pipe".to_owned()
            };
            found.insert(path, content);
        }
    }
    found
}

/// Runs the program in a folder. Waiting for the other end of a pipe times out after 30 seconds, with 124.
pub(super) fn nin(folder: &Path, arguments: &[&str]) -> Finished {
    let mut command = Command::new("timeout");
    command.args(["30", env!("CARGO_BIN_EXE_nin-cli")]).args(arguments);
    isolate(&mut command, folder);
    finish(command)
}

/// Returns what is wrong with the output: it must be success, or one error with a hint.
pub(crate) fn flaw(finished: &Finished) -> Option<String> {
    let Finished { code, stderr, .. } = finished;
    let lines = |start: &str| stderr.lines().filter(|line| line.starts_with(start)).count();
    let is_refused = (*code, lines("error: "), lines("hint: ")) == (Some(1), 1, 1);
    let is_answer = *code == Some(0) || is_refused;
    (!is_answer || stderr.contains("panicked")).then(|| format!("ended with {code:?}: {stderr}"))
}

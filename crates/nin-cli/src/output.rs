//! Output: stdout is data, as text or JSON; stderr is for people.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::ValueEnum;
use nin_data::own_files::NotOwn;
use nin_train::one_line;
use serde::Serialize;

use crate::error::CommandError;
use crate::ranks::is_root;
use crate::stderr::write_line;
use crate::terminal::{printable, printable_json, printable_lines};

/// The output format of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Human-readable text.
    Text,
    /// One JSON object.
    Json,
}

/// Prints text and a line break. The caller escapes names with [`printable`] first: here, a name with a line
/// break is two lines.
pub fn print_text(text: &str) -> anyhow::Result<()> {
    print_line(&printable_lines(text))
}

/// Prints one JSON object on one line.
pub fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print_line(&printable_json(&serde_json::to_string(value)?))
}

fn print_line(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).context("cannot write to stdout")
}

/// Writes a line to stderr, escaped. Of several processes, one does so.
pub fn note(line: impl std::fmt::Display) {
    if is_root() {
        write_line(&printable(&line.to_string()));
    }
}

/// Writes a file that the user asked for, atomically. Creates its folder.
pub fn save(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create_folder(folder)?;
    }
    // The folder of a bare name is the current directory.
    nin_train::files::write_file(&Path::new(".").join(path), bytes).map_err(|error| {
        // The file need not belong to a run, so the hint names no flag.
        CommandError::new(one_line(&error), error.hint()).into()
    })
}

/// Notes that a file is replaced. The user named it, perhaps without knowing that it exists.
pub fn note_replaced(path: &Path) {
    if path.exists() {
        note(format!("replacing `{}`", path.display()));
    }
}

/// Creates a folder that the user asked for, with its parents.
pub fn create_folder(path: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(path).map_err(|error| unwritable("create the folder", path, &error))
}

/// Creates a folder within one that the user asked for. Refuses a link in its place, which would lead elsewhere.
pub fn create_folder_within(folder: &Path, name: impl AsRef<Path>) -> anyhow::Result<PathBuf> {
    create_folder(folder)?;
    let path = folder.join(name);
    nin_data::own_files::create_own_folder(&path).map_err(|error| match NotOwn::of(&error) {
        Some(found) => {
            let message =
                format!("cannot create the folder `{}`: {found} is in its place", path.display());
            CommandError::new(message, "remove it, or choose another folder").into()
        }
        None => unwritable("create the folder", &path, &error),
    })?;
    Ok(path)
}

/// Returns the error that something cannot be written where the user asked for it.
pub fn unwritable(action: &str, path: &Path, error: &io::Error) -> anyhow::Error {
    let message = format!("cannot {action} `{}`: {error}", path.display());
    CommandError::new(message, "name a folder that you may write to").into()
}

//! stdout is data, as text or as JSON; stderr is for people.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::ValueEnum;
use nin_data::NotOwn;
use nin_train::one_line;
use serde::Serialize;

use crate::error::CommandError;
use crate::terminal::{printable, printable_json, printable_lines};

/// The form of what a command prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object, for programs.
    Json,
}

/// Prints text, with a line's end behind it. Names in it are escaped by [`printable`] before: a name
/// with a line's end is two lines here.
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

/// Writes a line to stderr, whatever names are in it. A closed stderr ends nothing.
pub fn note(line: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{}", printable(&line.to_string()));
}

/// Writes a file that was asked for, a whole one or none; makes the folders that it lies in.
pub fn save(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create_folder(folder)?;
    }
    // The folder of a bare name is the current one.
    nin_train::write_file(&Path::new(".").join(path), bytes).map_err(|error| {
        // It need not be a run's: the hint names no flag.
        CommandError::new(one_line(&error), error.hint()).into()
    })
}

/// Says that a file is replaced: its name was given, but perhaps without a thought of the file.
pub fn note_replaced(path: &Path) {
    if path.exists() {
        note(format!("replaces `{}`", path.display()));
    }
}

/// Makes a folder that was asked for, and those that it lies in, where they are not there.
pub fn create_folder(path: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(path).map_err(|error| unwritable("create the folder", path, &error))
}

/// Makes a folder inside one that was asked for. A link in its place is refused: what leads out of that
/// folder was not asked for.
pub fn create_folder_within(folder: &Path, name: impl AsRef<Path>) -> anyhow::Result<PathBuf> {
    create_folder(folder)?;
    let path = folder.join(name);
    nin_data::create_own_folder(&path).map_err(|error| match NotOwn::of(&error) {
        Some(found) => {
            let message =
                format!("cannot create the folder `{}`: {found} is there", path.display());
            CommandError::new(message, "remove it, or name another folder").into()
        }
        None => unwritable("create the folder", &path, &error),
    })?;
    Ok(path)
}

/// That something cannot be written where it was asked for.
pub fn unwritable(action: &str, path: &Path, error: &io::Error) -> anyhow::Error {
    let message = format!("cannot {action} `{}`: {error}", path.display());
    CommandError::new(message, "name a folder that you may write to").into()
}

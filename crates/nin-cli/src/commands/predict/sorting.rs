//! `--sort-into`: copies each picture into a folder of its class.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use nin_prediction::UNKNOWN;

use crate::error::CommandError;
use crate::output::{create_folder_within, unwritable};
use crate::pictures::Source;

/// The longest folder name of a class, in characters.
const LONGEST_NAME: usize = 60;

/// The folders of the classes.
pub(super) struct Sorting {
    root: PathBuf,
    /// The folder name of each class.
    folders: Vec<String>,
}

impl Sorting {
    pub(super) fn new(folder: &Path, classes: &[String]) -> Self {
        // A class of that name must not share the folder of answers below the threshold.
        let mut names = HashSet::from([UNKNOWN.to_owned()]);
        let folders = classes.iter().map(|class| distinct(class, &mut names));
        Self { root: folder.to_owned(), folders: folders.collect() }
    }

    /// Copies the picture under its own name, numbered if the name is taken. `bytes` is the content of a picture
    /// without a file.
    pub(super) fn copy(
        &self,
        source: &Source,
        bytes: Option<&[u8]>,
        class: Option<usize>,
    ) -> anyhow::Result<()> {
        let folder = class.map_or(UNKNOWN, |class| &self.folders[class]);
        let folder = &create_folder_within(&self.root, folder)?;
        let read;
        let bytes = if let Some(bytes) = bytes {
            bytes
        } else {
            read = source.read().map_err(|error| {
                let message = format!("cannot copy `{}`: {error}", source.name());
                CommandError::new(message, error.hint())
            })?;
            &read
        };
        let name = match source {
            Source::File(path) | Source::Pipe(path) => {
                path.file_name().unwrap_or("picture".as_ref())
            }
            Source::Stdin => "stdin".as_ref(),
        };
        for number in 1_u64.. {
            let path = numbered(&folder.join(name), number);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(unwritable("write", &path, &error)),
                Ok(mut file) => {
                    return file.write_all(bytes).map_err(|error| {
                        let _ = fs::remove_file(&path);
                        unwritable("write", &path, &error)
                    });
                }
            }
        }
        Ok(())
    }
}

/// Yields `shirt.png`, `shirt-2.png`, `shirt-3.png` and so on.
fn numbered(path: &Path, number: u64) -> PathBuf {
    if number == 1 {
        return path.to_owned();
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{number}"));
    if let Some(ending) = path.extension() {
        name.push(".");
        name.push(ending);
    }
    path.with_file_name(name)
}

/// Returns a folder name that no other class has, even on a file system that ignores case.
fn distinct(class: &str, names: &mut HashSet<String>) -> String {
    let plain = safe(class);
    let mut name = plain.clone();
    let mut number = 2;
    while !names.insert(name.to_lowercase()) {
        name = format!("{plain}-{number}");
        number += 1;
    }
    name
}

/// Makes a class name a valid path component on any system.
fn safe(class: &str) -> String {
    let safe = |letter: char| {
        if letter.is_control() || "/\\:*?\"<>|".contains(letter) { '_' } else { letter }
    };
    let name: String = class.chars().map(safe).take(LONGEST_NAME).collect();
    let name = name.trim().trim_end_matches('.');
    match name.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None if name.is_empty() => "_".to_owned(),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_its_own_subfolder() {
        let mut names = HashSet::new();
        let classes =
            ["T-shirt/top", "..", "", "T-shirt_top", "t-shirt:TOP", "caf\u{e9} \u{1b}[2J"];
        let folders = classes.map(|class| distinct(class, &mut names));
        assert_eq!(
            folders,
            ["T-shirt_top", "_", "_-2", "T-shirt_top-2", "t-shirt_TOP-3", "caf\u{e9} _[2J"]
        );
    }

    #[test]
    fn an_existing_picture_is_not_overwritten() {
        let root = tempfile::tempdir().unwrap();
        let sorting = Sorting::new(root.path(), &["cat".to_owned()]);
        let source = Source::File("elsewhere/tom.jpg".into());
        for bytes in [b"1", b"2"] {
            sorting.copy(&source, Some(bytes), Some(0)).unwrap();
        }
        sorting.copy(&source, Some(b"3"), None).unwrap();
        let read = |name: &str| fs::read(root.path().join(name)).unwrap();
        assert_eq!(read("cat/tom.jpg"), b"1");
        assert_eq!(read("cat/tom-2.jpg"), b"2");
        assert_eq!(read("unknown/tom.jpg"), b"3");
    }

    #[test]
    fn a_class_named_unknown_has_its_own_folder() {
        let root = tempfile::tempdir().unwrap();
        let sorting = Sorting::new(root.path(), &["Unknown".to_owned()]);
        let source = Source::File("tom.jpg".into());
        sorting.copy(&source, Some(b"1"), Some(0)).unwrap();
        sorting.copy(&source, Some(b"2"), None).unwrap();
        let read = |name: &str| fs::read(root.path().join(name)).unwrap();
        assert_eq!(read("Unknown-2/tom.jpg"), b"1");
        assert_eq!(read("unknown/tom.jpg"), b"2");
    }
}

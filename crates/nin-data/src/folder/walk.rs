//! Every picture file below a folder, and what was passed over.

use std::collections::HashSet;
use std::fs::{self, DirEntry, Metadata};
use std::path::{Path, PathBuf};

use crate::DataError;

/// The file name endings that are taken for pictures; what a file holds, its first bytes say.
const PICTURES: [&str; 9] = ["png", "jpg", "jpeg", "jfif", "webp", "gif", "bmp", "tif", "tiff"];
/// Pictures of phones that no decoder here reads.
const TO_CONVERT: [&str; 4] = ["heic", "heif", "avif", "hif"];
/// What operating systems leave in folders.
const SYSTEM_NAMES: [&str; 3] = ["Thumbs.db", "desktop.ini", "__MACOSX"];

/// Counts of what lies in a folder and is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SkippedFiles {
    /// Hidden files and folders, and those that operating systems leave behind.
    pub hidden: usize,
    /// HEIC and AVIF pictures, which have to be converted to JPEG or PNG first.
    pub to_convert: usize,
    /// Files of other types.
    pub other_types: usize,
    /// Pipes, devices and links that lead nowhere.
    pub not_files: usize,
    /// Pictures that lie in no class's folder, or in no row of the table.
    pub unlabelled: usize,
}

impl SkippedFiles {
    /// Everything that was passed over.
    pub fn total(&self) -> usize {
        let Self { hidden, to_convert, other_types, not_files, unlabelled } = self;
        hidden + to_convert + other_types + not_files + unlabelled
    }

    /// A sentence for each kind that was found.
    pub fn describe(&self) -> Vec<String> {
        [
            (self.hidden, "hidden or left by the system"),
            (self.to_convert, "HEIC or AVIF: convert them to JPEG or PNG to use them"),
            (self.other_types, "of other types"),
            (self.not_files, "no files (pipes, devices, broken links)"),
            (self.unlabelled, "without a class: neither in a class's folder nor in a table"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} skipped, {what}"))
        .collect()
    }
}

/// The pictures below a folder, as paths relative to it with `/` between their parts, in byte order.
///
/// Links to folders are followed, each folder once: a loop ends. Nothing but regular files is listed.
pub(super) fn walk(root: &Path) -> Result<(Vec<String>, SkippedFiles), DataError> {
    let mut walk = Walk::default();
    walk.enter(root.to_owned(), String::new(), &fs::metadata(root).map_err(read(root))?);
    // Links last: a folder is listed under its own name where it has one below the root.
    while let Some((folder, prefix)) = walk.folders.pop().or_else(|| walk.next_link()) {
        for entry in fs::read_dir(&folder).map_err(read(&folder))? {
            walk.visit(&entry.map_err(read(&folder))?, &prefix)?;
        }
    }
    walk.found.sort_unstable();
    Ok((walk.found, walk.skipped))
}

fn read(path: &Path) -> impl FnOnce(std::io::Error) -> DataError {
    |source| DataError::Read { path: path.to_owned(), source }
}

#[derive(Default)]
struct Walk {
    found: Vec<String>,
    skipped: SkippedFiles,
    /// Folders to list, with what stands before the names of their files.
    folders: Vec<(PathBuf, String)>,
    links: Vec<(PathBuf, String)>,
    visited: HashSet<(u64, u64)>,
}

impl Walk {
    fn enter(&mut self, folder: PathBuf, prefix: String, metadata: &Metadata) {
        if self.visited.insert(identity(metadata)) {
            self.folders.push((folder, prefix));
        }
    }

    fn next_link(&mut self) -> Option<(PathBuf, String)> {
        self.links.sort_unstable_by(|one, other| other.cmp(one));
        while let Some((folder, prefix)) = self.links.pop() {
            if fs::metadata(&folder).is_ok_and(|found| self.visited.insert(identity(&found))) {
                return Some((folder, prefix));
            }
        }
        None
    }

    fn visit(&mut self, entry: &DirEntry, prefix: &str) -> Result<(), DataError> {
        let path = entry.path();
        let name = entry.file_name();
        let Some(name) = name.to_str() else { return Err(DataError::NotUnicode { path }) };
        if name.starts_with('.') || SYSTEM_NAMES.contains(&name) {
            self.skipped.hidden += 1;
            return Ok(());
        }
        let is_link = entry.file_type().map_err(read(&path))?.is_symlink();
        let Ok(metadata) = fs::metadata(&path) else {
            self.skipped.not_files += 1;
            return Ok(());
        };
        let relative = format!("{prefix}{name}");
        if metadata.is_dir() {
            let prefix = format!("{relative}/");
            if is_link {
                self.links.push((path, prefix));
            } else {
                self.enter(path, prefix, &metadata);
            }
        } else if !metadata.is_file() {
            self.skipped.not_files += 1;
        } else {
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            let is_one_of =
                |endings: &[&str]| endings.iter().any(|known| known.eq_ignore_ascii_case(ending));
            if is_one_of(&PICTURES) {
                self.found.push(relative);
            } else if is_one_of(&TO_CONVERT) {
                self.skipped.to_convert += 1;
            } else {
                self.skipped.other_types += 1;
            }
        }
        Ok(())
    }
}

/// What a folder is, whatever path leads to it.
fn identity(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn touch(root: &Path, names: &[&str]) {
        for name in names {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
    }

    #[test]
    fn pictures_are_listed_in_byte_order_and_everything_else_is_counted() {
        let root = tempfile::tempdir().unwrap();
        let names = ["b/1.JPG", "a/deep/2.png", "B/3.webp", "a/notes.txt", "a/4.heic"];
        touch(root.path(), &names);
        touch(root.path(), &["a/._1.jpg", ".git/5.png", "__MACOSX/a/6.png", "a/Thumbs.db"]);
        symlink("/nowhere", root.path().join("a/7.png")).unwrap();
        let (found, skipped) = walk(root.path()).unwrap();
        assert_eq!(found, ["B/3.webp", "a/deep/2.png", "b/1.JPG"]);
        let expected =
            SkippedFiles { hidden: 4, to_convert: 1, other_types: 1, not_files: 1, unlabelled: 0 };
        assert_eq!((skipped, skipped.total()), (expected, 7));
    }

    #[test]
    fn a_linked_folder_is_listed_once_and_loops_end() {
        let root = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        touch(elsewhere.path(), &["1.png"]);
        touch(root.path(), &["a/2.png"]);
        symlink(elsewhere.path(), root.path().join("b")).unwrap();
        symlink(elsewhere.path(), root.path().join("c")).unwrap();
        symlink(root.path(), root.path().join("a/loop")).unwrap();
        symlink(root.path().join("a"), root.path().join("0")).unwrap();
        let (found, _) = walk(root.path()).unwrap();
        assert_eq!(found, ["a/2.png", "b/1.png"]);
    }
}

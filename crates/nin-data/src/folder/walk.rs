//! Finds the picture files under a folder and counts all other files.

use std::collections::HashSet;
use std::fs::{self, DirEntry, Metadata};
use std::path::{Path, PathBuf};

use super::skipped::SkippedFiles;
use super::table::TABLE;
use crate::{DataError, PictureFormat, foreign_ending};

/// Files that operating systems create in folders.
const SYSTEM_NAMES: [&str; 3] = ["Thumbs.db", "desktop.ini", "__MACOSX"];

/// Lists the pictures under a folder as relative paths with `/` separators, in byte order.
///
/// Follows links to folders but visits each folder once, so loops end. Lists regular files only.
pub(super) fn walk(root: &Path) -> Result<(Vec<String>, SkippedFiles), DataError> {
    let Walk { found, skipped, errors, .. } = Walk::below(root);
    if let Some(error) = errors.into_iter().next() {
        return Err(error);
    }
    let name = |path: PathBuf| {
        path.into_os_string()
            .into_string()
            .map_err(|name| DataError::NotUnicode { path: root.join(name) })
    };
    let found = found.into_iter().map(name).collect::<Result<_, _>>()?;
    Ok((found, skipped))
}

/// Lists the pictures under a folder, including those with names that are not Unicode. Also returns the
/// skipped files and the errors of folders that could not be listed.
///
/// The paths start with the folder and are in byte order. Follows links to folders but visits each folder
/// once, so loops end. Lists regular files only, so that opening them never blocks.
pub fn list_pictures(root: &Path) -> (Vec<PathBuf>, SkippedFiles, Vec<DataError>) {
    let Walk { found, skipped, errors, .. } = Walk::below(root);
    (found.into_iter().map(|path| root.join(path)).collect(), skipped, errors)
}

/// Returns whether there is a picture or a table under a folder. Stops at the first one.
pub(crate) fn holds_pictures(root: &Path) -> bool {
    if root.join(TABLE).is_file() {
        return true;
    }
    let mut walk = Walk::from(root);
    while walk.found.is_empty() {
        if !walk.step() {
            return false;
        }
    }
    true
}

fn read(path: &Path) -> impl FnOnce(std::io::Error) -> DataError {
    |source| DataError::Read { path: path.to_owned(), source }
}

#[derive(Default)]
struct Walk {
    /// Pictures, relative to the root.
    found: Vec<PathBuf>,
    skipped: SkippedFiles,
    errors: Vec<DataError>,
    /// Folders left to list, each with its path relative to the root.
    folders: Vec<(PathBuf, PathBuf)>,
    links: Vec<(PathBuf, PathBuf)>,
    visited: HashSet<(u64, u64)>,
}

impl Walk {
    fn below(root: &Path) -> Self {
        let mut walk = Self::from(root);
        while walk.step() {}
        let bytes = |path: &PathBuf| path.as_os_str().as_encoded_bytes().to_owned();
        walk.found.sort_by_cached_key(bytes);
        walk
    }

    /// Starts a walk at a folder.
    fn from(root: &Path) -> Self {
        let mut walk = Self::default();
        match fs::metadata(root).map_err(read(root)) {
            Ok(metadata) => walk.enter(root.to_owned(), PathBuf::new(), &metadata),
            Err(error) => walk.errors.push(error),
        }
        walk
    }

    /// Lists one more folder. Returns `false` if none is left.
    fn step(&mut self) -> bool {
        // Links come last, so that a folder under the root is listed by its own path.
        let Some((folder, prefix)) = self.folders.pop().or_else(|| self.next_link()) else {
            return false;
        };
        if let Err(error) = self.list(&folder, &prefix) {
            self.errors.push(error);
        }
        true
    }

    fn list(&mut self, folder: &Path, prefix: &Path) -> Result<(), DataError> {
        for entry in fs::read_dir(folder).map_err(read(folder))? {
            self.visit(&entry.map_err(read(folder))?, prefix)?;
        }
        Ok(())
    }

    fn enter(&mut self, folder: PathBuf, prefix: PathBuf, metadata: &Metadata) {
        if self.visited.insert(identity(metadata)) {
            self.folders.push((folder, prefix));
        }
    }

    fn next_link(&mut self) -> Option<(PathBuf, PathBuf)> {
        self.links.sort_unstable_by(|one, other| other.cmp(one));
        while let Some((folder, prefix)) = self.links.pop() {
            if fs::metadata(&folder).is_ok_and(|found| self.visited.insert(identity(&found))) {
                return Some((folder, prefix));
            }
        }
        None
    }

    fn visit(&mut self, entry: &DirEntry, prefix: &Path) -> Result<(), DataError> {
        let path = entry.path();
        let name = entry.file_name();
        let is_left_by_system = SYSTEM_NAMES.iter().any(|known| name == *known);
        if name.as_encoded_bytes().starts_with(b".") || is_left_by_system {
            self.skipped.hidden += 1;
            return Ok(());
        }
        let is_link = entry.file_type().map_err(read(&path))?.is_symlink();
        let Ok(metadata) = fs::metadata(&path) else {
            self.skipped.not_files += 1;
            return Ok(());
        };
        let relative = prefix.join(&name);
        if metadata.is_dir() {
            if is_link {
                self.links.push((path, relative));
            } else {
                self.enter(path, relative, &metadata);
            }
        } else if !metadata.is_file() {
            self.skipped.not_files += 1;
        } else {
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            if PictureFormat::of_ending(ending).is_some() {
                self.found.push(relative);
            } else if foreign_ending(ending).is_some() {
                self.skipped.to_convert += 1;
            } else {
                self.skipped.other_types += 1;
            }
        }
        Ok(())
    }
}

/// Identifies a folder independently of its path.
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
    fn pictures_are_listed_in_byte_order_and_other_files_are_counted() {
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

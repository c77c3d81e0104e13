//! Opens files for writing in place without changing any file elsewhere.
//!
//! A folder may come from an untrusted source. A symbolic link or a hard link in it can point to a file
//! outside. Reading may follow both; writing, truncating and deleting follow neither. Files that are replaced
//! by a rename do not need this, because the rename replaces the link.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use thiserror::Error;

/// Does not follow a link at the end of the path, and does not block on a pipe.
const FLAGS: i32 = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).bits() as i32;

/// Why a path is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotOwn {
    /// A symbolic link.
    #[error("a symbolic link")]
    SymbolicLink,
    /// A file that also has another name.
    #[error("a file with a second hard link")]
    HardLink,
    /// A folder where a file was expected.
    #[error("a folder")]
    Folder,
    /// A file where a folder was expected.
    #[error("a file")]
    File,
    /// A pipe, a socket or a device.
    #[error("a pipe or a device")]
    Special,
}

impl NotOwn {
    /// Extracts the reason from an error of this module.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }

    fn of_kind(metadata: &Metadata) -> Self {
        match metadata.file_type() {
            kind if kind.is_symlink() => Self::SymbolicLink,
            kind if kind.is_dir() => Self::Folder,
            kind if kind.is_file() => Self::File,
            _ => Self::Special,
        }
    }
}

impl From<NotOwn> for io::Error {
    fn from(reason: NotOwn) -> Self {
        Self::new(ErrorKind::InvalidInput, reason)
    }
}

/// Opens a file for reading and writing in place; creates an empty one if there is none.
///
/// # Errors
/// Returns an error with [`NotOwn`] inside if the path is not a regular file, or if the file has a second
/// hard link, and any error of opening it.
pub fn open_own(path: &Path) -> io::Result<File> {
    require_file(path)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).custom_flags(FLAGS);
    let file = options.open(path)?;
    // Check the handle as well, because the path may have been replaced since the first check.
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(NotOwn::of_kind(&metadata).into());
    }
    if metadata.nlink() > 1 {
        return Err(NotOwn::HardLink.into());
    }
    Ok(file)
}

/// Opens a file like [`open_own`]. Unlinks a file with a second hard link first: the path gets an empty
/// file, and the other name keeps the content.
///
/// # Errors
/// Returns the errors of [`open_own`] except [`NotOwn::HardLink`].
pub fn open_own_or_anew(path: &Path) -> io::Result<File> {
    match open_own(path) {
        Err(error) if NotOwn::of(&error) == Some(NotOwn::HardLink) => {
            fs::remove_file(path)?;
            open_own(path)
        }
        opened => opened,
    }
}

/// Opens a file for reading without following a link; returns `None` if the path does not exist.
///
/// # Errors
/// Returns an error with [`NotOwn`] inside if the path is not a regular file, and any error of opening it.
pub fn open_unlinked(path: &Path) -> io::Result<Option<File>> {
    require_file(path)?;
    match OpenOptions::new().read(true).custom_flags(FLAGS).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

/// Checks that a path is a regular file or does not exist; a link is neither.
///
/// # Errors
/// Returns an error with [`NotOwn`] inside, and any error of reading the metadata.
pub fn require_file(path: &Path) -> io::Result<()> {
    require(path, Metadata::is_file)
}

/// Checks that a path is a folder or does not exist; a link is neither.
///
/// # Errors
/// Returns an error with [`NotOwn`] inside, and any error of reading the metadata.
pub fn require_folder(path: &Path) -> io::Result<()> {
    require(path, Metadata::is_dir)
}

/// Checks that a path satisfies `is_wanted` or does not exist.
fn require(path: &Path, is_wanted: impl Fn(&Metadata) -> bool) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(metadata) if is_wanted(&metadata) => Ok(()),
        Ok(metadata) => Err(NotOwn::of_kind(&metadata).into()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Creates a folder in an existing one; keeps a folder that already exists.
///
/// # Errors
/// Returns an error with [`NotOwn`] inside if the path is a link or a file, and any error of creating it.
pub fn create_own_folder(path: &Path) -> io::Result<()> {
    require_folder(path)?;
    match fs::create_dir(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => require_folder(path),
        created => created,
    }
}

/// Identifies a folder independently of its path, by device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderId {
    device: u64,
    inode: u64,
}

impl FolderId {
    /// Identifies the folder at a path. Follows links.
    ///
    /// # Errors
    /// Returns the errors of [`fs::metadata`].
    pub fn of(path: &Path) -> io::Result<Self> {
        path.metadata().map(|metadata| Self::new(&metadata))
    }

    /// Identifies an open folder.
    ///
    /// # Errors
    /// Returns the errors of [`File::metadata`].
    pub fn of_open(folder: &File) -> io::Result<Self> {
        folder.metadata().map(|metadata| Self::new(&metadata))
    }

    /// Identifies the folder at a path without following a link.
    ///
    /// # Errors
    /// Returns an error with [`NotOwn`] inside if the path is not a folder, and the errors of
    /// [`fs::symlink_metadata`].
    pub fn of_own(path: &Path) -> io::Result<Self> {
        let metadata = path.symlink_metadata()?;
        if !metadata.is_dir() {
            return Err(NotOwn::of_kind(&metadata).into());
        }
        Ok(Self::new(&metadata))
    }

    fn new(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    fn reason<T>(result: io::Result<T>) -> Option<NotOwn> {
        result.err().and_then(|error| NotOwn::of(&error))
    }

    #[test]
    fn links_pipes_and_folders_are_errors_and_nothing_outside_changes() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::write(path("outside"), "precious").unwrap();
        symlink("outside", path("link")).unwrap();
        symlink("nowhere", path("dangling")).unwrap();
        fs::hard_link(path("outside"), path("hard")).unwrap();
        fs::create_dir(path("folder")).unwrap();
        assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
        for (name, expected) in [
            ("link", NotOwn::SymbolicLink),
            ("dangling", NotOwn::SymbolicLink),
            ("hard", NotOwn::HardLink),
            ("folder", NotOwn::Folder),
            ("pipe", NotOwn::Special),
        ] {
            assert_eq!(reason(open_own(&path(name))), Some(expected), "{name}");
        }
        assert_eq!(reason(open_unlinked(&path("link"))), Some(NotOwn::SymbolicLink));
        assert_eq!(fs::read_to_string(path("outside")).unwrap(), "precious");
        assert!(!path("nowhere").exists());
    }

    #[test]
    fn a_hard_link_is_unlinked_and_its_other_name_keeps_the_content() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::write(path("outside"), "precious").unwrap();
        fs::hard_link(path("outside"), path("hard")).unwrap();
        open_own_or_anew(&path("hard")).unwrap().write_all(b"ours").unwrap();
        assert_eq!(fs::read_to_string(path("outside")).unwrap(), "precious");
        assert_eq!(fs::read_to_string(path("hard")).unwrap(), "ours");
    }

    #[test]
    fn an_own_file_is_opened_or_created() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("log");
        assert!(open_unlinked(&path).unwrap().is_none());
        open_own(&path).unwrap().write_all(b"line").unwrap();
        let mut text = String::new();
        open_own(&path).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "line");
    }

    #[test]
    fn a_folder_is_created_or_kept_and_links_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        for _ in 0..2 {
            create_own_folder(&path("new")).unwrap();
        }
        symlink(outside.path(), path("link")).unwrap();
        fs::write(path("file"), "").unwrap();
        assert_eq!(reason(create_own_folder(&path("link"))), Some(NotOwn::SymbolicLink));
        assert_eq!(reason(create_own_folder(&path("file"))), Some(NotOwn::File));
        assert_eq!(reason(FolderId::of_own(&path("link"))), Some(NotOwn::SymbolicLink));
        let outside = FolderId::of_own(outside.path()).unwrap();
        assert_eq!(FolderId::of(&path("link")).unwrap(), outside);
        assert_ne!(FolderId::of_own(&path("new")).unwrap(), outside);
    }
}

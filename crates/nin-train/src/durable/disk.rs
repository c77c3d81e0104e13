//! The file system operations of durable writing, one function each.
//!
//! Tests record them in order to simulate a power failure after each one, and limit the free disk space.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::Path;

#[cfg(test)]
pub(crate) use record::{Operation, recording, without_exchange};
#[cfg(test)]
use record::{may_exchange, note, room_for};

/// Writes a new file and flushes its content to disk.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    #[cfg(test)]
    note(|| Operation::Write(path.to_owned(), bytes.to_owned()));
    let written = write_and_flush(&mut file, bytes);
    if written.is_err() {
        // An incomplete file is useless, and on a full disk it takes space.
        let _ = fs::remove_file(path);
        return written;
    }
    #[cfg(test)]
    note(|| Operation::SyncFile(path.to_owned()));
    Ok(())
}

/// A file without a name, flushed to disk. It leaves nothing behind if the process ends before it gets a name.
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only Linux has such files"))]
pub(super) struct Unnamed {
    file: File,
    #[cfg(test)]
    bytes: Vec<u8>,
}

impl Unnamed {
    /// Writes an unnamed file in a folder; `None` if the file system does not support it.
    #[cfg(target_os = "linux")]
    pub(super) fn write(folder: &Path, bytes: &[u8]) -> io::Result<Option<Self>> {
        use std::os::unix::fs::OpenOptionsExt;
        let mut options = OpenOptions::new();
        options.write(true).custom_flags(rustix::fs::OFlags::TMPFILE.bits() as i32);
        let Ok(mut file) = options.open(folder) else { return Ok(None) };
        write_and_flush(&mut file, bytes)?;
        Ok(Some(Self {
            file,
            #[cfg(test)]
            bytes: bytes.to_owned(),
        }))
    }

    /// Returns `None`: this system does not support unnamed files.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn write(_folder: &Path, _bytes: &[u8]) -> io::Result<Option<Self>> {
        Ok(None)
    }

    /// Gives the file an unused name.
    pub(super) fn name(&self, path: &Path) -> io::Result<()> {
        use std::os::fd::AsRawFd;

        use rustix::fs::{AtFlags, CWD, linkat};
        let file = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        linkat(CWD, file.as_str(), CWD, path, AtFlags::SYMLINK_FOLLOW)?;
        #[cfg(test)]
        {
            note(|| Operation::Write(path.to_owned(), self.bytes.clone()));
            note(|| Operation::SyncFile(path.to_owned()));
        }
        Ok(())
    }
}

fn write_and_flush(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    #[cfg(test)]
    room_for(bytes)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Opens a file for reading and writing without truncating it, or creates an empty one. Follows no links.
pub(super) fn open_or_create(path: &Path) -> io::Result<File> {
    #[cfg(test)]
    let is_new = path.symlink_metadata().is_err();
    let file = nin_data::own_files::open_own(path)?;
    #[cfg(test)]
    if is_new {
        note(|| Operation::Write(path.to_owned(), Vec::new()));
    }
    Ok(file)
}

/// Creates a folder.
pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    made_folder(path);
    Ok(())
}

/// Records for tests that a folder was created.
pub(super) fn made_folder(path: &Path) {
    #[cfg(test)]
    note(|| Operation::CreateFolder(path.to_owned()));
    let _ = path;
}

/// Flushes the entries of a folder to disk.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()?;
    #[cfg(test)]
    note(|| Operation::SyncFolder(path.to_owned()));
    Ok(())
}

/// Renames a file, folder or link, and replaces a file, link or empty folder of that name.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    #[cfg(test)]
    note(|| Operation::Rename(from.to_owned(), to.to_owned()));
    Ok(())
}

/// Exchanges two paths atomically.
#[cfg(any(target_os = "linux", target_os = "macos"))]
pub(super) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    #[cfg(test)]
    may_exchange()?;
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?;
    #[cfg(test)]
    note(|| Operation::Exchange(one.to_owned(), other.to_owned()));
    Ok(())
}

/// Fails: this system cannot exchange two paths.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(super) fn exchange(_one: &Path, _other: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Creates a symbolic link.
pub(super) fn link(target: &str, path: &Path) -> io::Result<()> {
    symlink(target, path)?;
    #[cfg(test)]
    note(|| Operation::Link(target.to_owned(), path.to_owned()));
    Ok(())
}

/// Removes a folder with its content, or a file or link at that path. Does not follow a link.
pub(super) fn remove_folder(path: &Path) -> io::Result<()> {
    if path.symlink_metadata()?.is_dir() {
        fs::remove_dir_all(path)?;
    } else {
        fs::remove_file(path)?;
    }
    #[cfg(test)]
    note(|| Operation::Remove(path.to_owned()));
    Ok(())
}

/// Returns the free space under a path, in bytes; `None` if the file system does not report it.
pub(super) fn free_bytes(path: &Path) -> Option<u64> {
    let sizes = rustix::fs::statvfs(path).ok()?;
    (sizes.f_blocks > 0).then(|| sizes.f_bavail.saturating_mul(sizes.f_frsize))
}

#[cfg(test)]
mod record {
    use std::cell::{Cell, RefCell};
    use std::io;
    use std::path::PathBuf;

    /// A file system operation.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) enum Operation {
        CreateFolder(PathBuf),
        Write(PathBuf, Vec<u8>),
        SyncFile(PathBuf),
        SyncFolder(PathBuf),
        Rename(PathBuf, PathBuf),
        Exchange(PathBuf, PathBuf),
        Link(String, PathBuf),
        Remove(PathBuf),
    }

    #[derive(Default)]
    struct Record {
        operations: Option<Vec<Operation>>,
        room: Option<u64>,
    }

    thread_local! {
        static RECORD: RefCell<Record> = RefCell::default();
        static KNOWS_NO_EXCHANGE: Cell<bool> = const { Cell::new(false) };
    }

    /// Runs an action on a file system without atomic exchange.
    pub(crate) fn without_exchange<T>(action: impl FnOnce() -> T) -> T {
        KNOWS_NO_EXCHANGE.set(true);
        let result = action();
        KNOWS_NO_EXCHANGE.set(false);
        result
    }

    pub(super) fn may_exchange() -> io::Result<()> {
        if KNOWS_NO_EXCHANGE.get() { Err(io::ErrorKind::Unsupported.into()) } else { Ok(()) }
    }

    /// Runs an action with `room` bytes of free disk space, `None` for enough, and returns the operations of this
    /// thread.
    pub(crate) fn recording<T>(
        room: Option<u64>,
        action: impl FnOnce() -> T,
    ) -> (T, Vec<Operation>) {
        RECORD.set(Record { operations: Some(Vec::new()), room });
        let result = action();
        (result, RECORD.take().operations.unwrap_or_default())
    }

    pub(super) fn note(operation: impl FnOnce() -> Operation) {
        RECORD.with_borrow_mut(|record| {
            if let Some(operations) = &mut record.operations {
                operations.push(operation());
            }
        });
    }

    pub(super) fn room_for(bytes: &[u8]) -> io::Result<()> {
        RECORD.with_borrow_mut(|record| {
            let Some(room) = &mut record.room else {
                return Ok(());
            };
            let left = room.checked_sub(bytes.len() as u64);
            *room = left.unwrap_or(0);
            left.map(|_| ()).ok_or_else(|| io::ErrorKind::StorageFull.into())
        })
    }
}

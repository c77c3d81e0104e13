//! The operations that durable writing is made of, one function each.
//!
//! In tests they are recorded in order, so that a loss of power behind each of them can be
//! replayed, and a disk can be as full as a test wants it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::Path;

#[cfg(test)]
pub(crate) use record::{Operation, recording, without_exchange};
#[cfg(test)]
use record::{may_exchange, note, room_for};

/// Writes a file that is not there yet, its content flushed to disk.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    #[cfg(test)]
    note(|| Operation::Write(path.to_owned(), bytes.to_owned()));
    let written = write_and_flush(&mut file, bytes);
    if written.is_err() {
        // What is cut short is of no use to anyone; on a full disk its room is.
        let _ = fs::remove_file(path);
        return written;
    }
    #[cfg(test)]
    note(|| Operation::SyncFile(path.to_owned()));
    Ok(())
}

/// A file without a name, its content flushed to disk. A process that ends before it has one leaves
/// nothing.
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only Linux has such files"))]
pub(super) struct Unnamed {
    file: File,
    #[cfg(test)]
    bytes: Vec<u8>,
}

impl Unnamed {
    /// Writes one in a folder; `None` where the file system knows no such files.
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

    /// Writes one in a folder: this system knows no such files.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn write(_folder: &Path, _bytes: &[u8]) -> io::Result<Option<Self>> {
        Ok(None)
    }

    /// Gives it a name that nothing has.
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

/// Opens a file of one's own as it is, to be read and changed, or makes an empty one.
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

/// Makes a folder.
pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    made_folder(path);
    Ok(())
}

/// A folder was made.
pub(super) fn made_folder(path: &Path) {
    #[cfg(test)]
    note(|| Operation::CreateFolder(path.to_owned()));
    let _ = path;
}

/// Flushes the names in a folder to disk.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()?;
    #[cfg(test)]
    note(|| Operation::SyncFolder(path.to_owned()));
    Ok(())
}

/// Gives a file, an empty folder's place or a link another name, in place of a file or link there.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    #[cfg(test)]
    note(|| Operation::Rename(from.to_owned(), to.to_owned()));
    Ok(())
}

/// Two paths change places, in one step.
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

/// Two paths change places, in one step: this system cannot.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(super) fn exchange(_one: &Path, _other: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes a symbolic link.
pub(super) fn link(target: &str, path: &Path) -> io::Result<()> {
    symlink(target, path)?;
    #[cfg(test)]
    note(|| Operation::Link(target.to_owned(), path.to_owned()));
    Ok(())
}

/// Removes a folder with all that is in it, or whatever was in a folder's place. A link is removed, not
/// followed.
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

/// Bytes that may be written under a path; `None` where the file system does not say.
pub(super) fn free_bytes(path: &Path) -> Option<u64> {
    let sizes = rustix::fs::statvfs(path).ok()?;
    (sizes.f_blocks > 0).then(|| sizes.f_bavail.saturating_mul(sizes.f_frsize))
}

#[cfg(test)]
mod record {
    use std::cell::{Cell, RefCell};
    use std::io;
    use std::path::PathBuf;

    /// What was asked of the file system.
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

    /// Runs something on a file system that knows no exchange.
    pub(crate) fn without_exchange<T>(action: impl FnOnce() -> T) -> T {
        KNOWS_NO_EXCHANGE.set(true);
        let result = action();
        KNOWS_NO_EXCHANGE.set(false);
        result
    }

    pub(super) fn may_exchange() -> io::Result<()> {
        if KNOWS_NO_EXCHANGE.get() { Err(io::ErrorKind::Unsupported.into()) } else { Ok(()) }
    }

    /// Runs something on a disk with `room` bytes left, `None` for enough, and gives what was
    /// asked of the file system meanwhile, by this thread.
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

//! A lock on the run's folder, so that one process at a time trains a run. It ends with the process.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use nin_data::own_files::{FolderId, open_unlinked};

use crate::{TrainError, durable};

/// Returns the path of a run's `run.lock`.
pub(crate) fn lock_path(run: &Path) -> PathBuf {
    run.join("run.lock")
}

/// Longest process ID, in digits.
const LONGEST_HOLDER: u64 = 20;

/// Longest `run.lock`, in bytes. It holds a process ID only.
const LONGEST_FILE: u64 = 1 << 10;

/// How long and how often a process waits for another one that is reading `run.lock`.
const LOOK: Duration = Duration::from_millis(5);
const LOOKS: usize = 10;

/// Held while a run is trained. The operating system's lock is on the folder itself, so that removing a file does not
/// release it. `run.lock` holds the process ID, for people to read. It is locked too, because earlier versions lock
/// only that file.
#[derive(Debug)]
pub(crate) struct RunLock {
    folder: File,
    file: Option<File>,
    is_folder_locked: bool,
    warning: Option<String>,
}

impl RunLock {
    /// Locks a run. Writes nothing.
    ///
    /// # Errors
    /// [`TrainError::RunLocked`] if another process trains this run; [`TrainError::Damaged`] if `run.lock` is a link;
    /// [`TrainError::Io`].
    pub(crate) fn take(run: &Path) -> Result<Self, TrainError> {
        let folder = File::open(run).map_err(TrainError::io("open", run))?;
        let is_folder_locked = match folder.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => return Err(locked(run)),
            // Some network file systems cannot lock folders.
            Err(TryLockError::Error(_)) => false,
        };
        let path = lock_path(run);
        let file = open_unlinked(&path).map_err(durable::not_own("open", &path))?;
        if let Some(file) = &file
            && let Err(TryLockError::WouldBlock) = file.try_lock()
        {
            return Err(locked(run));
        }
        Ok(Self { folder, file, is_folder_locked, warning: None })
    }

    /// Writes the ID of this process into `run.lock`, and locks that file.
    ///
    /// # Errors
    /// Those of [`RunLock::take`].
    pub(crate) fn sign(&mut self, run: &Path) -> Result<(), TrainError> {
        let path = lock_path(run);
        // Closes the first handle: with two handles of one file, a process locks itself out.
        self.file = None;
        let mut file = durable::open_or_create(&path, LONGEST_FILE)?;
        match self.lock_file(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(locked(run)),
            // Not a reason to refuse to train.
            Err(TryLockError::Error(error)) => {
                self.warning = Some(format!(
                    "cannot lock `{}` ({error}): another process could train this run at the same \
                     time",
                    path.display()
                ));
            }
        }
        // Errors do not matter: the ID is for people, and the lock holds without it.
        let _ = file.set_len(0);
        let _ = writeln!(file, "{}", std::process::id());
        self.file = Some(file);
        Ok(())
    }

    /// Locks `run.lock`. Another process may lock it for a moment to read the ID.
    fn lock_file(&self, file: &File) -> Result<(), TryLockError> {
        for _ in 0..LOOKS {
            match file.try_lock() {
                Err(TryLockError::WouldBlock) if self.is_folder_locked => sleep(LOOK),
                result => return result,
            }
        }
        file.try_lock()
    }

    /// Returns the identity of the locked folder.
    ///
    /// # Errors
    /// [`TrainError::Io`].
    pub(crate) fn folder(&self, run: &Path) -> Result<FolderId, TrainError> {
        FolderId::of_open(&self.folder).map_err(TrainError::io("read", run))
    }

    /// Returns a warning if the file system cannot lock `run.lock`.
    pub(crate) fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }
}

fn locked(run: &Path) -> TrainError {
    TrainError::RunLocked { path: run.to_owned(), holder: holder(run) }
}

/// Returns the ID of the process that holds the lock. The ID in an unlocked file is that of an earlier process, so it
/// does not count.
fn holder(run: &Path) -> Option<u32> {
    let file = open_unlinked(&lock_path(run)).ok()??;
    if !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        return None;
    }
    number(&file).ok()?
}

fn number(file: &File) -> io::Result<Option<u32>> {
    let mut text = String::new();
    file.take(LONGEST_HOLDER).read_to_string(&mut text)?;
    Ok(text.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RunFolder, sample};

    #[test]
    fn a_second_holder_is_refused_and_told_who_the_first_is() {
        let (_root, run, lock) = sample::run();
        let error = RunFolder::resume(run.path()).unwrap_err();
        let process = format!("is being trained by process {}", std::process::id());
        assert!(error.to_string().ends_with(&process), "{error}");
        let error = RunFolder::create(run.path(), &sample::recipe(), None).unwrap_err();
        assert!(matches!(error, TrainError::RunLocked { .. }), "{error}");
        drop(lock);
        RunFolder::resume(run.path()).unwrap();
        let error = RunFolder::create(run.path(), &sample::recipe(), None).unwrap_err();
        assert!(matches!(error, TrainError::RunExists { .. }), "{error}");
    }

    #[test]
    fn a_lock_file_of_nonsense_names_nobody() {
        let (_root, run, _lock) = sample::run();
        for content in ["", "-3", "99999999999999999999999999", "\u{0}"] {
            std::fs::write(run.lock_path(), content).unwrap();
            let error = RunFolder::resume(run.path()).unwrap_err();
            assert!(error.to_string().ends_with("trained by another process"), "{error}");
        }
    }

    #[test]
    fn without_its_file_or_with_another_the_lock_still_holds() {
        let (_root, run, _lock) = sample::run();
        std::fs::remove_file(run.lock_path()).unwrap();
        for stale in [false, true] {
            if stale {
                std::fs::write(run.lock_path(), "1\n").unwrap();
            }
            let error = RunFolder::resume(run.path()).unwrap_err();
            assert!(error.to_string().ends_with("trained by another process"), "{error}");
        }
    }

    #[test]
    fn a_version_that_locks_the_file_alone_is_kept_out_and_keeps_us_out() {
        let (_root, run, lock) = sample::run();
        let file = || File::open(run.lock_path()).unwrap();
        assert!(matches!(file().try_lock(), Err(TryLockError::WouldBlock)));
        drop(lock);
        let theirs = file();
        theirs.try_lock().unwrap();
        let error = RunFolder::resume(run.path()).unwrap_err();
        assert!(matches!(error, TrainError::RunLocked { .. }), "{error}");
    }

    #[test]
    fn a_lock_is_signed_without_changing_a_backup_of_hard_links() {
        let (root, run, lock) = sample::run();
        drop(lock);
        let backup = root.path().join("backup");
        std::fs::write(run.lock_path(), "1\n").unwrap();
        std::fs::hard_link(run.lock_path(), &backup).unwrap();
        let (mut run, mut lock) = RunFolder::resume(run.path()).unwrap();
        run.claim(&mut lock).unwrap();
        assert_eq!(std::fs::read_to_string(&backup).unwrap(), "1\n");
        let signed = std::fs::read_to_string(run.lock_path()).unwrap();
        assert_eq!(signed, format!("{}\n", std::process::id()));
    }
}

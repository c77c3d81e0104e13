//! One run, one process: a lock on the run's folder that dies with who holds it.

use std::fs::{File, TryLockError};
use std::io::{Read, Write};

use crate::{RunFolder, TrainError, durable};

/// No process has a longer number.
const LONGEST_HOLDER: u64 = 20;

/// Held while a run is trained. It is a lock of the operating system's on `run.lock`, which holds
/// the number of the process for people to read: the file stays, the lock ends with the process,
/// however that ends.
#[derive(Debug)]
pub(crate) struct RunLock {
    _file: File,
    warning: Option<String>,
}

impl RunLock {
    /// Takes the lock of a run.
    ///
    /// # Errors
    /// [`TrainError::RunLocked`] where another process trains this run; [`TrainError::Io`].
    pub(crate) fn take(run: &RunFolder) -> Result<Self, TrainError> {
        let path = run.lock_path();
        let mut file = durable::open_or_create(&path)?;
        let warning = match file.try_lock() {
            Ok(()) => None,
            Err(TryLockError::WouldBlock) => {
                let holder = holder(&mut file);
                return Err(TrainError::RunLocked { path: run.path().to_owned(), holder });
            }
            // Some network file systems have no locks: no reason not to train on them.
            Err(TryLockError::Error(error)) => Some(format!(
                "`{}` cannot be locked ({error}): nothing keeps a second training out of this run",
                path.display()
            )),
        };
        // For people: where it cannot be written, the lock holds all the same.
        let _ = file.set_len(0);
        let _ = writeln!(file, "{}", std::process::id());
        Ok(Self { _file: file, warning })
    }

    /// Why it keeps nobody out, where it does not.
    pub(crate) fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }
}

/// The number of the process that holds the lock, if the file says it.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(LONGEST_HOLDER).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

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
}

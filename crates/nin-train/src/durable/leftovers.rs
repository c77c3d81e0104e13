//! Cleans up after a process that ended in the middle of a write.

use std::fs;
use std::path::Path;

use super::{UNFINISHED, disk, sync_folder};
use crate::TrainError;
use crate::checkpoint::names::is_folder_name;

/// Returns whether the name marks an unfinished file or folder.
pub(crate) fn is_unfinished(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(UNFINISHED))
}

/// Removes every unfinished entry of a folder. First puts back a checkpoint that was moved aside but not replaced.
///
/// # Errors
/// [`TrainError::Io`].
pub(crate) fn remove_unfinished(folder: &Path) -> Result<(), TrainError> {
    for entry in fs::read_dir(folder).map_err(TrainError::io("read", folder))? {
        let path = entry.map_err(TrainError::io("read", folder))?.path();
        if is_unfinished(&path) {
            // Links are removed, not followed.
            let is_folder = path.symlink_metadata().is_ok_and(|found| found.is_dir());
            if is_folder {
                put_back(&path, folder)?;
            }
            let removed =
                if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(TrainError::io("remove", &path))?;
        }
    }
    Ok(())
}

/// Puts back the checkpoint that a replacement moved aside. If the process ended between the two renames that replace
/// an exchange, the old checkpoint is in an unfinished folder, under its own name. A half-written checkpoint holds
/// files only, so the two cannot be confused.
fn put_back(aside: &Path, folder: &Path) -> Result<(), TrainError> {
    for entry in fs::read_dir(aside).map_err(TrainError::io("read", aside))? {
        let entry = entry.map_err(TrainError::io("read", aside))?;
        let place = folder.join(entry.file_name());
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let is_checkpoint = is_folder_name(&entry.file_name().to_string_lossy());
        if is_folder && is_checkpoint && place.symlink_metadata().is_err() {
            disk::rename(&entry.path(), &place).map_err(TrainError::io("create", &place))?;
            sync_folder(folder)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_was_to_be_replaced_is_put_back_where_nothing_replaced_it() {
        for is_replaced in [false, true] {
            let root = tempfile::tempdir().unwrap();
            let aside = root.path().join(".unfinished-a/epoch-001");
            let place = root.path().join("epoch-001");
            fs::create_dir_all(&aside).unwrap();
            fs::write(aside.join("which"), "old").unwrap();
            if is_replaced {
                fs::create_dir(&place).unwrap();
                fs::write(place.join("which"), "new").unwrap();
            }
            remove_unfinished(root.path()).unwrap();
            let expected = if is_replaced { "new" } else { "old" };
            assert_eq!(fs::read_to_string(place.join("which")).unwrap(), expected);
            assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
        }
    }
}

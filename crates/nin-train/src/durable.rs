//! Writing so that there is a whole file or none: aside, flushed to disk, renamed.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::TrainError;

/// Prefix of everything that is not finished; a run's folder may be cleaned of it.
pub(crate) const UNFINISHED: &str = ".unfinished-";

/// Replaces a file: there is the whole of it, on the disk, or what was there before.
///
/// # Errors
/// [`TrainError::Io`].
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .permissions(Permissions::from_mode(0o666)) // less the user's mask, as any other file
        .tempfile_in(folder)
        .map_err(TrainError::io("write", path))?;
    file.write_all(bytes).map_err(TrainError::io("write", path))?;
    file.as_file().sync_all().map_err(TrainError::io("write", path))?;
    file.persist(path).map_err(|error| TrainError::io("write", path)(error.error))?;
    sync_folder(folder)
}

/// Makes a folder of these files, in place of one of the same name.
pub(crate) fn write_folder(path: &Path, files: &[(&str, Vec<u8>)]) -> Result<(), TrainError> {
    let parent = path.parent().unwrap_or(Path::new("."));
    let aside = || {
        tempfile::Builder::new()
            .prefix(UNFINISHED)
            .permissions(Permissions::from_mode(0o777)) // less the user's mask, as any other folder
            .tempdir_in(parent)
    };
    let new = aside().map_err(TrainError::io("create", path))?;
    for (name, bytes) in files {
        let file_path = new.path().join(name);
        let mut file = File::create(&file_path).map_err(TrainError::io("create", &file_path))?;
        file.write_all(bytes).map_err(TrainError::io("write", &file_path))?;
        file.sync_all().map_err(TrainError::io("write", &file_path))?;
    }
    sync_folder(new.path())?;

    // A folder cannot be renamed over one that is not empty.
    let old = aside().map_err(TrainError::io("create", path))?;
    if path.exists() {
        fs::rename(path, old.path().join("old")).map_err(TrainError::io("replace", path))?;
    }
    fs::rename(new.keep(), path).map_err(TrainError::io("create", path))?;
    sync_folder(parent)
}

/// Points a symbolic link at a neighbour, in place of what it pointed at.
pub(crate) fn write_link(link: &Path, target: &str) -> Result<(), TrainError> {
    let folder = link.parent().unwrap_or(Path::new("."));
    let aside = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempdir_in(folder)
        .map_err(TrainError::io("create", link))?;
    let new = aside.path().join("link");
    symlink(target, &new).map_err(TrainError::io("create", link))?;
    fs::rename(&new, link).map_err(TrainError::io("replace", link))?;
    sync_folder(folder)
}

fn sync_folder(folder: &Path) -> Result<(), TrainError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(TrainError::io("write", folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_folders_and_links_are_replaced_and_leave_nothing_behind() {
        let root = tempfile::tempdir().unwrap();
        for content in ["one", "two"] {
            write_file(&root.path().join("file"), content.as_bytes()).unwrap();
            write_folder(&root.path().join("folder"), &[("inner", content.into())]).unwrap();
            write_link(&root.path().join("link"), "folder").unwrap();
        }
        assert_eq!(fs::read_to_string(root.path().join("file")).unwrap(), "two");
        assert_eq!(fs::read_to_string(root.path().join("link/inner")).unwrap(), "two");
        let mut names: Vec<_> =
            fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["file", "folder", "link"]);
    }
}

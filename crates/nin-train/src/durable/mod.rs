//! Durable, atomic writes: into a temporary file, flushed to disk, then renamed.
//!
//! Whenever the process ends or the power fails, a path holds the old content or the new content, never a part of it
//! and never nothing.

mod disk;
mod leftovers;
#[cfg(test)]
mod replay;

use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nin_data::own_files::NotOwn;

use crate::TrainError;
use crate::bounded::read_file;

use disk::Unnamed;
#[cfg(test)]
pub(crate) use disk::recording;
pub(crate) use leftovers::{is_unfinished, remove_unfinished};

/// Name prefix of everything unfinished. It may be removed from a run's folder.
const UNFINISHED: &str = ".unfinished-";

/// Space to leave for file system metadata and partly filled blocks, in bytes.
const SPACE_BESIDES: u64 = 256 << 10;

/// Creates or replaces a file atomically, and flushes it to disk.
///
/// # Errors
/// [`TrainError::Io`]; the old content stays.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let folder = parent_of(path);
    let unnamed = Unnamed::write(folder, bytes).map_err(TrainError::io("write", path))?;
    if path.symlink_metadata().is_err()
        && unnamed.as_ref().is_some_and(|file| file.name(path).is_ok())
    {
        return sync_folder(folder);
    }
    // Only a rename replaces a file, and it needs a named source.
    let name = |new: &Path| match &unnamed {
        Some(file) => file.name(new).or_else(|error| match error.kind() {
            ErrorKind::AlreadyExists => Err(error),
            // Such as without `/proc`.
            _ => disk::write_new(new, bytes),
        }),
        None => disk::write_new(new, bytes),
    };
    let new = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .make_in(folder, name)
        .map_err(TrainError::io("write", path))?
        .into_temp_path();
    disk::rename(&new, path).map_err(TrainError::io("write", path))?;
    // The file has its final name now, so there is nothing to remove.
    let _ = new.keep();
    sync_folder(folder)
}

/// Creates a folder with these files, or replaces it atomically.
pub(crate) fn write_folder(path: &Path, files: &[(&str, Vec<u8>)]) -> Result<(), TrainError> {
    let parent = parent_of(path);
    require_space(parent, files.iter().map(|(_, bytes)| bytes.len() as u64).sum())?;
    let new = folder_aside(parent).map_err(TrainError::io("create", path))?;
    for (name, bytes) in files {
        let file_path = new.path().join(name);
        disk::write_new(&file_path, bytes).map_err(TrainError::io("write", &file_path))?;
    }
    sync_folder(new.path())?;
    if path.symlink_metadata().is_err() {
        disk::rename(new.path(), path).map_err(TrainError::io("create", path))?;
        let _ = new.keep();
        return sync_folder(parent);
    }
    // A rename cannot replace a folder that is not empty, so the two exchange their names.
    let replaced = disk::exchange(new.path(), path);
    if replaced.as_ref().is_err_and(|error| cannot_exchange(error.kind())) {
        // Keeps its own name: if the process ends between the renames, `remove_unfinished` puts it back.
        let old = folder_aside(parent).map_err(TrainError::io("create", path))?.keep();
        let aside = old.join(path.file_name().unwrap_or_default());
        disk::rename(path, &aside).map_err(TrainError::io("replace", path))?;
        sync_folder(&old)?;
        disk::rename(new.path(), path).map_err(TrainError::io("create", path))?;
        let _ = new.keep();
        sync_folder(parent)?;
        return disk::remove_folder(&old).map_err(TrainError::io("remove", &old));
    }
    replaced.map_err(TrainError::io("replace", path))?;
    sync_folder(parent)?;
    disk::remove_folder(new.path()).map_err(TrainError::io("remove", new.path()))
}

/// Creates or replaces a symbolic link to an entry of the same folder.
pub(crate) fn write_link(link: &Path, target: &str) -> Result<(), TrainError> {
    let folder = parent_of(link);
    let new = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .make_in(folder, |new| disk::link(target, new))
        .map_err(TrainError::io("create", link))?
        .into_temp_path();
    disk::rename(&new, link).map_err(TrainError::io("replace", link))?;
    let _ = new.keep();
    sync_folder(folder)
}

/// Replaces a folder by a symbolic link to an entry of the same parent folder.
pub(crate) fn replace_folder_by_link(folder: &Path, target: &str) -> Result<(), TrainError> {
    let parent = parent_of(folder);
    let new = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .make_in(parent, |new| disk::link(target, new))
        .map_err(TrainError::io("create", folder))?
        .into_temp_path();
    let replaced = disk::exchange(&new, folder);
    if replaced.as_ref().is_err_and(|error| cannot_exchange(error.kind())) {
        drop(new);
        remove_folder(folder)?;
        return write_link(folder, target);
    }
    replaced.map_err(TrainError::io("replace", folder))?;
    let old = new.keep().map_err(|error| TrainError::io("replace", folder)(error.error))?;
    sync_folder(parent)?;
    disk::remove_folder(&old).map_err(TrainError::io("remove", &old))
}

/// Renames a folder to an unused name in the same parent folder.
pub(crate) fn move_folder(from: &Path, to: &Path) -> Result<(), TrainError> {
    disk::rename(from, to).map_err(TrainError::io("create", to))?;
    sync_folder(parent_of(to))
}

/// Creates a folder and its missing parents, and flushes each name to disk.
///
/// # Errors
/// [`TrainError::Io`].
pub(crate) fn create_folders(path: &Path) -> Result<(), TrainError> {
    let above = path.ancestors().filter(|folder| !folder.as_os_str().is_empty());
    let mut missing: Vec<&Path> = above.take_while(|folder| !folder.is_dir()).collect();
    while let Some(folder) = missing.pop() {
        match disk::create_folder(folder) {
            // Another process created it first.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
            made => made.map_err(TrainError::io("create", path))?,
        }
        sync_folder(parent_of(folder))?;
    }
    Ok(())
}

/// Opens a file that is written in place, or creates an empty one and flushes its name to disk. Replaces a file with a
/// second hard link, such as from a backup by `cp -al`, by a copy first.
///
/// # Errors
/// [`TrainError::Damaged`] if it is a link, a folder or longer than `most` bytes; [`TrainError::Io`].
pub(crate) fn open_or_create(path: &Path, most: u64) -> Result<File, TrainError> {
    let is_new = path.symlink_metadata().is_err();
    let file = match disk::open_or_create(path) {
        Err(error) if NotOwn::of(&error) == Some(NotOwn::HardLink) => {
            write_file(path, &read_file(path, most)?)?;
            disk::open_or_create(path)
        }
        opened => opened,
    };
    let file = file.map_err(not_own("open", path))?;
    if is_new {
        sync_folder(parent_of(path))?;
    }
    Ok(file)
}

/// Returns the error for a path that must not be written to.
pub(crate) fn not_own(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(std::io::Error) -> TrainError {
    let path = path.to_owned();
    move |error| match NotOwn::of(&error) {
        Some(found @ NotOwn::File) => {
            TrainError::Damaged { path, expected: "a folder".to_owned(), found: found.to_string() }
        }
        Some(found) => {
            TrainError::Damaged { path, expected: "a file".to_owned(), found: found.to_string() }
        }
        None => TrainError::io(action, path)(error),
    }
}

/// Removes a folder. At any moment, its path holds all of it or nothing.
pub(crate) fn remove_folder(path: &Path) -> Result<(), TrainError> {
    let mut name = OsString::from(UNFINISHED);
    name.push(path.file_name().unwrap_or_default());
    // A rename needs no space, so it works on a full disk.
    let old = parent_of(path).join(name);
    if old.symlink_metadata().is_ok() {
        disk::remove_folder(&old).map_err(TrainError::io("remove", &old))?;
    }
    disk::rename(path, &old).map_err(TrainError::io("remove", path))?;
    disk::remove_folder(&old).map_err(TrainError::io("remove", path))
}

/// Checks that this many bytes fit into a folder, if the file system reports its free space.
pub(crate) fn require_space(folder: &Path, bytes: u64) -> Result<(), TrainError> {
    let needed = bytes.saturating_add(SPACE_BESIDES);
    match disk::free_bytes(folder) {
        Some(free) if free < needed => {
            Err(TrainError::NoSpace { path: folder.to_owned(), needed, free })
        }
        _ => Ok(()),
    }
}

/// Flushes the entries of a folder to disk.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), TrainError> {
    disk::sync_folder(folder).map_err(TrainError::io("write", folder))
}

fn folder_aside(parent: &Path) -> std::io::Result<tempfile::TempDir> {
    let folder = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .permissions(Permissions::from_mode(0o777)) // less the umask, like any other folder
        .tempdir_in(parent)?;
    disk::made_folder(folder.path());
    Ok(folder)
}

fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Returns whether the error means that the system or file system has no atomic exchange.
fn cannot_exchange(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unsupported | ErrorKind::InvalidInput)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

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
        let names = || {
            let entries = fs::read_dir(root.path()).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(), ["file", "folder", "link"]);
        remove_folder(&root.path().join("folder")).unwrap();
        assert_eq!(names(), ["file", "link"]);
    }

    #[test]
    fn whatever_is_in_a_folders_place_is_replaced_and_no_link_is_followed() {
        use std::os::unix::fs::symlink;
        for has_exchange in [true, false] {
            let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let folder = root.path().join("folder");
            fs::write(outside.path().join("inner"), "precious").unwrap();
            let write = || {
                let write = || write_folder(&folder, &[("inner", "new".into())]).unwrap();
                if has_exchange {
                    write();
                } else {
                    disk::without_exchange(write);
                }
                assert_eq!(fs::read_to_string(folder.join("inner")).unwrap(), "new");
                assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "nothing is left behind");
                fs::remove_dir_all(&folder).unwrap();
            };
            symlink(outside.path(), &folder).unwrap();
            write();
            fs::write(&folder, "a file").unwrap();
            write();
            let precious = fs::read_to_string(outside.path().join("inner")).unwrap();
            assert_eq!(precious, "precious");
        }
    }

    #[test]
    fn what_cannot_be_exchanged_is_replaced_by_two_renames() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("folder");
        for content in ["one", "two"] {
            disk::without_exchange(|| write_folder(&folder, &[("inner", content.into())])).unwrap();
            assert_eq!(fs::read_to_string(folder.join("inner")).unwrap(), content);
            assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "nothing is left behind");
        }
    }

    #[test]
    fn each_folder_that_is_made_is_flushed_into_the_one_above() {
        use disk::Operation::{CreateFolder, SyncFolder};
        // An unused name without a parent folder.
        let root = tempfile::tempdir_in(".").unwrap();
        let name = PathBuf::from(root.path().file_name().unwrap());
        fs::remove_dir(&name).unwrap();
        let inner = name.join("inner");
        let (made, operations) = recording(None, || create_folders(&inner));
        made.unwrap();
        let expected = [
            CreateFolder(name.clone()),
            SyncFolder(PathBuf::from(".")),
            CreateFolder(inner.clone()),
            SyncFolder(name),
        ];
        assert_eq!(operations, expected);
        let (made, operations) = recording(None, || create_folders(&inner));
        assert_eq!((made.is_ok(), operations.len()), (true, 0));
    }

    #[test]
    fn files_have_the_permissions_of_any_other_file() {
        let root = tempfile::tempdir().unwrap();
        let mode = |name: &str| fs::metadata(root.path().join(name)).unwrap().permissions().mode();
        write_file(&root.path().join("ours"), b"").unwrap();
        fs::write(root.path().join("other"), b"").unwrap();
        assert_eq!(mode("ours"), mode("other"));
    }

    #[test]
    fn a_disk_that_fills_up_leaves_what_was_there() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("folder");
        let files = |content: &str| {
            [("first", content.as_bytes().to_vec()), ("second", content.as_bytes().to_vec())]
        };
        write_folder(&folder, &files("old")).unwrap();
        // Space for the first file and a part of the second, whatever the file system reported.
        let (result, _) = recording(Some(10), || write_folder(&folder, &files("new new")));
        assert!(result.unwrap_err().is_out_of_space());
        let (result, _) = recording(Some(1), || write_file(&folder.join("first"), b"new"));
        assert!(result.unwrap_err().is_out_of_space());
        for name in ["first", "second"] {
            assert_eq!(fs::read_to_string(folder.join(name)).unwrap(), "old");
        }
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "nothing is left behind");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "nothing is left behind");
    }

    /// A killed process leaves only what has a name while the bytes are written.
    #[cfg(target_os = "linux")]
    #[test]
    fn no_file_has_a_name_before_its_content_is_on_the_disk() {
        use disk::Operation::{Rename, SyncFile, SyncFolder, Write};
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("report.html");
        let folder = || SyncFolder(root.path().to_owned());
        let (written, operations) = recording(None, || write_file(&path, b"one"));
        written.unwrap();
        let expected = [Write(path.clone(), b"one".to_vec()), SyncFile(path.clone()), folder()];
        assert_eq!(operations, expected, "a new file has no other name");
        let (written, operations) = recording(None, || write_file(&path, b"two"));
        written.unwrap();
        let [Write(new, _), SyncFile(_), Rename(from, to), last] = &operations[..] else {
            panic!("{operations:?}");
        };
        assert_eq!((new, to, last), (from, &path, &folder()));
        assert_eq!(fs::read(&path).unwrap(), b"two");
    }

    #[test]
    fn more_than_the_disk_has_is_not_begun() {
        let error = require_space(Path::new("."), u64::MAX / 2).unwrap_err();
        assert!(matches!(error, TrainError::NoSpace { .. }), "{error}");
        require_space(Path::new("."), 1).unwrap();
    }
}

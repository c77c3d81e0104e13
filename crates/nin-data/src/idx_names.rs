//! Finds the four files in MNIST's format under the names used elsewhere, such as `train-images.idx3-ubyte`
//! or `emnist-letters-train-images-idx3-ubyte`, and in subfolders, such as torchvision's `MNIST/raw`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::DataError;
use crate::catalogue::FILES;
use crate::files::find;

/// The parts of the name of each of [`FILES`]: the split, the content and the type.
const WORDS: [(&[&str], &str, &str); 4] = [
    (&["train"], "images", "idx3-ubyte"),
    (&["train"], "labels", "idx1-ubyte"),
    (&["t10k", "test"], "images", "idx3-ubyte"),
    (&["t10k", "test"], "labels", "idx1-ubyte"),
];

/// The subfolder that torchvision unpacks a data set to.
const RAW: &str = "raw";

/// A folder with more subfolders holds pictures by class, not data sets.
const MOST_FOLDERS: usize = 32;

/// The files of one data set, in the order of [`FILES`].
type Found = [Option<PathBuf>; 4];

/// Finds the folder that holds the files: this one, or one up to two levels below.
pub(crate) fn folder(folder: &Path, name: &str) -> Option<PathBuf> {
    let raw = folder.join(RAW);
    if let Some(found) = [folder.to_owned(), raw].into_iter().find(|folder| holds_a_file(folder)) {
        return Some(found);
    }
    let mut folders: Vec<PathBuf> = folders_in(folder)
        .into_iter()
        .flat_map(|inner| [inner.join(RAW), inner])
        .filter(|folder| holds_a_file(folder))
        .collect();
    let of_this_name = |found: &PathBuf| {
        let inner = found.strip_prefix(folder).ok().and_then(|inner| inner.iter().next());
        inner.is_some_and(|inner| plain(&inner.to_string_lossy()) == plain(name))
    };
    match folders.len() {
        0 | 1 => folders.pop(),
        _ => folders.into_iter().find(of_this_name),
    }
}

/// Finds the four files in a folder.
///
/// # Errors
/// Returns [`DataError::SeveralSets`] if there are several data sets and none has this name, and
/// [`DataError::MissingFile`].
pub(crate) fn files(folder: &Path, name: &str) -> Result<Vec<PathBuf>, DataError> {
    let missing =
        |index: usize| DataError::MissingFile { folder: folder.to_owned(), name: FILES[index] };
    let mut sets = sets_in(folder);
    let mut found: Found = FILES.map(|file| find(folder, file));
    for (file, other) in found.iter_mut().zip(sets.remove("").unwrap_or_default()) {
        *file = file.take().or(other);
    }
    if found.iter().all(Option::is_none) {
        found = match sets.len() {
            0 => return Err(missing(0)),
            1 => sets.into_values().next().unwrap_or_default(),
            _ => {
                let is_meant = |prefix: &String| plain(prefix) == plain(name);
                let Some(prefix) = sets.keys().find(|prefix| is_meant(prefix)).cloned() else {
                    let names = sets.into_keys().collect();
                    return Err(DataError::SeveralSets { folder: folder.to_owned(), names });
                };
                sets.remove(&prefix).unwrap_or_default()
            }
        };
    }
    let paths = found.into_iter().enumerate();
    paths.map(|(index, path)| path.ok_or_else(|| missing(index))).collect()
}

fn holds_a_file(folder: &Path) -> bool {
    FILES.iter().any(|file| find(folder, file).is_some()) || !sets_in(folder).is_empty()
}

/// Returns the data sets in a folder, keyed by the prefix of their file names.
fn sets_in(folder: &Path) -> BTreeMap<String, Found> {
    let mut sets: BTreeMap<String, Found> = BTreeMap::new();
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    for entry in entries {
        let name = entry.file_name();
        let Some((prefix, index)) = name.to_str().and_then(role) else { continue };
        let file = &mut sets.entry(prefix.to_owned()).or_default()[index];
        // A plain file takes precedence over a compressed one.
        let path = entry.path();
        if file.is_none() || path.extension().is_none_or(|extension| extension != "gz") {
            *file = Some(path);
        }
    }
    sets
}

/// Splits a file name into its prefix and its index in [`FILES`].
fn role(name: &str) -> Option<(&str, usize)> {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    WORDS.iter().enumerate().find_map(|(index, (parts, kind, idx))| {
        parts.iter().find_map(|part| {
            let start = name.strip_suffix(idx)?.strip_suffix(['-', '.'])?;
            let start = start.strip_suffix(kind)?.strip_suffix('-')?.strip_suffix(part)?;
            let prefix = if start.is_empty() { start } else { start.strip_suffix('-')? };
            Some((prefix, index))
        })
    })
}

/// Returns the subfolders of a folder, sorted by name; none if there are more than [`MOST_FOLDERS`].
fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let is_folder = |path: &PathBuf| path.is_dir();
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(is_folder).take(MOST_FOLDERS + 1).collect();
    if folders.len() > MOST_FOLDERS {
        return Vec::new();
    }
    folders.sort();
    folders
}

/// Reduces a name to lower-case letters and digits, so that `Fashion-MNIST` equals `FashionMNIST`.
fn plain(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_follow_from_file_names() {
        for (name, expected) in [
            ("train-images-idx3-ubyte", Some(("", 0))),
            ("train-labels.idx1-ubyte", Some(("", 1))),
            ("t10k-images.idx3-ubyte.gz", Some(("", 2))),
            ("emnist-letters-test-labels-idx1-ubyte.gz", Some(("emnist-letters", 3))),
            ("train-images-idx1-ubyte", None),
            ("mytrain-images-idx3-ubyte", None),
            ("train-images", None),
        ] {
            assert_eq!(role(name), expected, "{name}");
        }
    }

    fn write(folder: &Path, names: &[&str]) {
        std::fs::create_dir_all(folder).unwrap();
        for name in names {
            std::fs::write(folder.join(name), b"").unwrap();
        }
    }

    #[test]
    fn files_are_found_under_other_names_and_in_subfolders() {
        let dotted = ["train-images.idx3-ubyte", "train-labels.idx1-ubyte"];
        for inner in ["", "raw", "MNIST", "MNIST/raw"] {
            let root = tempfile::tempdir().unwrap();
            write(&root.path().join(inner), &dotted);
            let expected = root.path().join(inner);
            assert_eq!(folder(root.path(), "any").unwrap(), expected, "{inner}");
            let error = files(&expected, "any").unwrap_err().to_string();
            assert!(error.contains("no file `t10k-images-idx3-ubyte`"), "{error}");
            write(&expected, &["t10k-images-idx3-ubyte.gz", "test-labels-idx1-ubyte"]);
            let found = files(&expected, "any").unwrap();
            assert_eq!(found[0], expected.join(dotted[0]));
            assert_eq!(found[2], expected.join("t10k-images-idx3-ubyte.gz"));
        }
    }

    #[test]
    fn the_name_selects_one_of_several_data_sets() {
        let root = tempfile::tempdir().unwrap();
        for (set, test) in [("emnist-letters", "test"), ("emnist-digits", "test")] {
            for (part, kind) in [
                ("train", "images-idx3"),
                ("train", "labels-idx1"),
                (test, "images-idx3"),
                (test, "labels-idx1"),
            ] {
                write(root.path(), &[&format!("{set}-{part}-{kind}-ubyte")]);
            }
        }
        let found = files(root.path(), "EMNIST_letters").unwrap();
        assert_eq!(found[2], root.path().join("emnist-letters-test-images-idx3-ubyte"));
        let error = files(root.path(), "mine").unwrap_err();
        assert!(error.to_string().contains("emnist-digits, emnist-letters"), "{error}");
        let both = tempfile::tempdir().unwrap();
        for set in ["MNIST/raw", "FashionMNIST/raw"] {
            write(&both.path().join(set), &["train-images-idx3-ubyte"]);
        }
        assert_eq!(
            folder(both.path(), "fashion-mnist"),
            Some(both.path().join("FashionMNIST/raw"))
        );
        assert_eq!(folder(both.path(), "mine"), None);
    }
}

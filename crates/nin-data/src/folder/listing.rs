//! Lists the pictures of a folder with the class and part of each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization;

use super::part::Part;
use super::skipped::SkippedFiles;
use super::table::{self, TABLE};
use super::walk::walk;
use crate::DataError;

/// Labels have 16 bits.
const MOST_CLASSES: usize = 1 << 16;
/// Positions have 32 bits.
const MOST_PICTURES: usize = u32::MAX as usize;

/// How a folder of pictures assigns classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureLayout {
    /// `DIR/<class>/…`
    ClassFolders,
    /// `DIR/{train,val,test}/<class>/…`
    PartFolders,
    /// `DIR/labels.csv`
    Table,
}

impl PictureLayout {
    /// Describes the layout in words.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::ClassFolders => "a folder per class",
            Self::PartFolders => "a folder per part with a folder per class",
            Self::Table => "pictures with a table, labels.csv",
        }
    }
}

/// A picture of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedPicture {
    /// Its path, relative to the folder of the data set, with `/` separators.
    pub path: String,
    /// Its class.
    pub class: u16,
    /// Its part; `None` if the folder has no parts.
    pub part: Option<Part>,
}

/// The pictures of a folder, before they are read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listing {
    /// The folder.
    pub root: PathBuf,
    /// How it assigns classes.
    pub layout: PictureLayout,
    /// The class names in Unicode NFC, in byte order.
    pub classes: Vec<String>,
    /// The pictures, in byte order of their paths.
    pub pictures: Vec<ListedPicture>,
    /// The other files in the folder.
    pub skipped: SkippedFiles,
}

impl Listing {
    /// Lists a folder of pictures without opening them.
    ///
    /// # Errors
    /// Returns [`DataError::NoPictures`] if no picture has a class, [`DataError::NotUnicode`],
    /// [`DataError::Table`], [`DataError::TooMany`] or [`DataError::Read`].
    pub fn read(root: &Path) -> Result<Self, DataError> {
        let (paths, skipped) = walk(root)?;
        let table = root.join(TABLE);
        let listing = if table.symlink_metadata().is_ok() {
            Self::from_table(root, &table, &paths, skipped)?
        } else {
            Self::from_folders(root, paths, skipped)
        };
        if listing.pictures.is_empty() {
            let (root, skipped) = (root.to_owned(), listing.skipped);
            return Err(DataError::NoPictures { root, skipped });
        }
        for (found, most, what) in [
            (listing.classes.len(), MOST_CLASSES, "classes"),
            (listing.pictures.len(), MOST_PICTURES, "pictures"),
        ] {
            if found > most {
                return Err(DataError::TooMany { root: root.to_owned(), what, found, most });
            }
        }
        Ok(listing)
    }

    fn from_folders(root: &Path, paths: Vec<String>, mut skipped: SkippedFiles) -> Self {
        let parts = part_folders(&paths);
        let place = |path: &str| -> Option<(String, Option<Part>)> {
            let mut names = path.split('/');
            let mut class = names.next()?;
            let mut part = None;
            if let Some(parts) = &parts {
                part = Some(*parts.get(class)?);
                class = names.next()?;
            }
            names.next()?; // the file name; a picture outside the class folders has none left
            Some((class.nfc().collect(), part))
        };
        let mut placed = Vec::new();
        for path in paths {
            match place(&path) {
                Some((class, part)) => placed.push((path, class, part)),
                None => skipped.unlabelled += 1,
            }
        }
        let layout = match parts {
            Some(_) => PictureLayout::PartFolders,
            None => PictureLayout::ClassFolders,
        };
        Self::numbered(root, layout, placed, skipped)
    }

    fn from_table(
        root: &Path,
        table: &Path,
        paths: &[String],
        mut skipped: SkippedFiles,
    ) -> Result<Self, DataError> {
        let rows = table::read(root, table)?;
        let named: BTreeSet<&str> = rows.iter().map(|row| row.path.as_str()).collect();
        skipped.unlabelled += paths.iter().filter(|path| !named.contains(path.as_str())).count();
        // The walk counted the table itself as a file of another type.
        skipped.other_types = skipped.other_types.saturating_sub(1);
        let placed = rows.into_iter().map(|row| (row.path, row.label, row.part)).collect();
        Ok(Self::numbered(root, PictureLayout::Table, placed, skipped))
    }

    fn numbered(
        root: &Path,
        layout: PictureLayout,
        mut placed: Vec<(String, String, Option<Part>)>,
        skipped: SkippedFiles,
    ) -> Self {
        placed.sort_unstable();
        let names: BTreeSet<&str> = placed.iter().map(|(_, class, _)| class.as_str()).collect();
        let classes: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let numbers: BTreeMap<&str, u16> =
            classes.iter().enumerate().map(|(at, name)| (name.as_str(), at as u16)).collect();
        let pictures = placed
            .iter()
            .map(|(path, class, part)| ListedPicture {
                path: path.clone(),
                class: numbers[class.as_str()],
                part: *part,
            })
            .collect();
        Self { root: root.to_owned(), layout, classes: classes.clone(), pictures, skipped }
    }
}

/// Returns the folders that are parts, if the layout has parts: at least two folders (or the only one) that
/// are named like a part and hold subfolders with pictures. A class may also be called `train`.
fn part_folders(paths: &[String]) -> Option<BTreeMap<String, Part>> {
    let mut holds_folders: BTreeMap<&str, bool> = BTreeMap::new();
    for path in paths {
        let Some((top, rest)) = path.split_once('/') else { continue };
        *holds_folders.entry(top).or_default() |= rest.contains('/');
    }
    let parts: BTreeMap<String, Part> = holds_folders
        .iter()
        .filter(|(_, holds)| **holds)
        .filter_map(|(name, _)| Some(((*name).to_owned(), Part::named(name)?)))
        .collect();
    let others = holds_folders.keys().filter(|name| Part::named(name).is_none()).count();
    (parts.len() >= 2 || (parts.len() == 1 && others == 0)).then_some(parts)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn listing(names: &[&str]) -> Result<Listing, DataError> {
        let root = tempfile::tempdir().unwrap();
        for name in names {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
        Listing::read(root.path())
    }

    /// The layout, the classes, the class and part of each picture, and the number without a class.
    type Summary = (PictureLayout, Vec<String>, Vec<(u16, Option<Part>)>, usize);

    fn summary(names: &[&str]) -> Summary {
        let Listing { layout, classes, pictures, skipped, .. } = listing(names).unwrap();
        let pictures = pictures.iter().map(|picture| (picture.class, picture.part)).collect();
        (layout, classes, pictures, skipped.unlabelled)
    }

    #[test]
    fn class_folders_are_sorted_in_byte_order() {
        let (layout, classes, pictures, unlabelled) =
            summary(&["b/1.png", "B/2.png", "a/deep/3.png", "loose.png"]);
        assert_eq!((layout, unlabelled), (PictureLayout::ClassFolders, 1));
        assert_eq!(classes, ["B", "a", "b"]);
        assert_eq!(pictures, [(0, None), (1, None), (2, None)]);
    }

    #[test]
    fn any_two_parts_are_a_split() {
        let (train, test) = (Some(Part::Train), Some(Part::Test));
        let (layout, classes, pictures, unlabelled) =
            summary(&["test/b/1.png", "train/a/2.png", "train/b/3.png", "more/c/4.png"]);
        assert_eq!((layout, unlabelled), (PictureLayout::PartFolders, 1));
        assert_eq!(classes, ["a", "b"]);
        assert_eq!(pictures, [(1, test), (0, train), (1, train)]);
        for name in ["val", "valid", "Validation"] {
            let found = summary(&[&format!("{name}/a/1.png"), "train/a/2.png"]);
            assert!(found.2.contains(&(0, Some(Part::Validation))), "{name}");
        }
    }

    #[test]
    fn a_loose_picture_does_not_hide_a_part() {
        let (layout, _, pictures, unlabelled) =
            summary(&["train/a/1.png", "val/cover.jpg", "val/a/2.png", "test/a/3.png"]);
        assert_eq!((layout, unlabelled), (PictureLayout::PartFolders, 1));
        let parts = [Part::Test, Part::Train, Part::Validation];
        assert_eq!(pictures, parts.map(|part| (0, Some(part))));
    }

    #[test]
    fn a_class_may_be_called_train() {
        for names in [
            &["train/1.png", "bus/2.png"][..],
            &["train/deep/1.png", "bus/2.png"],
            &["train/1.png", "test/2.png"],
        ] {
            let (layout, classes, ..) = summary(names);
            assert_eq!((layout, classes.len()), (PictureLayout::ClassFolders, 2), "{names:?}");
        }
    }

    #[test]
    fn names_that_differ_only_in_unicode_composition_are_one_class() {
        let (_, classes, ..) = summary(&["caf\u{e9}/1.png", "cafe\u{301}/2.png"]);
        assert_eq!(classes, ["caf\u{e9}"]);
    }

    #[test]
    fn a_folder_without_pictures_is_an_error_that_says_what_it_holds() {
        let error = listing(&["a/1.heic", "a/2.txt"]).unwrap_err();
        assert!(matches!(error, DataError::NoPictures { .. }), "{error}");
        assert!(error.hint().contains("HEIC"), "{}", error.hint());
    }
}

//! Finds which layout a folder has, and its files.

use std::path::{Path, PathBuf};

use crate::error::DataError;
use crate::files::find;
use crate::idx_names;
use crate::layout::Layout;

impl Layout {
    /// Returns the path of each of [`Layout::files`], in the same order.
    ///
    /// # Errors
    /// Returns [`DataError::MissingFile`] or [`DataError::SeveralSets`].
    pub(crate) fn paths(self, folder: &Path, name: &str) -> Result<Vec<PathBuf>, DataError> {
        if self == Self::Idx {
            return idx_names::files(folder, name);
        }
        let missing = |name| DataError::MissingFile { folder: folder.to_owned(), name };
        let files = self.files().iter();
        files.map(|file| find(folder, file).ok_or_else(|| missing(file))).collect()
    }

    /// Detects the layout of a folder, and the folder with the files: this one, or the subfolder that an
    /// archive unpacked to. If several layouts match, the one of the name wins.
    pub(crate) fn find(folder: &Path, name: &str) -> Option<(Self, PathBuf)> {
        let expected = Self::expected(name);
        std::iter::once(expected).chain(Self::ALL).find_map(|layout| {
            if layout == Self::Idx {
                return idx_names::folder(folder, name).map(|folder| (layout, folder));
            }
            let inner = layout.subfolder().map(|inner| folder.join(inner));
            let mut folders = std::iter::once(folder.to_owned()).chain(inner);
            let has_a_file =
                |folder: &PathBuf| layout.files().iter().any(|file| find(folder, file).is_some());
            folders.find(has_a_file).map(|folder| (layout, folder))
        })
    }
}

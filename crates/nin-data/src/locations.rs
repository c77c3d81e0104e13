//! Where data sets are looked for.

use std::path::PathBuf;

/// Where distributions install data sets (Debian: `dataset-fashion-mnist`).
const SYSTEM_FOLDER: &str = "/usr/share/datasets";

/// The folders that are searched, in this order, if the user names none. The default has none: only the embedded
/// sample is found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Locations {
    /// `$NIN_DATA`, which has one folder per data set.
    pub own: Option<PathBuf>,
    /// The cache folder, `$XDG_CACHE_HOME/nin` or `~/.cache/nin`.
    pub cache: Option<PathBuf>,
    /// The folder where system packages install data sets.
    pub system: Option<PathBuf>,
}

impl Locations {
    /// Reads the locations from the environment of the process.
    pub fn from_environment() -> Self {
        let folder =
            |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
        Self {
            own: folder("NIN_DATA"),
            cache: cache.map(|cache| cache.join("nin")),
            system: Some(SYSTEM_FOLDER.into()),
        }
    }

    /// Returns the folders to search for a data set, in order.
    pub(crate) fn folders(&self, name: &str) -> Vec<PathBuf> {
        [&self.own, &self.cache, &self.system]
            .into_iter()
            .flatten()
            .map(|folder| folder.join(name))
            .collect()
    }

    /// Returns the folder where a user can put a data set of this name, or `None` without a home directory.
    pub fn writable(&self, name: &str) -> Option<PathBuf> {
        self.own.as_ref().or(self.cache.as_ref()).map(|folder| folder.join(name))
    }
}

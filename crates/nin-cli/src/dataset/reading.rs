//! Opens a data set by name or folder.

use std::path::Path;

use nin_data::{CacheOptions, DataError, DataSet, Locations, PictureOptions};

use crate::error::check_is_local;
use crate::progress::PreparationProgress;

/// How pictures are read.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// Threads that read and decode.
    pub threads: usize,
    /// Whether decoded pictures are kept on disk.
    pub is_cached: bool,
    /// How progress is shown.
    pub progress: &'a PreparationProgress,
    /// Returns whether to stop.
    pub is_stopped: &'a (dyn Fn() -> bool + Sync),
}

impl Reading<'_> {
    /// Opens a data set by name or folder, with options for a folder of pictures.
    pub fn open(
        &self,
        name: &str,
        folder: Option<&Path>,
        pictures: &PictureOptions<'_>,
    ) -> Result<DataSet, DataError> {
        let locations = Locations::from_environment();
        let cache = locations.cache.as_ref().filter(|_| self.is_cached);
        let options = PictureOptions {
            cache: cache.map(|cache| CacheOptions {
                folder: cache.join("pictures"),
                limit: CacheOptions::DEFAULT_LIMIT,
            }),
            threads: self.threads,
            progress: &|done| self.progress.show(done),
            is_stopped: self.is_stopped,
            ..*pictures
        };
        let data = DataSet::open_with(name, folder, &locations, &options);
        self.progress.finish();
        data
    }
}

/// Opens a data set by name or folder, without pictures' options.
pub fn open_data(name: &str, folder: Option<&Path>) -> anyhow::Result<DataSet> {
    if let Some(folder) = folder {
        check_is_local(folder)?;
    }
    Ok(DataSet::open(name, folder, &Locations::from_environment())?)
}

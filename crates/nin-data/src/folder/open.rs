//! Opens a folder of pictures as a data set.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cache::CacheOptions;
use super::inventory::Inventory;
use super::list;
use super::listing::{Listing, PictureLayout};
use super::part::Part;
use super::split::Shares;
use super::store::{PictureStore, StoredFile};
use super::walk::SkippedFiles;
use crate::{DataError, DataSet, FileChecksum, ImageDataset, sha256};

/// The name of the list of pictures, in a run folder and among the checksums.
const LIST: &str = "pictures.csv";

/// How a folder of pictures is opened.
pub struct PictureOptions<'a> {
    /// The input size `[height, width]` of the network, in pixels. A picture whose shorter side exceeds twice
    /// the longer side of the input is reduced to that size.
    pub input_size: [usize; 2],
    /// Channels of every picture, 1 or 3; 0 selects 3 if any picture is in colour, else 1.
    pub channels: usize,
    /// How to split a folder without parts.
    pub shares: Shares,
    /// What to do with pictures that cannot be decoded.
    pub on_bad_picture: OnBadPicture,
    /// Where to cache decoded pictures; `None` decodes them each epoch.
    pub cache: Option<CacheOptions>,
    /// Number of threads that read and decode.
    pub threads: usize,
    /// Called after each picture that is read or decoded, from any thread.
    pub progress: &'a (dyn Fn(Preparing) + Sync),
    /// Called before each picture; `true` interrupts.
    pub is_stopped: &'a (dyn Fn() -> bool + Sync),
}

impl Default for PictureOptions<'_> {
    fn default() -> Self {
        Self {
            input_size: [96, 96],
            channels: 0,
            shares: Shares::default(),
            on_bad_picture: OnBadPicture::Stop,
            cache: None,
            threads: 1,
            progress: &|_| {},
            is_stopped: &|| false,
        }
    }
}

/// What to do with pictures that cannot be decoded. None is skipped silently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnBadPicture {
    /// Fail with an error that names them.
    #[default]
    Stop,
    /// Skip them and report their names.
    Skip,
}

/// Progress of reading a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preparing {
    /// The current stage.
    pub stage: Stage,
    /// Number of pictures done.
    pub done: usize,
    /// Number of pictures in total.
    pub total: usize,
}

/// A stage of opening a folder of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading the files.
    Reading,
    /// Decoding, checking and caching the pictures.
    Decoding,
}

/// Details of a data set that was opened from a folder of pictures.
#[derive(Debug, Clone)]
pub struct PictureSet {
    /// How the folder assigns classes.
    pub layout: PictureLayout,
    /// Whether the content of the pictures decided their parts.
    pub is_split_by_content: bool,
    /// The pictures in use as CSV: `path,label,split,sha256`.
    pub list: String,
    /// The pictures that were skipped.
    pub bad: Vec<BadPicture>,
    /// The other files in the folder.
    pub skipped: SkippedFiles,
    /// Warnings about the cache.
    pub warnings: Vec<String>,
}

/// A picture that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPicture {
    /// Its path, relative to the folder of the data set.
    pub path: String,
    /// Why it cannot be used.
    pub reason: String,
}

impl DataSet {
    /// Opens a folder of pictures. Reads every file and decodes those missing from the cache.
    ///
    /// # Errors
    /// Returns the errors of [`Listing::read`] and [`DataSet::of_inventory`].
    pub fn open_pictures(
        name: &str,
        folder: &Path,
        options: &PictureOptions<'_>,
    ) -> Result<Self, DataError> {
        let inventory = Inventory::read(Listing::read(folder)?, options)?;
        Self::of_inventory(name, &inventory, options)
    }

    /// Builds a data set from an inventory. Decodes the pictures missing from the cache.
    ///
    /// # Errors
    /// Returns [`DataError::BadPictures`] if pictures cannot be decoded and `on_bad_picture` is
    /// [`OnBadPicture::Stop`], and [`DataError::Interrupted`] if stopped.
    pub fn of_inventory(
        name: &str,
        inventory: &Inventory,
        options: &PictureOptions<'_>,
    ) -> Result<Self, DataError> {
        let folder = &inventory.listing.root;
        let channels = match options.channels {
            0 => inventory.channels(),
            channels => channels,
        };
        let (store, mut warnings) = store(folder, inventory, channels, options);
        let progress =
            |done, total| (options.progress)(Preparing { stage: Stage::Decoding, done, total });
        let mut bad: Vec<Option<BadPicture>> = bad_headers(inventory);
        for (at, error) in store.prepare(options.threads, &progress, options.is_stopped)? {
            bad[at].get_or_insert_with(|| bad_picture(inventory, at, &error));
        }
        warnings.extend(store.take_warnings());
        let found: Vec<BadPicture> = bad.iter().flatten().cloned().collect();
        if !found.is_empty() && options.on_bad_picture == OnBadPicture::Stop {
            return Err(DataError::BadPictures { root: folder.clone(), bad: found });
        }
        let parts = inventory.parts(options.shares, |at| bad[at].is_none());
        let store = Arc::new(store);
        let part = |wanted: Part| {
            let chosen = || (0..parts.len()).filter(|&at| parts[at] == wanted && bad[at].is_none());
            ImageDataset::of_pictures(
                &store,
                chosen().map(|at| at as u32).collect(),
                chosen().map(|at| inventory.listing.pictures[at].class).collect(),
            )
        };
        let validation = part(Part::Validation);
        let list = list::write(inventory, &parts, |at| bad[at].is_none());
        let checksum =
            FileChecksum { name: LIST.to_owned(), sha256: sha256(list.as_bytes()), known: None };
        Ok(Self {
            name: name.to_owned(),
            folder: Some(folder.clone()),
            class_names: inventory.listing.classes.clone(),
            train: part(Part::Train),
            validation: (!validation.is_empty()).then_some(validation),
            test: part(Part::Test),
            checksums: vec![checksum],
            pictures: Some(PictureSet {
                layout: inventory.listing.layout,
                is_split_by_content: inventory.is_unsplit(),
                list,
                bad: found,
                skipped: inventory.listing.skipped,
                warnings,
            }),
        })
    }
}

fn store(
    folder: &Path,
    inventory: &Inventory,
    channels: usize,
    options: &PictureOptions<'_>,
) -> (PictureStore, Vec<String>) {
    let files = inventory.listing.pictures.iter().zip(&inventory.files);
    let files = files
        .map(|(picture, file)| StoredFile {
            path: picture.path.as_str().into(),
            content: file.sha256,
        })
        .collect();
    PictureStore::new(folder, files, channels, options.input_size, options.cache.as_ref())
}

fn bad_headers(inventory: &Inventory) -> Vec<Option<BadPicture>> {
    let is_bad = |at: usize| {
        let error = inventory.files[at].header.as_ref().err()?;
        Some(bad_picture(inventory, at, error))
    };
    (0..inventory.files.len()).map(is_bad).collect()
}

fn bad_picture(inventory: &Inventory, at: usize, error: &DataError) -> BadPicture {
    let reason = match error {
        DataError::Picture { source, .. } => source.to_string(),
        DataError::Read { source, .. } => format!("cannot be read: {source}"),
        other => other.to_string(),
    };
    BadPicture { path: inventory.listing.pictures[at].path.clone(), reason }
}

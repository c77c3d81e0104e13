//! Opens a folder of pictures as a data set.

use std::path::Path;
use std::sync::Arc;

use super::bad_picture::BadPicture;
use super::inventory::Inventory;
use super::list;
use super::listing::Listing;
use super::options::{OnBadPicture, PictureOptions, Preparing, Stage};
use super::part::Part;
use super::picture_set::PictureSet;
use super::store::{PictureStore, StoredFile};
use crate::checksum::{FileChecksum, sha256};
use crate::data_set::DataSet;
use crate::error::DataError;
use crate::image_dataset::ImageDataset;

/// The name of the list of pictures, in a run folder and among the checksums.
const LIST: &str = "pictures.csv";

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

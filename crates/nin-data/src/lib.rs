//! Image data sets for Burn: IDX files (MNIST), CIFAR and folders of pictures as burn-dataset's `Dataset`,
//! augmentation, and a data loader whose order depends only on seed and epoch.
//!
//! IDX and CIFAR files are parsed strictly, and no memory is allocated for data that a file does not hold.
//! Pictures decode to the same pixels as in PIL. With the feature `mnist-item`, grey 28x28 images are also
//! items of burn-dataset's own MNIST type.
//!
//! ```
//! use burn_dataset::Dataset;
//! use burn_dataset::transform::{ComposedDataset, PartialDataset, ShuffledDataset};
//! use nin_data::{DataSet, ImageItem, Locations};
//!
//! # fn main() -> Result<(), nin_data::DataError> {
//! let data = DataSet::open("fashion-mnist-sample", None, &Locations::default())?;
//! assert_eq!((data.train.len(), data.test.len()), (6000, 1000));
//!
//! // burn-dataset's transforms accept it like any other data set.
//! let first_ten = PartialDataset::<_, ImageItem>::new(data.train, 0, 10);
//! assert_eq!(first_ten.get(9).map(|item| item.pixels.len()), Some(28 * 28));
//! let rest = PartialDataset::<_, ImageItem>::new(data.test, 990, 1000);
//! let both = ComposedDataset::new(vec![first_ten, rest]);
//! let shuffled = ShuffledDataset::<_, ImageItem>::with_seed(both, 42);
//! assert_eq!(shuffled.iter().count(), 20);
//! # Ok(())
//! # }
//! ```

mod augmentation;
mod batch;
mod catalogue;
mod checksum;
mod cifar;
mod class_file;
mod corruption;
mod data_set;
mod detection;
mod error;
mod files;
mod folder;
mod gaps;
mod idx;
mod idx_names;
mod image_dataset;
mod layout;
mod loader;
mod locations;
mod mixing;
mod names;
mod open;
mod own_file;
mod planes;
mod read;
mod sample;
mod selection;
mod share;
mod targets;

pub use augmentation::{Augmentation, ColourJitter};
pub use batch::{HostBatch, ImageBatch};
pub use catalogue::{
    CIFAR10, CIFAR100, FASHION_MNIST, FASHION_MNIST_SAMPLE, KnownFile, MNIST, class_names,
    known_files,
};
pub use checksum::{FileChecksum, sha256};
pub use cifar::read_cifar;
pub use corruption::{Corruption, CorruptionKind};
pub use data_set::DataSet;
pub use error::DataError;
pub use folder::{
    BadPicture, CacheOptions, Inventory, InventoryFile, ListedPicture, Listing, OnBadPicture, Part,
    PictureLayout, PictureOptions, PictureRow, PictureSet, Preparing, Problem, Shares,
    SkippedFiles, Stage, list_pictures, parse_picture_list,
};
pub use idx::{read_images, read_labels};
pub use image_dataset::{ImageDataset, ImageItem, ImageView, Images};
pub use layout::Cifar;
pub use loader::{BurnLoader, EpochBatches, OrderedLoader};
pub use locations::Locations;
pub use mixing::{MixedTargets, Mixing};
pub use nin_picture::{
    Picture, PictureError, PictureFormat, PictureHeader, foreign_ending, read_picture,
};
pub use sample::choose as choose_sample;
pub use selection::Selection;
pub use share::{Place, Share};

/// How the crates of this workspace open files that must be their own. No part of the interface.
#[doc(hidden)]
pub mod own_files {
    pub use crate::own_file::{
        FolderId, NotOwn, create_own_folder, open_own, open_own_or_anew, open_unlinked,
        require_file, require_folder,
    };
}

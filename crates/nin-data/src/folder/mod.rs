//! Folders of pictures as data sets: lists them, assigns class and part, reads, verifies, decodes and caches
//! them.

mod bad_picture;
mod cache;
mod inventory;
mod list;
mod listing;
mod open;
mod options;
mod part;
mod picture_set;
mod problems;
mod skipped;
mod split;
mod store;
mod table;
mod walk;

pub use bad_picture::BadPicture;
pub use cache::CacheOptions;
pub use inventory::{Inventory, InventoryFile};
pub use list::{PictureRow, parse_picture_list};
pub use listing::{ListedPicture, Listing, PictureLayout};
pub use options::{OnBadPicture, PictureOptions, Preparing, Stage};
pub use part::Part;
pub use picture_set::PictureSet;
pub use problems::Problem;
pub use skipped::SkippedFiles;
pub use split::Shares;
pub use walk::list_pictures;

pub(crate) use store::PictureStore;
pub(crate) use walk::holds_pictures;

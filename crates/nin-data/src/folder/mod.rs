//! Folders of pictures as data sets: lists them, assigns class and part, reads, verifies, decodes and caches
//! them.

mod cache;
mod inventory;
mod list;
mod listing;
mod open;
mod part;
mod problems;
mod split;
mod store;
mod table;
mod walk;

pub use cache::CacheOptions;
pub use inventory::{Inventory, InventoryFile};
pub use list::{PictureRow, parse_picture_list};
pub use listing::{ListedPicture, Listing, PictureLayout};
pub use open::{BadPicture, OnBadPicture, PictureOptions, PictureSet, Preparing, Stage};
pub use part::Part;
pub use problems::Problem;
pub use split::Shares;
pub use walk::{SkippedFiles, list_pictures};

pub(crate) use store::PictureStore;
pub(crate) use walk::holds_pictures;

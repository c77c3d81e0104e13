//! Options for opening a folder of pictures, and its progress.

use serde::{Deserialize, Serialize};

use super::cache::CacheOptions;
use super::split::Shares;

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

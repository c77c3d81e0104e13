//! Reads and decodes the pictures of a data set on demand.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sha2::{Digest, Sha256};

use super::cache::{Cache, CacheOptions, Key};
use super::split::Content;
use crate::files::open;
use crate::{DataError, Picture, PictureError, read_picture};

/// The pictures of a data set by position: the path and content of each.
#[derive(Debug)]
pub(crate) struct PictureStore {
    root: PathBuf,
    files: Vec<StoredFile>,
    channels: usize,
    /// The input size `[height, width]` that pictures are reduced for.
    input: [usize; 2],
    cache: Option<Cache>,
}

/// The file of a picture.
#[derive(Debug, Clone)]
pub(super) struct StoredFile {
    /// The path relative to the root.
    pub(super) path: Box<str>,
    pub(super) content: Content,
}

impl PictureStore {
    /// Creates a store of these files. Also returns warnings about the cache.
    pub(super) fn new(
        root: &Path,
        files: Vec<StoredFile>,
        channels: usize,
        input: [usize; 2],
        cache: Option<&CacheOptions>,
    ) -> (Self, Vec<String>) {
        let mut warnings = Vec::new();
        let cache = cache.and_then(|options| {
            let wanted: std::collections::HashSet<Content> =
                files.iter().map(|file| file.content).collect();
            let key = Key { root, channels, input: input[0].max(input[1]) };
            match Cache::open(options, &key, |content| wanted.contains(content)) {
                Ok(cache) => Some(cache),
                Err(error) => {
                    let folder = options.folder.display();
                    warnings.push(format!(
                        "no cache in `{folder}`: {error}; pictures are decoded each epoch"
                    ));
                    None
                }
            }
        });
        (Self { root: root.to_owned(), files, channels, input, cache }, warnings)
    }

    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    pub(crate) fn file_name(&self, position: usize) -> Option<&str> {
        self.files.get(position).map(|file| &*file.path)
    }

    /// Returns the planes and `[height, width]` of a picture: decoded, converted to the channels of the store
    /// and reduced.
    pub(crate) fn load(&self, position: usize) -> Result<(Vec<u8>, [usize; 2]), DataError> {
        let count = self.files.len();
        let file = self.files.get(position).ok_or(DataError::NoImage { index: position, count })?;
        if let Some(found) = self.cache.as_ref().and_then(|cache| cache.get(&file.content)) {
            return Ok(found);
        }
        self.decode(file)
    }

    fn decode(&self, file: &StoredFile) -> Result<(Vec<u8>, [usize; 2]), DataError> {
        let path = self.root.join(&*file.path);
        let bytes = read_file(&path)?;
        if content_of(&bytes) != file.content {
            return Err(DataError::PictureChanged { path });
        }
        let reduced = |picture: Picture| {
            let is_grey = self.channels == 1;
            let picture = if is_grey { picture.into_grey() } else { picture.into_colour() };
            picture.reduced(self.input)
        };
        let picture = Picture::decode_then(&bytes, reduced)
            .map_err(|source| DataError::Picture { path, source })?;
        let (planes, size) = (picture.planes.concat(), picture.size);
        if let Some(cache) = &self.cache {
            cache.add(&file.content, &planes, size, self.channels);
        }
        Ok((planes, size))
    }

    /// Decodes every picture missing from the cache on `threads` threads. Returns the position and error of
    /// those that cannot be used, in order. `progress` receives the number done and the total.
    pub(super) fn prepare(
        &self,
        threads: usize,
        progress: &(dyn Fn(usize, usize) + Sync),
        is_stopped: &(dyn Fn() -> bool + Sync),
    ) -> Result<Vec<(usize, DataError)>, DataError> {
        let is_there =
            |file: &StoredFile| self.cache.as_ref().is_some_and(|cache| cache.has(&file.content));
        let missing: Vec<usize> =
            (0..self.files.len()).filter(|&at| !is_there(&self.files[at])).collect();
        let bad = in_parallel(missing.len(), threads, is_stopped, progress, |number| {
            let at = missing[number];
            Some((at, self.decode(&self.files[at]).err()?))
        })?;
        Ok(bad.into_iter().flatten().collect())
    }

    /// Takes the warnings of the cache since the last call.
    pub(super) fn take_warnings(&self) -> Vec<String> {
        self.cache.as_ref().map_or_else(Vec::new, Cache::take_warnings)
    }
}

/// Computes the SHA-256 of the bytes of a file.
pub(super) fn content_of(bytes: &[u8]) -> Content {
    Sha256::digest(bytes).into()
}

/// Reads the file of a picture.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, DataError> {
    read_picture(open(path)?).map_err(|error| {
        let path = path.to_owned();
        match error {
            PictureError::Unreadable { source } => DataError::Read { path, source },
            source => DataError::Picture { path, source },
        }
    })
}

/// Calls `work` for each number below `count` on `threads` threads. Returns the results in order.
pub(super) fn in_parallel<T: Send>(
    count: usize,
    threads: usize,
    is_stopped: &(dyn Fn() -> bool + Sync),
    progress: &(dyn Fn(usize, usize) + Sync),
    work: impl Fn(usize) -> T + Sync,
) -> Result<Vec<T>, DataError> {
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let stopped = AtomicBool::new(false);
    let run = || {
        let mut results = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count || stopped.load(Ordering::Relaxed) {
                return results;
            }
            if is_stopped() {
                stopped.store(true, Ordering::Relaxed);
                return results;
            }
            results.push((number, work(number)));
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, count);
        }
    };
    let mut results = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(count)).map(|_| scope.spawn(run)).collect();
        let mut results = run();
        for other in others {
            match other.join() {
                Ok(found) => results.extend(found),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    });
    if stopped.load(Ordering::Relaxed) {
        return Err(DataError::Interrupted);
    }
    results.sort_unstable_by_key(|(number, _)| *number);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

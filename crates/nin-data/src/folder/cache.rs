//! Caches decoded pictures on disk, so that each is decoded once instead of every epoch.
//!
//! There is one cache file per picture folder, number of channels and input size. Entries are appended and
//! never changed: SHA-256 of the picture file, height, width, CRC-32, planes. An entry is read with one
//! system call and verified; a damaged, truncated or foreign entry is a miss. One process at a time writes a
//! cache. Others read the entries that existed when they opened it.
//!
//! A cache saves time and never changes a result. If it cannot be written (full or read-only disk, another
//! writer, size limit), pictures are decoded each epoch, and a warning says so.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use super::split::Content;
use crate::own_file::open_own_or_anew;

/// The format and its version.
const MAGIC: [u8; 8] = *b"ninpic01";
const HEADER: usize = 32 + 4 + 4 + 4;
const ENDING: &str = "pictures";
/// The largest entry, in bytes: a colour picture of 2^26 pixels.
const LARGEST_ENTRY: u64 = 3 << 26;

/// Where decoded pictures are cached, and how much space they may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheOptions {
    /// The folder that holds all caches.
    pub folder: PathBuf,
    /// The size limit of all caches together, in bytes.
    pub limit: u64,
}

impl CacheOptions {
    /// The default limit: 16 GiB.
    pub const DEFAULT_LIMIT: u64 = 16 << 30;
}

/// The cache of a folder of pictures.
#[derive(Debug)]
pub(super) struct Cache {
    file: File,
    index: RwLock<HashMap<Content, Entry>>,
    writer: Mutex<Option<Writer>>,
    warnings: Mutex<Vec<String>>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// The offset of the entry's header in the file.
    offset: u64,
    size: [u32; 2],
    channels: usize,
}

impl Entry {
    fn length(&self) -> u64 {
        self.channels as u64 * u64::from(self.size[0]) * u64::from(self.size[1])
    }
}

#[derive(Debug)]
struct Writer {
    end: u64,
    limit: u64,
}

/// Identifies a cache: a picture folder, and how its pictures are prepared.
#[derive(Debug)]
pub(super) struct Key<'a> {
    pub(super) root: &'a Path,
    pub(super) channels: usize,
    /// The longer side of the network's input, in pixels.
    pub(super) input: usize,
}

impl Cache {
    /// Opens or creates the cache of a folder. Clears it if more than half of it belongs to pictures that no
    /// longer exist.
    pub(super) fn open(
        options: &CacheOptions,
        key: &Key<'_>,
        is_wanted: impl Fn(&Content) -> bool,
    ) -> io::Result<Self> {
        fs::create_dir_all(&options.folder)?;
        let path = options.folder.join(key.file_name());
        let file = open_own_or_anew(&path)?;
        let is_writer = file.try_lock().is_ok();
        let (mut index, mut end) = read_index(&file, key.channels)?;
        let length = |entry: &Entry| HEADER as u64 + entry.length();
        let wanted: u64 = index
            .iter()
            .filter(|(content, _)| is_wanted(content))
            .map(|(_, entry)| length(entry))
            .sum();
        let mut warnings = Vec::new();
        let writer = if is_writer {
            if end == 0 || wanted * 2 < end {
                index.clear();
                file.set_len(0)?;
                file.write_all_at(&MAGIC, 0)?;
                end = MAGIC.len() as u64;
            }
            // Drop the partial entry of a killed process.
            file.set_len(end)?;
            // Mark the cache as recently used; the least recently used one is removed first.
            file.set_modified(SystemTime::now())?;
            let others = make_room(&options.folder, &path, options.limit)?;
            Some(Writer { end, limit: options.limit.saturating_sub(others) })
        } else {
            warnings.push(
                "another process is writing the cache of these pictures; those that it lacks now are \
                 decoded each epoch"
                    .to_owned(),
            );
            None
        };
        Ok(Self {
            file,
            index: RwLock::new(index),
            writer: Mutex::new(writer),
            warnings: Mutex::new(warnings),
        })
    }

    /// Returns whether there is an entry for a picture, judging by the header alone.
    pub(super) fn has(&self, content: &Content) -> bool {
        self.index.read().unwrap_or_else(PoisonError::into_inner).contains_key(content)
    }

    /// Returns the planes and `[height, width]` of a picture if its entry is intact.
    pub(super) fn get(&self, content: &Content) -> Option<(Vec<u8>, [usize; 2])> {
        let entry = {
            let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
            *index.get(content)?
        };
        let mut bytes = vec![0; HEADER + entry.length() as usize];
        let is_whole = self.file.read_exact_at(&mut bytes, entry.offset).is_ok()
            && bytes[..32] == content[..]
            && checksum(&bytes) == u32_at(&bytes, 40);
        if !is_whole {
            self.index.write().unwrap_or_else(PoisonError::into_inner).remove(content);
            return None;
        }
        bytes.drain(..HEADER);
        Some((bytes, entry.size.map(|side| side as usize)))
    }

    /// Adds a picture. After a failure it records a warning and adds no further pictures.
    pub(super) fn add(&self, content: &Content, planes: &[u8], size: [usize; 2], channels: usize) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Writer { end, limit }) = &mut *writer else { return };
        if self.has(content) {
            return;
        }
        let size = size.map(|side| side as u32);
        let entry = Entry { offset: *end, size, channels };
        let mut bytes = Vec::with_capacity(HEADER + planes.len());
        bytes.extend_from_slice(content);
        bytes.extend(size.iter().flat_map(|side| side.to_le_bytes()));
        bytes.extend([0; 4]);
        bytes.extend_from_slice(planes);
        let sum = checksum(&bytes);
        bytes[40..44].copy_from_slice(&sum.to_le_bytes());
        let failure = if *end + bytes.len() as u64 > *limit {
            Some(format!("the cache of pictures has reached its limit of {limit} bytes"))
        } else {
            let written = self.file.write_all_at(&bytes, *end);
            written.err().map(|error| format!("cannot write the cache of pictures: {error}"))
        };
        if let Some(failure) = failure {
            // The next process must not read a partial entry.
            let _ = self.file.set_len(*end);
            *writer = None;
            let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
            warnings.push(format!("{failure}; the others are decoded each epoch"));
            return;
        }
        *end += bytes.len() as u64;
        self.index.write().unwrap_or_else(PoisonError::into_inner).insert(*content, entry);
    }

    /// Takes the warnings recorded since the last call.
    pub(super) fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Key<'_> {
    fn file_name(&self) -> String {
        use std::os::unix::ffi::OsStrExt;
        let Self { root, channels, input } = self;
        let root = fs::canonicalize(root).unwrap_or_else(|_| root.to_path_buf());
        let described =
            [format!("{channels} {input} ").as_bytes(), root.as_os_str().as_bytes()].concat();
        let sum = crate::sha256(&described);
        format!("{}.{ENDING}", &sum[..24])
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Computes the checksum of an entry, excluding the four bytes of the checksum itself.
fn checksum(entry: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&entry[..40]);
    sum.update(&entry[HEADER..]);
    sum.finalize()
}

/// Reads the headers of all entries. Returns the index and the end of the last complete entry, or 0 if the
/// file is not a cache.
fn read_index(file: &File, channels: usize) -> io::Result<(HashMap<Content, Entry>, u64)> {
    let length = file.metadata()?.len();
    let mut index = HashMap::new();
    let mut magic = [0; MAGIC.len()];
    if length < MAGIC.len() as u64 || file.read_exact_at(&mut magic, 0).is_err() || magic != MAGIC {
        return Ok((index, 0));
    }
    let mut offset = MAGIC.len() as u64;
    let mut header = [0; HEADER];
    while offset + HEADER as u64 <= length {
        file.read_exact_at(&mut header, offset)?;
        let size = [u32_at(&header, 32), u32_at(&header, 36)];
        let entry = Entry { offset, size, channels };
        let pixels = u64::from(size[0]) * u64::from(size[1]) * channels as u64;
        let end = offset + HEADER as u64 + pixels.min(LARGEST_ENTRY);
        if pixels == 0 || pixels > LARGEST_ENTRY || end > length {
            break;
        }
        let mut content = [0; 32];
        content.copy_from_slice(&header[..32]);
        index.insert(content, entry);
        offset = end;
    }
    Ok((index, offset))
}

/// Removes other caches, least recently used first, until they fit into half of the limit. Returns the bytes
/// that the remaining ones take.
fn make_room(folder: &Path, own: &Path, limit: u64) -> io::Result<u64> {
    let mut others = Vec::new();
    for entry in fs::read_dir(folder)?.filter_map(Result::ok) {
        let path = entry.path();
        let is_cache = path.extension().is_some_and(|ending| ending == ENDING) && path != own;
        if let Ok(metadata) = entry.metadata()
            && is_cache
            && metadata.is_file()
        {
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            others.push((used, metadata.len(), path));
        }
    }
    others.sort();
    let mut taken: u64 = others.iter().map(|(_, length, _)| length).sum();
    for (_, length, path) in others {
        if taken <= limit / 2 {
            break;
        }
        let is_free = File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
        if is_free && fs::remove_file(&path).is_ok() {
            taken -= length;
        }
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(folder: &Path, limit: u64) -> CacheOptions {
        CacheOptions { folder: folder.to_owned(), limit }
    }

    fn open(folder: &Path, limit: u64) -> Cache {
        let key = Key { root: Path::new("/photos"), channels: 3, input: 2 };
        Cache::open(&options(folder, limit), &key, |_| true).unwrap()
    }

    fn path(folder: &Path) -> PathBuf {
        fs::read_dir(folder).unwrap().next().unwrap().unwrap().path()
    }

    const PLANES: [u8; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

    #[test]
    fn entries_persist_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let cache = open(folder.path(), 1 << 20);
        cache.add(&[1; 32], &PLANES, [2, 2], 3);
        cache.add(&[2; 32], &PLANES[..6], [1, 2], 3);
        assert_eq!(cache.get(&[1; 32]), Some((PLANES.to_vec(), [2, 2])));
        drop(cache);
        let cache = open(folder.path(), 1 << 20);
        assert_eq!(cache.get(&[2; 32]), Some((PLANES[..6].to_vec(), [1, 2])));
        assert!(cache.take_warnings().is_empty() && cache.get(&[3; 32]).is_none());
    }

    #[test]
    fn a_second_process_reads_but_does_not_write() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(folder.path(), 1 << 20);
        first.add(&[1; 32], &PLANES, [2, 2], 3);
        let second = open(folder.path(), 1 << 20);
        second.add(&[2; 32], &PLANES, [2, 2], 3);
        assert!(second.has(&[1; 32]) && !second.has(&[2; 32]));
        assert_eq!(second.take_warnings().len(), 1);
    }

    #[test]
    fn flipped_bits_and_truncation_are_misses_and_never_another_picture() {
        let folder = tempfile::tempdir().unwrap();
        let cache = open(folder.path(), 1 << 20);
        cache.add(&[1; 32], &PLANES, [2, 2], 3);
        cache.add(&[2; 32], &PLANES, [1, 4], 3);
        drop(cache);
        let path = path(folder.path());
        let whole = fs::read(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &bytes).unwrap();
            let cache = open(folder.path(), 1 << 20);
            for (content, size) in [([1; 32], [2, 2]), ([2; 32], [1, 4])] {
                let found = cache.get(&content);
                assert!(found.is_none() || found == Some((PLANES.to_vec(), size)), "{bit}");
            }
        }
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let cache = open(folder.path(), 1 << 20);
            assert!(cache.get(&[2; 32]).is_none(), "{length}");
            cache.add(&[2; 32], &PLANES, [1, 4], 3);
            assert_eq!(cache.get(&[2; 32]), Some((PLANES.to_vec(), [1, 4])), "{length}");
        }
    }

    #[test]
    fn a_full_cache_warns_once_and_stays_intact() {
        let folder = tempfile::tempdir().unwrap();
        let cache = open(folder.path(), 100);
        for number in 0..9 {
            cache.add(&[number; 32], &PLANES, [2, 2], 3);
        }
        assert!(cache.has(&[0; 32]) && !cache.has(&[8; 32]));
        let warnings = cache.take_warnings();
        assert!(warnings.len() == 1 && warnings[0].contains("limit of 100 bytes"), "{warnings:?}");
        drop(cache);
        assert!(open(folder.path(), 100).get(&[0; 32]).is_some());
    }

    #[test]
    fn the_least_recently_used_cache_is_removed_first() {
        let folder = tempfile::tempdir().unwrap();
        for (name, age) in [("old", 200), ("new", 100)] {
            let file = File::create(folder.path().join(format!("{name}.{ENDING}"))).unwrap();
            file.set_len(60).unwrap();
            let used = SystemTime::now() - std::time::Duration::from_secs(age);
            file.set_modified(used).unwrap();
        }
        fs::write(folder.path().join("thesis.txt"), [0; 999]).unwrap();
        drop(open(folder.path(), 200));
        let left = |name: &str| folder.path().join(name).exists();
        assert!(!left("old.pictures") && left("new.pictures") && left("thesis.txt"));
    }

    #[test]
    fn pictures_that_no_longer_exist_do_not_fill_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        let cache = open(folder.path(), 1 << 20);
        for number in 0..9 {
            cache.add(&[number; 32], &PLANES, [2, 2], 3);
        }
        drop(cache);
        let key = Key { root: Path::new("/photos"), channels: 3, input: 2 };
        let options = options(folder.path(), 1 << 20);
        let cache = Cache::open(&options, &key, |content| content[0] < 2).unwrap();
        assert!(!cache.has(&[0; 32]));
        assert_eq!(fs::metadata(path(folder.path())).unwrap().len(), 8);
    }
}

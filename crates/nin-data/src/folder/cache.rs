//! Decoded pictures on disk, so that each is decoded once and not every epoch.
//!
//! A cache is one file for a folder of pictures and a preparation. Records are appended and never
//! changed: SHA-256 of the picture's file, height, width, CRC-32, planes. They are found by position,
//! read with one system call, and checked; what is damaged, cut off or another picture's is decoded
//! anew. One process writes a cache at a time; others read what was there when they opened it.
//!
//! Nothing depends on a cache but time. Where it cannot be written (a full or read-only disk, another
//! writer, its size limit) pictures are decoded each epoch, and a warning says so.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use super::split::Content;

/// Format and version.
const MAGIC: [u8; 8] = *b"ninpic01";
const HEADER: usize = 32 + 4 + 4 + 4;
const ENDING: &str = "pictures";
/// No record is larger: a picture of 2^26 pixels in colour.
const LARGEST_RECORD: u64 = 3 << 26;

/// Where decoded pictures are kept, and how many bytes of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheOptions {
    /// The folder of all caches.
    pub folder: PathBuf,
    /// The most bytes that all caches together take.
    pub limit: u64,
}

impl CacheOptions {
    /// The bytes that caches take unless told otherwise: 16 GiB.
    pub const DEFAULT_LIMIT: u64 = 16 << 30;
}

/// The cache of a folder of pictures.
#[derive(Debug)]
pub(super) struct Cache {
    file: File,
    index: RwLock<HashMap<Content, Record>>,
    writer: Mutex<Option<Writer>>,
    warnings: Mutex<Vec<String>>,
}

#[derive(Debug, Clone, Copy)]
struct Record {
    /// Of the record's header.
    offset: u64,
    size: [u32; 2],
    channels: usize,
}

impl Record {
    fn length(&self) -> u64 {
        self.channels as u64 * u64::from(self.size[0]) * u64::from(self.size[1])
    }
}

#[derive(Debug)]
struct Writer {
    end: u64,
    limit: u64,
}

/// What a cache is for: a folder, and how its pictures are prepared.
#[derive(Debug)]
pub(super) struct Key<'a> {
    pub(super) root: &'a Path,
    pub(super) channels: usize,
    /// The largest side of the network's input; 0 where pictures keep their size.
    pub(super) input: usize,
}

impl Cache {
    /// Opens the cache of a folder, or makes it. Records of pictures that are no longer there are
    /// dropped where they are more than half of it.
    pub(super) fn open(
        options: &CacheOptions,
        key: &Key<'_>,
        is_wanted: impl Fn(&Content) -> bool,
    ) -> io::Result<Self> {
        fs::create_dir_all(&options.folder)?;
        let path = options.folder.join(key.file_name());
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(NO_FOLLOW)
            .open(&path)?;
        let is_writer = file.try_lock().is_ok();
        let (mut index, mut end) = read_index(&file, key.channels)?;
        let length = |record: &Record| HEADER as u64 + record.length();
        let wanted: u64 = index
            .iter()
            .filter(|(content, _)| is_wanted(content))
            .map(|(_, record)| length(record))
            .sum();
        let mut warnings = Vec::new();
        let writer = if is_writer {
            if end == 0 || wanted * 2 < end {
                index.clear();
                file.set_len(0)?;
                file.write_all_at(&MAGIC, 0)?;
                end = MAGIC.len() as u64;
            }
            // What a killed process left unfinished.
            file.set_len(end)?;
            // The time of last use: whose is longest ago is removed first.
            file.set_modified(SystemTime::now())?;
            let others = make_room(&options.folder, &path, options.limit)?;
            Some(Writer { end, limit: options.limit.saturating_sub(others) })
        } else {
            warnings.push(
                "another process fills the cache of these pictures: those that it lacks now are \
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

    /// Whether a picture is there, as far as its record's header tells.
    pub(super) fn has(&self, content: &Content) -> bool {
        self.index.read().unwrap_or_else(PoisonError::into_inner).contains_key(content)
    }

    /// The planes and `[height, width]` of a picture, where they are there and whole.
    pub(super) fn get(&self, content: &Content) -> Option<(Vec<u8>, [usize; 2])> {
        let record = {
            let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
            *index.get(content)?
        };
        let mut bytes = vec![0; HEADER + record.length() as usize];
        let is_whole = self.file.read_exact_at(&mut bytes, record.offset).is_ok()
            && bytes[..32] == content[..]
            && checksum(&bytes) == u32_at(&bytes, 40);
        if !is_whole {
            self.index.write().unwrap_or_else(PoisonError::into_inner).remove(content);
            return None;
        }
        bytes.drain(..HEADER);
        Some((bytes, record.size.map(|side| side as usize)))
    }

    /// Adds a picture. Where that fails it is not there, a warning is kept, and nothing more is added.
    pub(super) fn add(&self, content: &Content, planes: &[u8], size: [usize; 2], channels: usize) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Writer { end, limit }) = &mut *writer else { return };
        if self.has(content) {
            return;
        }
        let size = size.map(|side| side as u32);
        let record = Record { offset: *end, size, channels };
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
            // A record that is there in part must not be read by the next process.
            let _ = self.file.set_len(*end);
            *writer = None;
            let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
            warnings.push(format!("{failure}; the others are decoded each epoch"));
            return;
        }
        *end += bytes.len() as u64;
        self.index.write().unwrap_or_else(PoisonError::into_inner).insert(*content, record);
    }

    /// What went wrong since the last call, a sentence each.
    pub(super) fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// `O_NOFOLLOW` of Linux; a link at the cache's place is no cache.
#[cfg(any(target_os = "linux", target_os = "android"))]
const NO_FOLLOW: i32 = 0o400_000;
/// `O_NOFOLLOW` of BSD and macOS.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const NO_FOLLOW: i32 = 0x100;

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

/// Of a record but for the four bytes in which it stands.
fn checksum(record: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&record[..40]);
    sum.update(&record[HEADER..]);
    sum.finalize()
}

/// The records by their headers, and where the last whole one ends; 0 where the file is none of ours.
fn read_index(file: &File, channels: usize) -> io::Result<(HashMap<Content, Record>, u64)> {
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
        let record = Record { offset, size, channels };
        let pixels = u64::from(size[0]) * u64::from(size[1]) * channels as u64;
        let end = offset + HEADER as u64 + pixels.min(LARGEST_RECORD);
        if pixels == 0 || pixels > LARGEST_RECORD || end > length {
            break;
        }
        let mut content = [0; 32];
        content.copy_from_slice(&header[..32]);
        index.insert(content, record);
        offset = end;
    }
    Ok((index, offset))
}

/// Removes other caches, those first whose use is longest ago, until they take less than the limit;
/// gives what the others take.
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
        // Half of the room is for the pictures at hand.
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
    fn what_was_added_is_there_for_the_next_process() {
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
    fn a_second_process_reads_and_does_not_write() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(folder.path(), 1 << 20);
        first.add(&[1; 32], &PLANES, [2, 2], 3);
        let second = open(folder.path(), 1 << 20);
        second.add(&[2; 32], &PLANES, [2, 2], 3);
        assert!(second.has(&[1; 32]) && !second.has(&[2; 32]));
        assert_eq!(second.take_warnings().len(), 1);
    }

    #[test]
    fn any_flipped_bit_and_any_cut_is_a_miss_and_never_another_picture() {
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
    fn a_full_cache_says_so_once_and_stays_whole() {
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
    fn the_cache_that_was_not_used_longest_makes_room() {
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
    fn pictures_that_are_gone_do_not_fill_the_cache() {
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

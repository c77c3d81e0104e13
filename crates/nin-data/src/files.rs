//! Files of any format, plain or gzip, opened so that nothing but a file is read.

use std::fs::File;
use std::io::{BufReader, Chain, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::DataError;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// No data set of this kind is larger (EMNIST by class, the largest known here, has 522 MiB), and a
/// small .gz that unpacks to more must not fill the memory.
pub(crate) const LARGEST_CONTENT: u64 = 640 << 20;
/// Allocated at once; beyond it a vector grows with what is really there, by an eighth at a time:
/// doubling would ask for twice what the largest file needs.
pub(crate) const FIRST_ALLOCATION: usize = 1 << 20;

type Whole<R> = BufReader<Chain<Cursor<Vec<u8>>, R>>;

/// What a file holds: which of the two it is its first bytes say, not its name.
pub(crate) enum Content<R> {
    Plain(Whole<R>),
    Gzip(MultiGzDecoder<Whole<R>>),
}

impl<R: Read> Content<R> {
    pub(crate) fn of(path: &Path, mut reader: R) -> Result<Self, DataError> {
        let mut start = Vec::new();
        let read = reader.by_ref().take(GZIP_MAGIC.len() as u64).read_to_end(&mut start);
        read.map_err(|source| unreadable(path, 0, source))?;
        let is_gzip = start == GZIP_MAGIC;
        let whole = BufReader::new(Cursor::new(start).chain(reader));
        Ok(if is_gzip { Self::Gzip(MultiGzDecoder::new(whole)) } else { Self::Plain(whole) })
    }
}

/// Opens a file, and nothing else.
pub(crate) fn open(path: &Path) -> Result<File, DataError> {
    let unreadable = |source| DataError::Read { path: path.to_owned(), source };
    // Asked before it is opened: opening a pipe waits for its writer.
    let metadata = path.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        let found = if metadata.is_dir() { "a folder" } else { "a pipe or a device" };
        return Err(malformed(path, "a file", found));
    }
    File::open(path).map_err(unreadable)
}

/// A file's path, plain or .gz; `None` where there is neither.
pub(crate) fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    [folder.join(name), folder.join(format!("{name}.gz"))].into_iter().find(|path| {
        // A dangling link is there, and so is what may not be seen: reading says what is wrong.
        path.symlink_metadata().map_or_else(
            |error| !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
            |_| true,
        )
    })
}

pub(crate) fn unreadable(path: &Path, position: usize, source: std::io::Error) -> DataError {
    use ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    if matches!(source.kind(), InvalidData | InvalidInput | UnexpectedEof) {
        let found = format!("`{source}` after {position} bytes");
        malformed(path, "a whole gzip file", &found)
    } else {
        DataError::Read { path: path.to_owned(), source }
    }
}

pub(crate) fn malformed(path: &Path, expected: &str, found: &str) -> DataError {
    DataError::Malformed {
        path: path.to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}

/// Files that tests make.
#[cfg(test)]
pub(crate) mod made {
    use std::io::Write;

    /// One that holds these bytes.
    pub(crate) fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    /// The bytes, compressed.
    pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }
}

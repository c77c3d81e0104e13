//! Opens plain and gzip files; reads nothing but regular files.

use std::fs::File;
use std::io::{BufReader, Chain, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::DataError;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// The size limit, in bytes, so that a small `.gz` cannot inflate to fill the memory. The largest known data
/// set of this kind, EMNIST by class, has 522 MiB.
pub(crate) const LARGEST_CONTENT: u64 = 640 << 20;
/// The first allocation, in bytes. A vector then grows by an eighth at a time as data arrives; doubling
/// would take twice the memory of the largest file.
pub(crate) const FIRST_ALLOCATION: usize = 1 << 20;

type Whole<R> = BufReader<Chain<Cursor<Vec<u8>>, R>>;

/// The content of a file. The first bytes decide whether it is gzip, not the name.
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

/// Opens a regular file; anything else is an error.
pub(crate) fn open(path: &Path) -> Result<File, DataError> {
    let unreadable = |source| DataError::Read { path: path.to_owned(), source };
    // Check before opening, because opening a pipe blocks until it has a writer.
    let metadata = path.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        let found = if metadata.is_dir() { "a folder" } else { "a pipe or a device" };
        return Err(malformed(path, "a file", found));
    }
    File::open(path).map_err(unreadable)
}

/// Finds a file, plain or `.gz`.
pub(crate) fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    [folder.join(name), folder.join(format!("{name}.gz"))].into_iter().find(|path| {
        // Dangling links and inaccessible files count as found, so that reading reports the cause.
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
        malformed(path, "a complete gzip file", &found)
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

/// Creates files for tests.
#[cfg(test)]
pub(crate) mod made {
    use std::io::Write;

    /// Creates a file that holds these bytes.
    pub(crate) fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    /// Compresses the bytes.
    pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }
}

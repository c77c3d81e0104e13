//! A strict reader for the binary version of CIFAR-10 and CIFAR-100 (Krizhevsky, "Learning Multiple Layers
//! of Features from Tiny Images", 2009; <https://www.cs.toronto.edu/~kriz/cifar.html>). It never allocates
//! more than the files hold.
//!
//! A file is a sequence of records without a header. A record is one label byte (two in CIFAR-100, the
//! coarse label first) and 32x32 red, green and blue values, plane by plane, each row-major.

use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::checksum::hexadecimal;
use crate::error::DataError;
use crate::files::{Content, FIRST_ALLOCATION, LARGEST_CONTENT, malformed, open, unreadable};
use crate::image_dataset::Images;
use crate::layout::Cifar;

const CHANNELS: usize = 3;
const SIDE: usize = 32;
const PIXELS: usize = CHANNELS * SIDE * SIDE;

impl Cifar {
    /// The name and number of values of each label byte of a record; the last label is the class.
    const fn labels(self) -> &'static [(&'static str, u8)] {
        match self {
            Self::Ten => &[("label", 10)],
            Self::Hundred => &[("coarse label", 20), ("fine label", 100)],
        }
    }

    /// Returns the number of classes.
    pub const fn classes(self) -> usize {
        match self {
            Self::Ten => 10,
            Self::Hundred => 100,
        }
    }

    const fn record_length(self) -> usize {
        self.labels().len() + PIXELS
    }
}

/// Reads images and labels from a plain or gzip file. Also returns the SHA-256 of the uncompressed bytes.
///
/// Images are `[3, 32, 32]` bytes.
///
/// # Errors
/// Returns [`DataError::Read`] if the file cannot be read, and [`DataError::Malformed`] if it is not a
/// regular file, is a truncated gzip file, has no record, an incomplete record or a label out of range, or
/// holds more than 640 MiB of pixels.
pub fn read_cifar(path: &Path, kind: Cifar) -> Result<(Images, Vec<u8>, String), DataError> {
    let mut records = Records::default();
    let sum = records.append(path, open(path)?, kind)?;
    let (images, labels) = records.finish();
    Ok((images, labels, sum))
}

/// The records of one or more files.
#[derive(Debug, Default)]
pub(crate) struct Records {
    pixels: Vec<u8>,
    labels: Vec<u8>,
}

impl Records {
    /// Appends the records of a plain or gzip file. Returns the SHA-256 of its uncompressed bytes.
    pub(crate) fn append(
        &mut self,
        path: &Path,
        reader: impl Read,
        kind: Cifar,
    ) -> Result<String, DataError> {
        match Content::of(path, reader)? {
            Content::Plain(reader) => self.append_content(path, reader, kind),
            Content::Gzip(reader) => self.append_content(path, reader, kind),
        }
    }

    fn append_content(
        &mut self,
        path: &Path,
        mut reader: impl Read,
        kind: Cifar,
    ) -> Result<String, DataError> {
        let length = kind.record_length();
        let mut record = Vec::with_capacity(length);
        let mut sum = Sha256::new();
        let mut count = 0;
        loop {
            record.clear();
            let read = reader.by_ref().take(length as u64).read_to_end(&mut record);
            read.map_err(|source| unreadable(path, count * length + record.len(), source))?;
            if record.is_empty() && count > 0 {
                return Ok(hexadecimal(&sum.finalize()));
            }
            if record.len() < length {
                let found = format!("{} bytes", count * length + record.len());
                return Err(malformed(path, &format!("records of {length} bytes"), &found));
            }
            sum.update(&record);
            self.push(path, &record, kind, count)?;
            count += 1;
        }
    }

    fn push(
        &mut self,
        path: &Path,
        record: &[u8],
        kind: Cifar,
        number: usize,
    ) -> Result<(), DataError> {
        let (labels, pixels) = record.split_at(kind.labels().len());
        for (&label, &(name, count)) in labels.iter().zip(kind.labels()) {
            if label >= count {
                let expected = format!("a {name} below {count} in record {}", number + 1);
                return Err(malformed(path, &expected, &label.to_string()));
            }
        }
        if (self.pixels.len() + PIXELS) as u64 > LARGEST_CONTENT {
            let most = LARGEST_CONTENT / PIXELS as u64;
            return Err(malformed(path, &format!("at most {most} records in all"), "more"));
        }
        if self.pixels.capacity() - self.pixels.len() < PIXELS {
            self.pixels.reserve_exact(FIRST_ALLOCATION.max(self.pixels.len() / 8));
        }
        self.pixels.extend_from_slice(pixels);
        self.labels.extend(labels.last());
        Ok(())
    }

    /// Returns the images and labels.
    pub(crate) fn finish(mut self) -> (Images, Vec<u8>) {
        self.pixels.shrink_to_fit();
        let Self { pixels, labels } = self;
        let count = labels.len();
        (Images { count, channels: CHANNELS, height: SIDE, width: SIDE, pixels }, labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::made::{file, gzip};
    use crate::sha256;

    fn record(labels: &[u8], first: u8) -> Vec<u8> {
        let pixels = (0..PIXELS).map(|at| first.wrapping_add((at % 251) as u8));
        labels.iter().copied().chain(pixels).collect()
    }

    #[test]
    fn plain_and_gzip_files_give_the_same_planes() {
        let bytes = [record(&[7], 1), record(&[0], 2)].concat();
        let plain = read_cifar(file(&bytes).path(), Cifar::Ten).unwrap();
        assert_eq!(read_cifar(file(&gzip(&bytes)).path(), Cifar::Ten).unwrap(), plain);
        let (images, labels, sum) = plain;
        assert_eq!((images.count, images.channels, labels), (2, 3, vec![7, 0]));
        assert_eq!(images.pixels, [&bytes[1..3073], &bytes[3074..]].concat());
        assert_eq!(sum, sha256(&bytes));
    }

    #[test]
    fn cifar_100_uses_the_fine_label() {
        let bytes = record(&[19, 99], 1);
        let (images, labels, _) = read_cifar(file(&bytes).path(), Cifar::Hundred).unwrap();
        assert_eq!((images.count, labels, &images.pixels[..]), (1, vec![99], &bytes[2..]));
    }

    #[test]
    fn errors_say_what_was_expected_and_found() {
        let two = [record(&[7], 1), record(&[0], 2)].concat();
        let whole = gzip(&two);
        let ten = |expected, bytes| (expected, Cifar::Ten, bytes);
        let hundred = |expected, bytes| (expected, Cifar::Hundred, bytes);
        let cases: [(&str, Cifar, Vec<u8>); 10] = [
            ten("expected records of 3073 bytes, found 0 bytes", vec![]),
            ten("expected records of 3073 bytes, found 6145 bytes", two[..6145].to_vec()),
            ten("expected records of 3073 bytes, found 6147 bytes", [&two[..], &[1]].concat()),
            ten(
                "a label below 10 in record 2, found 10",
                [&two[..3073], &record(&[10], 0)].concat(),
            ),
            ten("a label below 10 in record 1, found 137", b"\x89PNG".repeat(1000)),
            hundred("a coarse label below 20 in record 1, found 20", record(&[20, 1], 0)),
            hundred("a fine label below 100 in record 1, found 100", record(&[1, 100], 0)),
            hundred("expected records of 3074 bytes, found 6146", two.clone()),
            ten("a complete gzip file", whole[..whole.len() - 9].to_vec()),
            ten("a complete gzip file", [&whole[..], b"more"].concat()),
        ];
        for (expected, kind, bytes) in cases {
            let error = read_cifar(file(&bytes).path(), kind).unwrap_err().to_string();
            assert!(error.contains(expected), "{error} should say {expected}");
        }
    }
}

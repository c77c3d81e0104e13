//! SHA-256 checksums of data set files.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// The SHA-256 of a file of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChecksum {
    /// The name of the file, without `.gz`.
    pub name: String,
    /// The SHA-256 of the uncompressed content, in hexadecimal.
    pub sha256: String,
    /// Whether it matches the published checksum; `None` if none is known.
    pub known: Option<bool>,
}

/// Computes the SHA-256 of some bytes, in hexadecimal.
pub fn sha256(content: &[u8]) -> String {
    hexadecimal(&Sha256::digest(content))
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From FIPS 180-2, appendix B.1.
    #[test]
    fn sha256_gives_the_known_answer() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), expected);
    }
}

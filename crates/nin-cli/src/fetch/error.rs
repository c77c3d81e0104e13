//! What can go wrong with a download.

use std::path::PathBuf;

use nin_data::{DataError, FASHION_MNIST, FASHION_MNIST_SAMPLE};

/// An error of a download.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No connection at all: most likely this computer is off-line.
    #[error("cannot connect to `{host}`: {}", last_cause(source))]
    Unreachable {
        /// The server.
        host: String,
        /// Why not.
        source: reqwest::Error,
    },
    /// One redirect after the other.
    #[error("`{address}` redirects more than {most} times")]
    Redirects {
        /// What was asked for.
        address: String,
        /// As often as is followed.
        most: usize,
    },
    /// The server does not give the file.
    #[error("`{address}` answers with status {status}")]
    Status {
        /// What was asked for.
        address: String,
        /// The code.
        status: u16,
    },
    /// The connection was lost or stalled.
    #[error("`{address}` broke off after {bytes} bytes: {}", last_cause(source))]
    Broken {
        /// What was asked for.
        address: String,
        /// What is there of it.
        bytes: u64,
        /// What happened.
        source: reqwest::Error,
    },
    /// The server gives another part than was asked for.
    #[error("`{address}` does not give the part from byte {bytes} on")]
    Part {
        /// What was asked for.
        address: String,
        /// Where the part begins.
        bytes: u64,
    },
    /// No file of a known data set is so large.
    #[error("`{address}` is larger than {most} bytes")]
    TooLarge {
        /// What was asked for.
        address: String,
        /// The most that is taken.
        most: u64,
    },
    /// What came is no file of a data set.
    #[error("`{address}` is not the file: {source}")]
    Content {
        /// What was asked for.
        address: String,
        /// What is wrong with it.
        source: DataError,
    },
    /// What came is another file.
    #[error("`{address}` is another file: expected SHA-256 {expected}, found {found}")]
    Checksum {
        /// What was asked for.
        address: String,
        /// Of the uncompressed content.
        expected: &'static str,
        /// The same of what came.
        found: String,
    },
    /// A file or folder cannot be written.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// `write`, `create` and so on.
        action: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// Two downloads of one file.
    #[error("another process is fetching `{}`", path.display())]
    Busy {
        /// The file that is not whole yet.
        path: PathBuf,
    },
}

impl FetchError {
    /// Whether it may be another time.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500..=599),
            Self::Broken { .. } | Self::Part { .. } => true,
            Self::Content { .. } | Self::Checksum { .. } => true,
            _ => false,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Unreachable { .. } => format!(
                "without a network: install the package dataset-fashion-mnist (Debian) for \
                 {FASHION_MNIST}, or train on --dataset {FASHION_MNIST_SAMPLE}, which needs no files"
            ),
            Self::Io { .. } => {
                "name another folder with the environment variable NIN_DATA".to_owned()
            }
            Self::Busy { .. } => "wait for its end".to_owned(),
            _ => "fetch it again later, what came so far is kept; or name another server with \
                  --from"
                .to_owned(),
        }
    }
}

/// What an error of several layers comes down to.
fn last_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

//! Download errors.

use std::path::PathBuf;

use nin_data::{DataError, FASHION_MNIST, FASHION_MNIST_SAMPLE};

/// A download error.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No connection: most likely this computer is offline.
    #[error("cannot connect to `{host}`: {}", last_cause(source))]
    Unreachable {
        /// The server.
        host: String,
        /// The cause.
        source: reqwest::Error,
    },
    /// Too many redirects.
    #[error("`{address}` redirects more than {most} times")]
    Redirects {
        /// The requested address.
        address: String,
        /// The limit.
        most: usize,
    },
    /// The server refuses the file.
    #[error("`{address}` returned status {status}")]
    Status {
        /// The requested address.
        address: String,
        /// The status code.
        status: u16,
    },
    /// The connection was lost or stalled.
    #[error("`{address}` failed after {bytes} bytes: {}", last_cause(source))]
    Broken {
        /// The requested address.
        address: String,
        /// The bytes received.
        bytes: u64,
        /// The cause.
        source: reqwest::Error,
    },
    /// The server sends another part than requested.
    #[error("`{address}` did not resume at byte {bytes}")]
    Part {
        /// The requested address.
        address: String,
        /// The position of the requested part.
        bytes: u64,
    },
    /// The file is larger than any file of a known data set.
    #[error("`{address}` is larger than {most} bytes")]
    TooLarge {
        /// The requested address.
        address: String,
        /// The limit.
        most: u64,
    },
    /// The content is not a file of a data set.
    #[error("`{address}` is not the expected file: {source}")]
    Content {
        /// The requested address.
        address: String,
        /// The cause.
        source: DataError,
    },
    /// The content is another file.
    #[error("`{address}` has other content: expected SHA-256 {expected}, found {found}")]
    Checksum {
        /// The requested address.
        address: String,
        /// The known SHA-256 of the uncompressed content.
        expected: &'static str,
        /// The SHA-256 of the received content, uncompressed.
        found: String,
    },
    /// A file or folder cannot be written.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The failed action, such as `write`.
        action: &'static str,
        /// The cause.
        source: std::io::Error,
    },
    /// Another process is downloading the file.
    #[error("another process is fetching `{}`", path.display())]
    Busy {
        /// The incomplete file.
        path: PathBuf,
    },
}

impl FetchError {
    /// Returns whether another attempt may succeed.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500..=599),
            Self::Broken { .. }
            | Self::Part { .. }
            | Self::Content { .. }
            | Self::Checksum { .. } => true,
            _ => false,
        }
    }

    /// Returns the hint.
    pub fn hint(&self) -> String {
        match self {
            Self::Unreachable { .. } => format!(
                "offline, install the package dataset-fashion-mnist (Debian) for {FASHION_MNIST}, \
                 or train on --dataset {FASHION_MNIST_SAMPLE}, which needs no files"
            ),
            Self::Io { .. } => "set the environment variable NIN_DATA to another folder".to_owned(),
            Self::Busy { .. } => "wait until it finishes".to_owned(),
            _ => "try again later (the partial download is kept), or choose another server with \
                  --from"
                .to_owned(),
        }
    }
}

/// Returns the innermost cause of an error.
fn last_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

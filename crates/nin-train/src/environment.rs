//! Where and from what a run was made: `environment.json`.

use nin_data::FileChecksum;
use serde::Serialize;

/// What a run's figures depend on besides its recipe; the program fills it in, a library may.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Environment {
    /// The program's version.
    pub version: String,
    /// The commit that it was built from, where that is known.
    pub commit: Option<String>,
    /// The backend's name.
    pub backend: String,
    /// The device, as people know it.
    pub device: String,
    /// Features of the CPU that kernels may use.
    pub cpu_features: Vec<String>,
    /// Threads that compute.
    pub threads: usize,
    /// The recipe's seed.
    pub seed: u64,
    /// The data set's files.
    pub data: Vec<DataFile>,
}

/// A file of the data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DataFile {
    /// Its name.
    pub name: String,
    /// The SHA-256 of its uncompressed content, in hexadecimal.
    pub sha256: String,
    /// Whether that is the known content of this data set; absent where none is known.
    pub known: Option<bool>,
}

impl From<&FileChecksum> for DataFile {
    fn from(checksum: &FileChecksum) -> Self {
        Self { name: checksum.name.clone(), sha256: checksum.sha256.clone(), known: checksum.known }
    }
}

//! The program, device and data of a run: `environment.json`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use nin_data::FileChecksum;
use serde::{Deserialize, Serialize};

use crate::sealed::read_json;
use crate::{RunFolder, TrainError};

/// What the figures of a run depend on besides its recipe. `nin-cli` fills it in; for users of the library it is
/// optional.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Environment {
    /// The program's version.
    pub version: String,
    /// The commit of the build, if known.
    pub commit: Option<String>,
    /// The backend's name.
    pub backend: String,
    /// The device's name, for display.
    pub device: String,
    /// CPU features that kernels may use.
    pub cpu_features: Vec<String>,
    /// Name of the instruction set that the results of the CPU kernels depend on, in the run's precision; `None` if no
    /// CPU kernel is used, and in files of earlier versions.
    #[serde(default)]
    pub kernels: Option<String>,
    /// Number of compute threads.
    pub threads: usize,
    /// The recipe's seed.
    pub seed: u64,
    /// The files of the data set.
    pub data: Vec<DataFile>,
    /// The data folder as given, so that a resumed run finds it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_folder: Option<PathBuf>,
}

/// A file of the data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// The name.
    pub name: String,
    /// SHA-256 of the uncompressed content, in hexadecimal.
    pub sha256: String,
    /// Whether the content is the published one of this data set; `None` if none is known.
    pub known: Option<bool>,
}

impl Environment {
    /// Compares this environment with the one that the run started with. Returns a warning for each difference that may
    /// change the bits of the result.
    ///
    /// # Errors
    /// [`TrainError::DataChanged`] if the data differs.
    pub(crate) fn check_resumption(&self, run: &RunFolder) -> Result<Vec<String>, TrainError> {
        let path = run.environment_path();
        let old: Self = match read_json(&path) {
            Ok(old) => old,
            Err(error) => {
                return Ok(vec![format!(
                    "{error}: cannot tell whether the run started with this data and this \
                     program"
                )]);
            }
        };
        self.same_data(&old, run)?;
        Ok(self.differences(&old))
    }

    fn same_data(&self, old: &Self, run: &RunFolder) -> Result<(), TrainError> {
        let names: BTreeSet<&str> =
            old.data.iter().chain(&self.data).map(|file| file.name.as_str()).collect();
        for name in names {
            let sum = |environment: &Self| {
                let file = environment.data.iter().find(|file| file.name == name);
                file.map_or_else(|| "none".to_owned(), |file| file.sha256.clone())
            };
            let (expected, found) = (sum(old), sum(self));
            if expected != found {
                let (path, file) = (run.path().to_owned(), name.to_owned());
                return Err(TrainError::DataChanged { path, file, expected, found });
            }
        }
        Ok(())
    }

    /// Returns a warning for each difference that may change bits, apart from the data. The number of threads changes
    /// no bits.
    fn differences(&self, old: &Self) -> Vec<String> {
        let build = |environment: &Self| match &environment.commit {
            Some(commit) => format!("{} ({commit})", environment.version),
            None => environment.version.clone(),
        };
        let features = |environment: &Self| match environment.cpu_features.join(" ") {
            none if none.is_empty() => "none".to_owned(),
            features => features,
        };
        let kernels = |environment: &Self, other: &Self| {
            // Compared only if both files name it.
            environment.kernels.clone().filter(|_| other.kernels.is_some()).unwrap_or_default()
        };
        [
            ("nin-cli", build(old), build(self)),
            ("the backend", old.backend.clone(), self.backend.clone()),
            ("the device", old.device.clone(), self.device.clone()),
            ("the CPU's features", features(old), features(self)),
            ("the kernels", kernels(old, self), kernels(self, old)),
        ]
        .into_iter()
        .filter(|(_, old, new)| old != new)
        .map(|(what, old, new)| {
            format!(
                "the run started with {what} `{old}` and continues with `{new}`: its bits may \
                 differ from those of an uninterrupted run"
            )
        })
        .collect()
    }
}

impl From<&FileChecksum> for DataFile {
    fn from(checksum: &FileChecksum) -> Self {
        Self { name: checksum.name.clone(), sha256: checksum.sha256.clone(), known: checksum.known }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        Environment {
            version: "0.1.0".to_owned(),
            commit: None,
            backend: "flex".to_owned(),
            device: "a CPU".to_owned(),
            cpu_features: vec!["avx2".to_owned(), "fma".to_owned()],
            kernels: Some("avx2".to_owned()),
            threads: 2,
            seed: 42,
            data: vec![DataFile {
                name: "images".to_owned(),
                sha256: "12".to_owned(),
                known: None,
            }],
            data_folder: None,
        }
    }

    #[test]
    fn other_data_is_refused_and_names_the_file() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("recipe.toml"), "").unwrap();
        let run = RunFolder::open(root.path()).unwrap();
        let old = serde_json::to_vec(&environment()).unwrap();
        std::fs::write(run.environment_path(), old).unwrap();
        assert!(environment().check_resumption(&run).unwrap().is_empty());

        let mut other = environment();
        other.data[0].sha256 = "34".to_owned();
        let message = other.check_resumption(&run).unwrap_err().to_string();
        assert!(message.ends_with("`images` had SHA-256 12, now 34"), "{message}");
        other.data.clear();
        let message = other.check_resumption(&run).unwrap_err().to_string();
        assert!(message.ends_with("`images` had SHA-256 12, now none"), "{message}");
    }

    #[test]
    fn other_features_are_a_warning_and_other_threads_are_not() {
        let mut other = environment();
        other.threads = 1;
        assert!(other.differences(&environment()).is_empty());
        other.cpu_features.pop();
        other.version = "0.2.0".to_owned();
        let warnings = other.differences(&environment());
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(
            warnings[1].contains("features `avx2 fma` and continues with `avx2`"),
            "{warnings:?}"
        );
    }

    #[test]
    fn other_kernels_are_a_warning_where_both_are_known() {
        let (mut old, new) = (environment(), environment());
        old.kernels = Some("portable".to_owned());
        let warnings = new.differences(&old);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("the kernels `portable` and continues with `avx2`"));
        // Files of earlier versions lack the key.
        let mut record = serde_json::to_value(environment()).unwrap();
        record.as_object_mut().unwrap().remove("kernels");
        let old: Environment = serde_json::from_value(record).unwrap();
        assert!(new.differences(&old).is_empty() && old.differences(&new).is_empty());
    }

    #[test]
    fn an_unreadable_environment_is_a_warning() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("recipe.toml"), "").unwrap();
        let run = RunFolder::open(root.path()).unwrap();
        for content in ["", "[]", "{\"data\": 3}"] {
            std::fs::write(run.environment_path(), content).unwrap();
            assert_eq!(environment().check_resumption(&run).unwrap().len(), 1, "{content}");
        }
    }
}

//! The data folder: its name, and the one that a run remembers.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use nin_data::{DataSet, FASHION_MNIST_SAMPLE};
use nin_train::RunHistory;
use serde_json::Value;

/// Returns the content of a run's `environment.json`; `None` if the folder holds no run, or the file does not say.
pub fn remembered_environment(run: &Path) -> Option<Value> {
    RunHistory::read(run).ok()?.environment
}

/// Returns the data folder that a run of this environment was started with, if it still exists.
pub fn remembered_folder(environment: &Value) -> Option<PathBuf> {
    let folder = PathBuf::from(environment["data_folder"].as_str()?);
    folder.is_dir().then_some(folder)
}

/// Returns the name of the data: the folder's own name if it contains pictures, or if `dataset` is the embedded
/// sample, which has no folder.
pub fn name_of_data(dataset: &str, folder: Option<&Path>) -> String {
    let is_named_by_folder =
        |folder: &&Path| dataset == FASHION_MNIST_SAMPLE || DataSet::is_of_pictures(folder);
    let Some(folder) = folder.filter(is_named_by_folder) else { return dataset.to_owned() };
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = whole.file_name().unwrap_or(OsStr::new("data"));
    name.to_string_lossy().into_owned()
}

//! Checkpoints: folders with the weights and everything else that a training needs to resume.

mod links;
mod loading;
pub(crate) mod names;
mod selection;
mod state;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path};

use nin_data::sha256;
use nin_model::{ModelMetadata, Weights};
use serde::{Deserialize, Serialize};

pub(crate) use self::links::{check_links, relink};
pub use self::loading::{load_model, read_weights};
pub(crate) use self::selection::{Newest, best_checkpoint, clear_earlier, newest_whole, prune};
pub use self::state::TrainingState;
use crate::bounded::{LARGEST_JSON, open_file, read_file, read_tensors};
use crate::{RunFolder, TrainError, durable};

const MODEL: &str = "model.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const STATE: &str = "state.json";
const MANIFEST: &str = "manifest.json";

/// Longest file of a checkpoint that is read, in bytes. Networks of 2^31 parameters or more are refused earlier.
const LARGEST_FILE: u64 = 16 << 30;

/// A checkpoint in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The metadata in `model.safetensors`.
    pub metadata: ModelMetadata,
    /// The weights, or their average if the recipe has `training.ema_decay`.
    pub weights: Weights,
    /// The optimizer's state by parameter name. If `weights` is an average, also the trained weights.
    pub optimizer: Weights,
    /// Counters, best figures and the state of the sentinel.
    pub state: TrainingState,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: u32,
    files: BTreeMap<String, FileSum>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSum {
    bytes: u64,
    sha256: String,
}

const FORMAT: u32 = 1;

impl Checkpoint {
    /// Returns the name of the folder: `epoch-003` at the end of an epoch, otherwise `step-00000123`.
    pub fn folder_name(&self) -> String {
        self.state.folder_name()
    }

    /// Writes the checkpoint into a run and points `latest` at it; with `best`, also `best`. Returns the name of the
    /// folder.
    ///
    /// # Errors
    /// [`TrainError::NoSpace`], [`TrainError::Io`], [`TrainError::Model`], [`TrainError::RunMoved`]. The other
    /// checkpoints stay valid.
    pub fn write(&self, run: &RunFolder, best: bool) -> Result<String, TrainError> {
        let name = self.folder_name();
        let parent = run.checkpoints_path();
        let folder = parent.join(&name);
        let state = to_json(&folder.join(STATE), &self.state)?;
        let mut files = vec![
            (MODEL, self.metadata.to_safetensors(&self.weights)?),
            (OPTIMIZER, self.optimizer.to_safetensors("nin", "optimizer")?),
            (STATE, state),
        ];
        let sums = files.iter().map(|(name, bytes)| {
            let sum = FileSum { bytes: bytes.len() as u64, sha256: sha256(bytes) };
            ((*name).to_owned(), sum)
        });
        let manifest = Manifest { format: FORMAT, files: sums.collect() };
        files.push((MANIFEST, to_json(&folder.join(MANIFEST), &manifest)?));
        run.check_place()?;
        durable::write_folder(&folder, &files)?;
        run.check_place()?;
        if best {
            // Before `latest`: a training resumes from there and must find the best one.
            durable::write_link(&parent.join("best"), &name)?;
        }
        durable::write_link(&parent.join("latest"), &name)?;
        Ok(name)
    }

    /// Reads a checkpoint's folder, and checks each file against the manifest.
    ///
    /// # Errors
    /// [`TrainError::Damaged`], [`TrainError::Weights`] or [`TrainError::Io`] names the file.
    pub fn read(folder: &Path) -> Result<Self, TrainError> {
        let manifest: Manifest = read_json(&folder.join(MANIFEST))?;
        if manifest.format != FORMAT {
            return Err(TrainError::Damaged {
                path: folder.join(MANIFEST),
                expected: format!("format {FORMAT}"),
                found: format!("format {}", manifest.format),
            });
        }
        let model = folder.join(MODEL);
        let (metadata, weights) =
            ModelMetadata::from_safetensors(&checked(&manifest, folder, MODEL)?)
                .map_err(|source| TrainError::Weights { path: model, source })?;
        let (optimizer, _) = Weights::from_safetensors(&checked(&manifest, folder, OPTIMIZER)?)
            .map_err(|source| TrainError::Weights { path: folder.join(OPTIMIZER), source })?;
        let state = parse_json(&folder.join(STATE), &checked(&manifest, folder, STATE)?)?;
        Ok(Self { metadata, weights, optimizer, state })
    }
}

/// The progress of a training. A later attempt is always further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    attempt: usize,
    total_steps: usize,
}

/// Returns the progress of a checkpoint if its files exist with the right lengths. Does not check their content.
fn place_if_whole(folder: &Path) -> Option<Place> {
    let manifest: Manifest = read_json(&folder.join(MANIFEST)).ok()?;
    let is_whole = manifest.files.iter().all(|(name, sum)| {
        is_plain_name(name)
            && fs::metadata(folder.join(name)).is_ok_and(|found| found.len() == sum.bytes)
    });
    let state: TrainingState = read_json(&folder.join(STATE)).ok()?;
    let TrainingState { attempt, total_steps, .. } = state;
    (is_whole && manifest.files.contains_key(MODEL)).then_some(Place { attempt, total_steps })
}

/// Returns whether a name stays within its folder.
fn is_plain_name(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
}

fn checked(manifest: &Manifest, folder: &Path, name: &str) -> Result<Vec<u8>, TrainError> {
    let path = folder.join(name);
    let damaged = |expected: String, found: String| TrainError::Damaged {
        path: path.clone(),
        expected,
        found,
    };
    let Some(sum) = manifest.files.get(name) else {
        return Err(damaged("an entry in the manifest".to_owned(), "none".to_owned()));
    };
    let file = open_file(&path, LARGEST_FILE)?;
    let length = file.get_ref().metadata().map_err(TrainError::io("read", &path))?.len();
    if length != sum.bytes {
        return Err(damaged(format!("{} bytes", sum.bytes), format!("{length} bytes")));
    }
    let bytes = if name == STATE {
        read_file(&path, LARGEST_JSON)?
    } else {
        read_tensors(&path, LARGEST_FILE)?
    };
    let found = sha256(&bytes);
    if found != sum.sha256 {
        return Err(damaged(format!("SHA-256 {}", sum.sha256), found));
    }
    Ok(bytes)
}

pub(crate) fn read_json<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T, TrainError> {
    parse_json(path, &read_file(path, LARGEST_JSON)?)
}

fn parse_json<T: for<'a> Deserialize<'a>>(path: &Path, bytes: &[u8]) -> Result<T, TrainError> {
    serde_json::from_slice(bytes).map_err(|error| TrainError::Damaged {
        path: path.to_owned(),
        expected: "the JSON that this program writes".to_owned(),
        found: error.to_string(),
    })
}

/// Returns a value as JSON. Errors name the path that it is for.
pub(crate) fn to_json(path: &Path, value: &impl Serialize) -> Result<Vec<u8>, TrainError> {
    serde_json::to_vec_pretty(value).map_err(|error| TrainError::io("write", path)(error.into()))
}

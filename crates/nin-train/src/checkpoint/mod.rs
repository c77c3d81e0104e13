//! A checkpoint: a folder with the weights, and with all that the training needs to go on.

mod links;
mod loading;
mod selection;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path};

use nin_data::sha256;
use nin_model::{ModelMetadata, Weights};
use serde::{Deserialize, Serialize};

pub(crate) use self::links::{check_links, relink};
pub use self::loading::{load_model, read_weights};
pub(crate) use self::selection::{Newest, best_checkpoint, clear_earlier, newest_whole, prune};
use crate::bounded::{open_file, read_file, read_tensors};
use crate::events::Ending;
use crate::recipe::TrainingRecipe;
use crate::score::Score;
use crate::selection::Figures;
use crate::sentinel::Vitals;
use crate::{RunFolder, TrainError, durable};

const MODEL: &str = "model.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const STATE: &str = "state.json";
const MANIFEST: &str = "manifest.json";

/// No file of a checkpoint is larger: 2^31 parameters are refused before.
const LARGEST_FILE: u64 = 16 << 30;

/// Nor is any of their JSON, or that of a run.
pub(crate) const LARGEST_JSON: u64 = 16 << 20;

/// Where a training stands: with weights and optimiser, all that its future depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingState {
    /// The epoch that goes on, counted from 1.
    pub epoch: usize,
    /// Steps of it that are done.
    pub step: usize,
    /// Steps done since the beginning of the training.
    pub total_steps: usize,
    /// The sums of the running epoch.
    pub score: Score,
    /// The best test accuracy so far.
    pub best_accuracy: Option<f64>,
    /// The figures of the best epoch so far; a run of old remembers its accuracy alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<Figures>,
    /// The test accuracy of the checkpoint that `best` points to; behind `best_accuracy` where that
    /// could not be saved.
    #[serde(default)]
    pub best_saved_accuracy: Option<f64>,
    /// All figures of that checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_saved: Option<Figures>,
    /// Finished epochs since the figure of the best got better.
    pub epochs_since_best: usize,
    /// Length of `metrics.jsonl`, in bytes: what was logged later is cut off on resumption.
    pub metrics_bytes: u64,
    /// The SHA-256 of these bytes; checkpoints of earlier versions lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_sha256: Option<String>,
    /// Seconds and images of all training steps so far, for the rate at the end.
    pub step_secs: f64,
    /// Images of all training steps so far.
    pub step_images: usize,
    /// The learning rate of the last step.
    #[serde(default)]
    pub learning_rate: f64,
    /// Steps that were dropped because loss or gradient was no number.
    #[serde(default)]
    pub skipped_steps: usize,
    /// Those of them since the last step that was not.
    #[serde(default)]
    pub skipped_in_a_row: usize,
    /// Which attempt of the run this is, counted from 1; more where the sentinel began it again.
    #[serde(default = "first_attempt")]
    pub attempt: usize,
    /// What the sentinel remembers.
    #[serde(default)]
    pub vitals: Vitals,
}

fn first_attempt() -> usize {
    1
}

impl TrainingState {
    /// Where a training begins.
    pub(crate) fn initial() -> Self {
        Self {
            epoch: 1,
            step: 0,
            total_steps: 0,
            score: Score::default(),
            best_accuracy: None,
            best: None,
            best_saved_accuracy: None,
            best_saved: None,
            epochs_since_best: 0,
            metrics_bytes: 0,
            metrics_sha256: None,
            step_secs: 0.0,
            step_images: 0,
            learning_rate: 0.0,
            skipped_steps: 0,
            skipped_in_a_row: 0,
            attempt: first_attempt(),
            vitals: Vitals::default(),
        }
    }

    /// The figures of the best epoch so far.
    pub(crate) fn best_figures(&self) -> Option<Figures> {
        self.best.or(self.best_accuracy.map(Figures::of_accuracy))
    }

    /// The figures of the checkpoint that `best` points to.
    pub(crate) fn best_saved_figures(&self) -> Option<Figures> {
        self.best_saved.or(self.best_saved_accuracy.map(Figures::of_accuracy))
    }

    /// The name of its checkpoint's folder: `epoch-003` at an epoch's end, else `step-00000123`.
    pub(crate) fn folder_name(&self) -> String {
        match self.step {
            0 => epoch_name(self.epoch.saturating_sub(1)),
            _ => step_name(self.total_steps),
        }
    }

    /// How the training has ended, if it has.
    pub(crate) fn ending(&self, recipe: &TrainingRecipe) -> Option<Ending> {
        let patience = recipe.early_stop_epochs;
        if self.epoch > recipe.epochs {
            Some(Ending::Finished)
        } else if patience > 0 && self.epochs_since_best >= patience {
            Some(Ending::StoppedEarly)
        } else {
            None
        }
    }
}

/// A checkpoint in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// What the file of weights says about itself.
    pub metadata: ModelMetadata,
    /// The weights; where the recipe averages them, the average.
    pub weights: Weights,
    /// The optimiser's moments by parameter name, and, where `weights` are an average, the weights
    /// that are trained.
    pub optimizer: Weights,
    /// The counters.
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

fn epoch_name(epochs: usize) -> String {
    format!("epoch-{epochs:03}")
}

fn step_name(total_steps: usize) -> String {
    format!("step-{total_steps:08}")
}

/// Whether a checkpoint's folder has this name, to the letter: `epoch-003-mine` is somebody else's.
pub(crate) fn is_folder_name(name: &str) -> bool {
    name.split_once('-').is_some_and(|(_, number)| {
        number.parse().is_ok_and(|number| name == epoch_name(number) || name == step_name(number))
    })
}

impl Checkpoint {
    /// The name of its folder: `epoch-003` at an epoch's end, else `step-00000123`.
    pub fn folder_name(&self) -> String {
        self.state.folder_name()
    }

    /// Writes it into a run, and points `latest`, and `best` where it is the best, at it.
    ///
    /// # Errors
    /// [`TrainError::Io`], [`TrainError::Model`], [`TrainError::RunMoved`]; the checkpoints that were there
    /// stay whole.
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
            // Before `latest`: from there the training goes on, and knows which is the best.
            durable::write_link(&parent.join("best"), &name)?;
        }
        durable::write_link(&parent.join("latest"), &name)?;
        Ok(name)
    }

    /// Reads a checkpoint's folder, each file checked against the manifest.
    ///
    /// # Errors
    /// [`TrainError::Damaged`], [`TrainError::Weights`] or [`TrainError::Io`], with the file.
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

/// How far a training is: further in a later attempt, whatever the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    attempt: usize,
    total_steps: usize,
}

/// Where the training was at this checkpoint, if its folder is as whole as names and lengths tell.
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

/// A name that does not leave its folder.
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

/// The JSON of a value that is to be written to this path.
pub(crate) fn to_json(path: &Path, value: &impl Serialize) -> Result<Vec<u8>, TrainError> {
    serde_json::to_vec_pretty(value).map_err(|error| TrainError::io("write", path)(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn names_are_those_that_checkpoints_get() {
        for total_steps in [10, 15, 9_990, 10_000, 999_999_995] {
            assert!(is_folder_name(&sample::checkpoint(total_steps).folder_name()));
        }
        for name in [
            "epoch-003-backup",
            "epoch-3",
            "epoch-0003",
            "epoch-+03",
            "step-5",
            "epoch-",
            "best",
            "",
        ] {
            assert!(!is_folder_name(name), "{name}");
        }
    }
}

//! Errors of training runs, with hints.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use nin_data::DataError;
use nin_model::ModelError;
use nin_preprocessing::WhiteningError;
use thiserror::Error;

use crate::ranks::CommunicationError;
use crate::recipe::RecipeError;

/// Files that a resumed run depends on. Each carries its own checksum.
const SEALED: [&str; 5] =
    ["recipe.toml", "environment.json", "attempt.json", "pictures.csv", "start.safetensors"];

/// A run that cannot start or continue, or a checkpoint that cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The recipe is invalid.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The data set cannot be opened or read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Whitening cannot be fitted to the images.
    #[error(transparent)]
    Whitening(#[from] WhiteningError),
    /// The network is invalid, or the device failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A file or folder cannot be read or written.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// `read`, `write`, `create` and so on.
        action: &'static str,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The folder of a new run already holds a run.
    #[error("`{}` already holds a run", path.display())]
    RunExists {
        /// The folder.
        path: PathBuf,
    },
    /// The folder of a new run holds other files.
    #[error("`{}` is not empty and holds no run", path.display())]
    NotARun {
        /// The folder.
        path: PathBuf,
    },
    /// The recipe of a resumed run differs from the one that the run started with.
    #[error("the recipe differs from that of the run `{}` in {}", path.display(), keys.join(", "))]
    RecipeChanged {
        /// The run's folder.
        path: PathBuf,
        /// The keys that differ, with both values.
        keys: Vec<String>,
    },
    /// The given path holds no checkpoint.
    #[error("no checkpoint at `{}`: {reason}", path.display())]
    NoCheckpoint {
        /// The given path.
        path: PathBuf,
        /// What the path holds instead.
        reason: String,
    },
    /// A file of a run or a checkpoint does not match its checksum, or has the wrong type or content.
    #[error("`{}` is damaged: expected {expected}, found {found}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: String,
        /// What it holds.
        found: String,
    },
    /// A file of weights cannot be used.
    #[error("`{}`: {source}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: ModelError,
    },
    /// An image has a label that the network has no class for.
    #[error("an image has the label {label}, and the network has {classes} classes")]
    LabelOutOfRange {
        /// The label.
        label: usize,
        /// Number of the network's classes.
        classes: usize,
    },
    /// The recipe names starting weights, and none were given.
    #[error("the recipe starts from the weights `{named}`, which were not loaded")]
    NoStartingWeights {
        /// What the recipe names.
        named: String,
    },
    /// A tensor of the starting weights has the wrong shape for the recipe's network.
    #[error(
        "tensor `{name}` of the starting weights has shape {found:?}, the recipe's network has \
         {expected:?}"
    )]
    StartingWeights {
        /// The tensor's name.
        name: String,
        /// The tensor's shape in the recipe's network.
        expected: Vec<usize>,
        /// The tensor's shape in the weights.
        found: Vec<usize>,
    },
    /// A run's log holds no events.
    #[error("`{}`: expected one event per line, found none in {lines} lines", path.display())]
    NoEvents {
        /// The file.
        path: PathBuf,
        /// Number of complete lines.
        lines: usize,
    },
    /// The data set and the network have different channels or classes.
    #[error("the data set `{dataset}`{} has {found}, the network expects {expected}", within(folder.as_deref()))]
    DataMismatch {
        /// The data set's name.
        dataset: String,
        /// The folder of its files; `None` for the embedded sample.
        folder: Option<PathBuf>,
        /// What the network expects.
        expected: String,
        /// What the data set has.
        found: String,
    },
    /// Every checkpoint of a run is damaged.
    #[error("every checkpoint of the run `{}` is damaged", path.display())]
    NoWholeCheckpoint {
        /// The run's folder.
        path: PathBuf,
        /// The damage of the newest one.
        #[source]
        source: Box<TrainError>,
    },
    /// Another process trains this run.
    #[error("the run `{}` is being trained by {}", path.display(), process(*holder))]
    RunLocked {
        /// The run's folder.
        path: PathBuf,
        /// The ID of that process, if `run.lock` says it.
        holder: Option<u32>,
    },
    /// Another folder took the place of the run's during training.
    #[error("`{}` is no longer the folder that this training started in", path.display())]
    RunMoved {
        /// The run's folder.
        path: PathBuf,
    },
    /// The data of a resumed run differs from the data that the run started with.
    #[error(
        "the data of the run `{}` has changed: `{file}` had SHA-256 {expected}, now {found}",
        path.display()
    )]
    DataChanged {
        /// The run's folder.
        path: PathBuf,
        /// The file of the data set.
        file: String,
        /// The file's SHA-256 when the run started, or `none`.
        expected: String,
        /// The file's SHA-256 now, or `none`.
        found: String,
    },
    /// The pictures of a resumed run differ from those that the run started with.
    #[error("the pictures of the run `{}` have changed: `{picture}` {change}", path.display())]
    PicturesChanged {
        /// The run's folder.
        path: PathBuf,
        /// The picture's path, relative to the data set's folder.
        picture: String,
        /// How it changed.
        change: String,
    },
    /// The file system has too little free space for a checkpoint.
    #[error(
        "no space in `{}`: {} needed, {} free",
        path.display(), mebibytes(*needed), mebibytes(*free)
    )]
    NoSpace {
        /// The folder.
        path: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// The training ended without saving its last state.
    #[error("the last state of the run `{}` could not be saved", path.display())]
    NotSaved {
        /// The run's folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Box<TrainError>,
    },
    /// The loss or a gradient of a step is NaN or infinite. The weights keep their values.
    #[error(
        "{} in epoch {epoch}, step {step}, at learning rate {learning_rate:?}, in a batch of \
         {images} images{}",
        what(*loss), place(layer.as_deref())
    )]
    NonFinite {
        /// Counted from 1.
        epoch: usize,
        /// Counted from 1.
        step: usize,
        /// Sum of the cross-entropies of the batch, in nats.
        loss: f64,
        /// The parameter with a non-finite gradient that is nearest to the loss.
        layer: Option<String>,
        /// The learning rate of the step.
        learning_rate: f64,
        /// Number of images in the batch.
        images: usize,
        /// Number of consecutive steps skipped before this one.
        skipped: usize,
    },
    /// One or more of the processes of a training failed, and all of them end.
    #[error("{message}")]
    OnRanks {
        /// What happened, on which rank and machine.
        message: String,
        /// What to do.
        hint: String,
    },
    /// Another process of the training cannot be reached.
    #[error(transparent)]
    Communication(#[from] CommunicationError),
    /// Burn's learner never ran the training loop. This is a bug.
    #[error("internal error: the training loop returned no result")]
    NoOutcome,
}

impl TrainError {
    pub(crate) fn io(
        action: &'static str,
        path: impl AsRef<Path>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::Io { path, action, source }
    }

    /// Whether a full disk, a quota or a limit on file size caused this error.
    pub fn is_out_of_space(&self) -> bool {
        match self {
            Self::NoSpace { .. } => true,
            _ => self.is_disk_full() || self.is_file_too_large(),
        }
    }

    /// Whether the disk or a quota is full, so that removing files helps.
    pub(crate) fn is_disk_full(&self) -> bool {
        let is_full = |kind| matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
        matches!(self, Self::Io { source, .. } if is_full(source.kind()))
    }

    /// Whether the file exceeds the size limit of the process (`ulimit -f`) or of the file system.
    pub(crate) fn is_file_too_large(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == ErrorKind::FileTooLarge)
    }

    /// Returns advice on how to fix the error.
    #[allow(clippy::too_many_lines, reason = "a hint for each error")]
    pub fn hint(&self) -> String {
        match self {
            Self::Recipe(error) => error.hint(),
            Self::Data(error) => error.hint(),
            Self::Whitening(_) => {
                "set `preprocessing.whitening = false`, or use a smaller `data.input_size` or a larger \
                 `preprocessing.whitening_bias`"
                    .to_owned()
            }
            Self::Model(error) | Self::Weights { source: error, .. } => error.hint(),
            Self::LabelOutOfRange { .. } => {
                "evaluate on data with the classes that the network was trained on".to_owned()
            }
            Self::NoStartingWeights { .. } => {
                "load them and pass them to `Trainer::starting_weights`".to_owned()
            }
            Self::StartingWeights { .. } => {
                "leave `model.architecture` and `model.blocks` out of the recipe to use the network of \
                 the weights"
                    .to_owned()
            }
            Self::RunExists { .. } => {
                "resume it, or choose another folder".to_owned()
            }
            Self::NotARun { .. } => "choose an empty or a new folder".to_owned(),
            Self::RecipeChanged { keys, .. }
                if keys.iter().any(|key| key.contains("training.epochs")) =>
            {
                "a cosine schedule depends on the number of epochs: resume with the same number, or \
                 start a longer run in another folder"
                    .to_owned()
            }
            Self::RecipeChanged { .. } => {
                "resume without these changes, or start a new run in another folder".to_owned()
            }
            Self::NoCheckpoint { .. } => {
                "name a run folder, a checkpoint folder or a model.safetensors file".to_owned()
            }
            Self::Damaged { path, found, .. } => hint_of_damaged(path, found).to_owned(),
            Self::DataMismatch { .. } => {
                "use data that the network was made for; a recipe without `model.classes` and \
                 `model.input_channels` follows the data"
                    .to_owned()
            }
            Self::NonFinite { skipped: 0, .. } => {
                "lower `optimizer.learning_rate`; to skip a single bad batch, resume from the last \
                 checkpoint with `training.on_non_finite = \"skip\"`"
                    .to_owned()
            }
            Self::NonFinite { skipped, .. } => format!(
                "{skipped} steps in a row were skipped: lower `optimizer.learning_rate`; the last \
                 checkpoint is not affected"
            ),
            Self::NoWholeCheckpoint { .. } => "start a new run in another folder".to_owned(),
            Self::RunLocked { holder: Some(holder), .. } => format!(
                "wait for it to end, stop it with `kill {holder}` (it saves its state), or choose \
                 another folder"
            ),
            Self::RunLocked { holder: None, .. } => {
                "wait for it to end, or choose another folder".to_owned()
            }
            Self::RunMoved { .. } => {
                "it was moved, replaced or removed: put it back, then resume from the last checkpoint"
                    .to_owned()
            }
            Self::NoEvents { .. } => {
                "restore the run's own log, or remove this file".to_owned()
            }
            Self::DataChanged { .. } | Self::PicturesChanged { .. } => {
                "use the data that the run started with, or start a new run in another folder"
                    .to_owned()
            }
            Self::NotSaved { source, .. } if source.is_file_too_large() => {
                "raise the file size limit (`ulimit -f unlimited`), then resume from the last \
                 checkpoint"
                    .to_owned()
            }
            Self::NotSaved { source, .. } if source.is_out_of_space() => {
                "make room, then resume from the last checkpoint".to_owned()
            }
            Self::NotSaved { source, .. } => source.hint(),
            Self::NoSpace { .. } => "make room on the disk".to_owned(),
            Self::Io { .. } if self.is_file_too_large() => {
                "raise the file size limit (`ulimit -f unlimited`)".to_owned()
            }
            Self::Io { .. } if self.is_out_of_space() => "make room on the disk".to_owned(),
            Self::Io { action: "read", .. } => {
                "check that it is there and that you may read it".to_owned()
            }
            Self::Io { .. } => "name a folder that you may write to".to_owned(),
            Self::OnRanks { hint, .. } => hint.clone(),
            Self::Communication(_) => {
                "the last checkpoint is whole: resume the run, with as many ranks as are left".to_owned()
            }
            Self::NoOutcome => "this is a bug in nin: please report it".to_owned(),
        }
    }
}

/// Returns the hint for a damaged file of a run or a checkpoint.
fn hint_of_damaged(path: &Path, found: &str) -> &'static str {
    if found == "a symbolic link" {
        return "replace the link by what it points to: nin does not write through links";
    }
    let name = path.file_name().unwrap_or_default();
    if SEALED.iter().any(|sealed| name == *sealed) {
        return "restore the file from a copy of the run, or start a new run; move it away to read the checkpoints \
                without it";
    }
    match name.to_str() {
        Some("metrics.jsonl") => {
            "move it away: the run resumes without it, and only its curves are lost"
        }
        Some("latest" | "best") => {
            "move it away: the run resumes from its newest undamaged checkpoint"
        }
        Some("checkpoints") => "move it away, and restore the run's own folder",
        Some("run.lock" | "curves.svg" | "summary.json") => {
            "move it away: the run writes a new one"
        }
        _ => "use another checkpoint of the run, from its folder `checkpoints/`",
    }
}

fn process(holder: Option<u32>) -> String {
    holder.map_or_else(|| "another process".to_owned(), |holder| format!("process {holder}"))
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

fn what(loss: f64) -> String {
    if loss.is_finite() {
        "a gradient is not finite".to_owned()
    } else {
        format!("the loss is {loss}")
    }
}

fn within(folder: Option<&Path>) -> String {
    folder.map_or_else(String::new, |folder| format!(" in `{}`", folder.display()))
}

fn place(layer: Option<&str>) -> String {
    layer.map_or_else(String::new, |layer| format!(", first in the gradient of `{layer}`"))
}

/// Returns an error and its causes on one line, without repeating a cause that the error quotes.
pub fn one_line(error: &dyn std::error::Error) -> String {
    let mut line = String::new();
    let mut cause = Some(error);
    while let Some(error) = cause {
        let text = error.to_string().replace('\n', " ");
        if line.is_empty() {
            line = text;
        } else if !line.ends_with(&text) {
            line = format!("{line}: {text}");
        }
        cause = error.source();
    }
    line
}

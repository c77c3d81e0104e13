//! What can go wrong in a run.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use nin_data::DataError;
use nin_model::ModelError;
use nin_preprocessing::WhiteningError;
use thiserror::Error;

use crate::recipe::RecipeError;

/// Files by which a run goes on, each with its own sum.
const SEALED: [&str; 5] =
    ["recipe.toml", "environment.json", "attempt.json", "pictures.csv", "start.safetensors"];

/// An error of this crate.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The recipe is refused.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The data set is refused.
    #[error(transparent)]
    Data(#[from] DataError),
    /// No whitening can be fitted to the images.
    #[error(transparent)]
    Whitening(#[from] WhiteningError),
    /// The network is refused.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A file or folder cannot be read or written.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// `read`, `write`, `create` and so on.
        action: &'static str,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A run stands where a new one was to begin.
    #[error("`{}` holds a run already", path.display())]
    RunExists {
        /// The folder.
        path: PathBuf,
    },
    /// A folder that is to become a run holds something else.
    #[error("`{}` is not empty and holds no run", path.display())]
    NotARun {
        /// The folder.
        path: PathBuf,
    },
    /// The run goes on with another recipe than it began with.
    #[error("the recipe differs from that of the run `{}` in {}", path.display(), keys.join(", "))]
    RecipeChanged {
        /// The run's folder.
        path: PathBuf,
        /// The keys that differ, with both values.
        keys: Vec<String>,
    },
    /// There is nothing at the path given for a checkpoint.
    #[error("no checkpoint at `{}`: {reason}", path.display())]
    NoCheckpoint {
        /// The path that was given.
        path: PathBuf,
        /// What is there instead.
        reason: String,
    },
    /// A file of a run or a checkpoint is not what its manifest says, or not what it must be.
    #[error("`{}` is damaged: expected {expected}, found {found}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: String,
        /// What it holds.
        found: String,
    },
    /// A file of weights is refused.
    #[error("`{}`: {source}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ModelError,
    },
    /// A layer of the weights to begin with has another shape than the recipe's network.
    #[error(
        "tensor `{name}` of the weights to begin with has shape {found:?}, the recipe's network has \
         {expected:?}"
    )]
    StartingWeights {
        /// The tensor's name.
        name: String,
        /// The shape in the recipe's network.
        expected: Vec<usize>,
        /// The shape in the weights.
        found: Vec<usize>,
    },
    /// A run's log is another file.
    #[error("`{}`: expected events, one a line, found {lines} lines and no event", path.display())]
    NoEvents {
        /// The file.
        path: PathBuf,
        /// Its whole lines.
        lines: usize,
    },
    /// The data set and the network do not fit each other.
    #[error("the data set `{dataset}`{} has {found}, the network expects {expected}", within(folder.as_deref()))]
    DataMismatch {
        /// The data set's name.
        dataset: String,
        /// Where its files lie; `None` for the embedded sample.
        folder: Option<PathBuf>,
        /// What the network expects.
        expected: String,
        /// What the data has.
        found: String,
    },
    /// Every checkpoint of a run is damaged.
    #[error("no checkpoint of the run `{}` is whole", path.display())]
    NoWholeCheckpoint {
        /// The run's folder.
        path: PathBuf,
        /// What is wrong with the newest one.
        #[source]
        source: Box<TrainError>,
    },
    /// Another process trains this run.
    #[error("the run `{}` is being trained by {}", path.display(), process(*holder))]
    RunLocked {
        /// The run's folder.
        path: PathBuf,
        /// The number of that process, if it wrote it down.
        holder: Option<u32>,
    },
    /// A run's folder is not the one that is trained.
    #[error("`{}` is not the folder that this training began in", path.display())]
    RunMoved {
        /// The run's folder.
        path: PathBuf,
    },
    /// A run goes on with other data than it began with.
    #[error(
        "the data of the run `{}` has changed: `{file}` had SHA-256 {expected}, now {found}",
        path.display()
    )]
    DataChanged {
        /// The run's folder.
        path: PathBuf,
        /// The data set's file.
        file: String,
        /// The SHA-256 that the run began with, or `none`.
        expected: String,
        /// The SHA-256 now, or `none`.
        found: String,
    },
    /// A picture is not what the run began with.
    #[error("the run `{}` began with other pictures: `{picture}` {change}", path.display())]
    PicturesChanged {
        /// The run's folder.
        path: PathBuf,
        /// The picture, relative to the data set's folder.
        picture: String,
        /// How it changed.
        change: String,
    },
    /// The file system has no room for what is to be written.
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
    /// The training ended, and its last state could not be saved.
    #[error("the last state of the run `{}` could not be saved", path.display())]
    NotSaved {
        /// The run's folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Box<TrainError>,
    },
    /// Loss or gradient of a step is no number; the weights were not touched.
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
        /// Of the batch, in nats, summed.
        loss: f64,
        /// The parameter in whose gradient it came up first, if one is not finite.
        layer: Option<String>,
        /// The rate of the step.
        learning_rate: f64,
        /// Images of the batch.
        images: usize,
        /// Steps that were skipped before it, one after the other.
        skipped: usize,
    },
    /// Burn's learner ended without saying how.
    #[error("the training ended without a result")]
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

    /// Whether a disk is full, or what may be put on it.
    pub fn is_out_of_space(&self) -> bool {
        match self {
            Self::NoSpace { .. } => true,
            _ => self.is_disk_full() || self.is_file_too_large(),
        }
    }

    /// Whether other files would have to go first. Where a file may not be so long, that would not help.
    pub(crate) fn is_disk_full(&self) -> bool {
        let is_full = |kind| matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
        matches!(self, Self::Io { source, .. } if is_full(source.kind()))
    }

    /// Whether a file may not be as long as it has to be: the limit of the process (`ulimit -f`), or that of
    /// the file system.
    pub(crate) fn is_file_too_large(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == ErrorKind::FileTooLarge)
    }

    /// What to do about it.
    #[allow(clippy::too_many_lines, reason = "a hint for each error")]
    pub fn hint(&self) -> String {
        match self {
            Self::Recipe(error) => error.hint(),
            Self::Data(error) => error.hint(),
            Self::Whitening(_) => {
                "set preprocessing.whitening=false, a smaller data.input_size, or a larger \
                 preprocessing.whitening_bias"
                    .to_owned()
            }
            Self::Model(error) | Self::Weights { source: error, .. } => error.hint(),
            Self::StartingWeights { .. } => {
                "leave model.architecture and model.blocks out of the recipe: the network is then that \
                 of the weights"
                    .to_owned()
            }
            Self::RunExists { .. } => {
                "resume it, or name another folder".to_owned()
            }
            Self::NotARun { .. } => "name an empty or a new folder".to_owned(),
            Self::RecipeChanged { keys, .. }
                if keys.iter().any(|key| key.contains("training.epochs")) =>
            {
                "a cosine ends with its epochs: begin a longer run in another folder, or resume \
                 without another number of them"
                    .to_owned()
            }
            Self::RecipeChanged { .. } => {
                "resume without these changes, or begin a new run in another folder".to_owned()
            }
            Self::NoCheckpoint { .. } => {
                "name a run folder, a checkpoint folder or a model.safetensors file".to_owned()
            }
            Self::Damaged { path, found, .. } => hint_of_damaged(path, found).to_owned(),
            Self::DataMismatch { .. } => {
                "name data that the network was made for; a recipe without model.classes and \
                 model.input_channels follows the data"
                    .to_owned()
            }
            Self::NonFinite { skipped: 0, .. } => {
                "a smaller optimizer.learning_rate helps most; the last checkpoint is whole: resumed \
                 with training.on_non_finite = \"skip\", a run passes over a lone batch"
                    .to_owned()
            }
            Self::NonFinite { skipped, .. } => format!(
                "{skipped} steps in a row were skipped: a smaller optimizer.learning_rate helps most; \
                 the last checkpoint is whole"
            ),
            Self::NoWholeCheckpoint { .. } => "begin a new run in another folder".to_owned(),
            Self::RunLocked { holder: Some(holder), .. } => format!(
                "wait for its end, end it with `kill {holder}`, which saves its state, or name \
                 another folder"
            ),
            Self::RunLocked { holder: None, .. } => {
                "wait for its end, or name another folder".to_owned()
            }
            Self::RunMoved { .. } => {
                "it was moved, replaced or removed: put it back, then resume from its last checkpoint"
                    .to_owned()
            }
            Self::NoEvents { .. } => {
                "it is no log of this program: put the run's own there, or remove it".to_owned()
            }
            Self::DataChanged { .. } | Self::PicturesChanged { .. } => {
                "name the folder with the data that the run began with, or begin a new run in another \
                 folder"
                    .to_owned()
            }
            Self::NotSaved { source, .. } if source.is_file_too_large() => {
                "raise the limit on the size of a file (`ulimit -f unlimited`), then resume from the \
                 last whole checkpoint"
                    .to_owned()
            }
            Self::NotSaved { source, .. } if source.is_out_of_space() => {
                "make room, then resume from the last whole checkpoint".to_owned()
            }
            Self::NotSaved { source, .. } => source.hint(),
            Self::NoSpace { .. } => "make room on the disk".to_owned(),
            Self::Io { .. } if self.is_file_too_large() => {
                "raise the limit on the size of a file (`ulimit -f unlimited`)".to_owned()
            }
            Self::Io { .. } if self.is_out_of_space() => "make room on the disk".to_owned(),
            Self::Io { action: "read", .. } => {
                "check that it is there and that you may read it".to_owned()
            }
            Self::Io { .. } => "name a folder that you may write to".to_owned(),
            Self::NoOutcome => "please report this: every training ends somehow".to_owned(),
        }
    }
}

/// What to do about a file of a run or a checkpoint that is not what it must be.
fn hint_of_damaged(path: &Path, found: &str) -> &'static str {
    if found == "a symbolic link" {
        return "put what it points to in its place: nothing is written through links";
    }
    let name = path.file_name().unwrap_or_default();
    if SEALED.iter().any(|sealed| name == *sealed) {
        return "put back the file as the run wrote it, from a copy of the run, or begin a new run; move it \
                away to read the checkpoints without it";
    }
    match name.to_str() {
        Some("metrics.jsonl") => {
            "move it away: a run goes on without it, and nothing but its curves is lost"
        }
        Some("latest" | "best") => "move it away: the run goes on from its newest whole checkpoint",
        Some("checkpoints") => "move it away, and put the run's own folder there",
        Some("run.lock" | "curves.svg" | "summary.json") => "move it away: the run writes it anew",
        _ => "name another checkpoint of the run: see its folder checkpoints/",
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
        "a gradient is no number".to_owned()
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

/// An error and its causes on one line, each said once.
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

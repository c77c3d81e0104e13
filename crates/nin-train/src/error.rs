//! What can go wrong in a run.

use std::path::{Path, PathBuf};

use nin_data::DataError;
use nin_model::ModelError;
use thiserror::Error;

use crate::recipe::RecipeError;

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
    /// A file of a checkpoint is not what its manifest says, or not what it must be.
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
    /// The data set and the network do not fit each other.
    #[error("the data set `{dataset}` has {found}, the network expects {expected}")]
    DataMismatch {
        /// The data set's name.
        dataset: String,
        /// What the network expects.
        expected: String,
        /// What the data has.
        found: String,
    },
    /// The loss is no longer a number.
    #[error("the loss is {loss} in epoch {epoch}, step {step}, at learning rate {learning_rate}")]
    NonFiniteLoss {
        /// Counted from 1.
        epoch: usize,
        /// Counted from 1.
        step: usize,
        /// NaN or infinite.
        loss: f64,
        /// The rate of the step.
        learning_rate: f64,
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

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Recipe(error) => error.hint(),
            Self::Data(error) => error.hint(),
            Self::Model(error) | Self::Weights { source: error, .. } => error.hint(),
            Self::RunExists { .. } => {
                "go on with it by --resume, or name another folder with --run".to_owned()
            }
            Self::NotARun { .. } => "name an empty or a new folder with --run".to_owned(),
            Self::RecipeChanged { .. } => {
                "resume without these options, or begin a new run with --run FOLDER".to_owned()
            }
            Self::NoCheckpoint { .. } => {
                "name a run folder, a checkpoint folder or a model.safetensors file".to_owned()
            }
            Self::Damaged { .. } => {
                "name another checkpoint of the run: see its folder checkpoints/".to_owned()
            }
            Self::DataMismatch { .. } => {
                "name data that the network was made for, with --dataset or --data".to_owned()
            }
            Self::NonFiniteLoss { .. } => {
                "a smaller rate helps most: --learning-rate; the last checkpoint is whole"
                    .to_owned()
            }
            Self::Io { action: "read", .. } => {
                "check that it is there and that you may read it".to_owned()
            }
            Self::Io { .. } => "name a folder that you may write to with --run".to_owned(),
            Self::NoOutcome => "please report this: every training ends somehow".to_owned(),
        }
    }
}

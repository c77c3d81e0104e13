//! The settings of a training run.

use std::path::PathBuf;

use burn::train::Interrupter;
use nin_data::DataSet;

use crate::environment::Environment;
use crate::fine_tuning::StartingWeights;
use crate::ranks::Ranks;
use crate::recipe::Recipe;

/// The settings of a [`Trainer`](crate::Trainer), except for its observer.
pub(crate) struct Plan {
    /// The resolved recipe.
    pub(crate) recipe: Recipe,
    /// The run's folder.
    pub(crate) folder: PathBuf,
    pub(crate) resume: bool,
    pub(crate) data: DataSet,
    /// Data loader threads; 0 loads on the training thread.
    pub(crate) workers: usize,
    /// The weights that a new run starts from if `model.weights` names some. A resumed run has its own copy.
    pub(crate) starting_weights: Option<StartingWeights>,
    /// The content of `environment.json`.
    pub(crate) environment: Environment,
    /// Stops the training at the next step, after saving its state.
    pub(crate) interrupter: Interrupter,
    /// The processes that train this run together.
    pub(crate) ranks: Ranks,
}

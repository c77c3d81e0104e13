//! What a training is asked to do.

use std::path::PathBuf;

use burn::train::Interrupter;
use nin_data::DataSet;

use crate::environment::Environment;
use crate::fine_tuning::StartingWeights;
use crate::recipe::Recipe;

/// Everything that a [`Trainer`](crate::Trainer) was told, its observer excepted.
pub(crate) struct Plan {
    /// The resolved recipe.
    pub(crate) recipe: Recipe,
    /// The run's folder: new, or an existing one to resume.
    pub(crate) folder: PathBuf,
    pub(crate) resume: bool,
    pub(crate) data: DataSet,
    /// Data loader threads; 0 loads on the training thread.
    pub(crate) workers: usize,
    /// The weights that a new run starts from, where `model.weights` names some; a resumed run has its own copy.
    pub(crate) starting_weights: Option<StartingWeights>,
    /// What goes into `environment.json`.
    pub(crate) environment: Environment,
    /// Ends the training at the next step, its state saved.
    pub(crate) interrupter: Interrupter,
}

//! Opens a run's folder: locks it, and checks it completely before writing anything.

use nin_model::ModelMetadata;

use crate::attempt::Attempt;
use crate::checkpoint::{self, Checkpoint, Newest, TrainingState};
use crate::lock::RunLock;
use crate::plan::Plan;
use crate::{RunFolder, TrainError, picture_list};

/// A run's folder, and the lock on it.
pub(crate) struct OpenRun {
    pub(crate) folder: RunFolder,
    pub(crate) lock: RunLock,
}

/// What an attempt resumes from.
pub(crate) struct Checked {
    /// The checkpoint; `None` at the start of an attempt.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// Damage that was worked around, and differences from the environment of an earlier process.
    pub(crate) warnings: Vec<String>,
}

impl OpenRun {
    /// Creates and locks the folder of a new run, or locks the folder of a run to resume.
    ///
    /// # Errors
    /// [`TrainError`] if the folder, the starting weights or the recipe do not fit; see [`RunFolder::create`] and
    /// [`RunFolder::resume`].
    pub(crate) fn open(plan: &Plan, metadata: &ModelMetadata) -> Result<Self, TrainError> {
        let Plan { recipe, folder: path, .. } = plan;
        if !plan.resume {
            let copy = match (&recipe.model.weights, &plan.starting_weights) {
                (None, _) => None,
                (Some(named), None) => {
                    return Err(TrainError::NoStartingWeights { named: named.clone() });
                }
                (Some(_), Some(start)) => {
                    // Checked before the folder is created: weights that do not fit leave nothing behind.
                    let initial = recipe.model.initialization.weights(&metadata.architecture, 0);
                    start.begin(metadata, initial)?;
                    Some(start.metadata.to_safetensors(&start.weights)?)
                }
            };
            let (folder, lock) = RunFolder::create(path, recipe, copy.as_deref())?;
            return Ok(Self { folder, lock });
        }
        let (folder, lock) = RunFolder::resume(path)?;
        checkpoint::check_links(&folder)?;
        let keys = folder.recipe()?.changes_that_matter(recipe)?;
        if !keys.is_empty() {
            return Err(TrainError::RecipeChanged { path: path.to_owned(), keys });
        }
        Ok(Self { folder, lock })
    }

    /// Finds the checkpoint that an attempt resumes from, and checks it against the recipe, the data and the log.
    /// Writes nothing.
    ///
    /// # Errors
    /// [`TrainError`] if the checkpoint, the data, the pictures or the attempt do not fit.
    pub(crate) fn check(&self, plan: &Plan, attempt: &Attempt) -> Result<Checked, TrainError> {
        let (run, data) = (&self.folder, &plan.data);
        let Newest { checkpoint, mut warnings } = checkpoint::newest_whole(run, attempt.attempt)?;
        attempt.check(run, checkpoint.as_ref().map(|checkpoint| &checkpoint.state))?;
        if let Some(Checkpoint { state, .. }) = &checkpoint {
            if let Some(pictures) = &data.pictures {
                picture_list::check(run, pictures)?;
            }
            warnings.extend(plan.environment.check_resumption(run)?);
            let batch_size = plan.recipe.training.batch_size;
            fits_the_epoch(run, state, data.train.len().div_ceil(batch_size))?;
        }
        Ok(Checked { checkpoint, warnings })
    }

    /// Starts to write into a resumed run.
    ///
    /// # Errors
    /// As [`RunFolder::claim`].
    pub(crate) fn claim(
        &mut self,
        plan: &Plan,
        attempt: &Attempt,
        has_checkpoint: bool,
    ) -> Result<(), TrainError> {
        self.folder.claim(&mut self.lock)?;
        checkpoint::relink(&self.folder)?;
        self.folder.write_recipe(&plan.recipe)?;
        if has_checkpoint {
            // An earlier process may have ended between the attempt's first checkpoint and the removal of the others.
            checkpoint::clear_earlier(&self.folder, attempt.attempt)?;
        }
        Ok(())
    }
}

/// Checks that the step of a checkpoint exists in an epoch of this many steps; the data loader starts there.
fn fits_the_epoch(
    run: &RunFolder,
    state: &TrainingState,
    steps_per_epoch: usize,
) -> Result<(), TrainError> {
    if state.epoch > 0 && state.step <= steps_per_epoch {
        return Ok(());
    }
    Err(TrainError::Damaged {
        path: run.checkpoints_path(),
        expected: format!("an epoch of {steps_per_epoch} steps"),
        found: format!("epoch {}, step {}", state.epoch, state.step),
    })
}

//! A run's folder before its training: locked, and all that is there checked before anything is written.

use nin_model::ModelMetadata;

use crate::attempt::Attempt;
use crate::checkpoint::{self, Checkpoint, Newest, TrainingState};
use crate::lock::RunLock;
use crate::{RunFolder, TrainError, TrainingPlan, picture_list};

/// A run's folder, and the lock that is held on it.
pub(crate) struct OpenRun {
    pub(crate) folder: RunFolder,
    pub(crate) lock: RunLock,
}

/// Where a run goes on.
pub(crate) struct Checked {
    /// `None` where the attempt begins.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// What is to be said loudly: damage that was got around, and what differs from before.
    pub(crate) warnings: Vec<String>,
}

/// The run's folder, new or there already with a recipe of the same mathematics, and its lock.
pub(crate) fn open_run(
    plan: &TrainingPlan,
    metadata: &ModelMetadata,
) -> Result<OpenRun, TrainError> {
    let TrainingPlan { recipe, folder: path, .. } = plan;
    if !plan.resume {
        let copy = match &plan.start {
            None => None,
            Some(start) => {
                // Whatever does not fit is said before a folder is made.
                let initial = recipe.initialization()?.weights(&metadata.architecture, 0);
                start.begin(metadata, initial)?;
                Some(start.metadata.to_safetensors(&start.weights)?)
            }
        };
        let (folder, lock) = RunFolder::create(path, recipe, copy.as_deref())?;
        return Ok(OpenRun { folder, lock });
    }
    let (folder, lock) = RunFolder::resume(path)?;
    let keys = folder.recipe()?.changes_that_matter(recipe)?;
    if !keys.is_empty() {
        return Err(TrainError::RecipeChanged { path: path.to_owned(), keys });
    }
    Ok(OpenRun { folder, lock })
}

impl OpenRun {
    /// Finds the checkpoint from which an attempt goes on, and checks it against the recipe, the data and the
    /// log. Writes nothing.
    ///
    /// # Errors
    /// [`TrainError`]: whatever does not fit.
    pub(crate) fn check(
        &self,
        plan: &TrainingPlan,
        attempt: &Attempt,
    ) -> Result<Checked, TrainError> {
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

    /// Begins to write into a run that goes on, from a checkpoint or from an attempt's beginning.
    ///
    /// # Errors
    /// As [`RunFolder::claim`].
    pub(crate) fn claim(
        &mut self,
        plan: &TrainingPlan,
        attempt: &Attempt,
        has_checkpoint: bool,
    ) -> Result<(), TrainError> {
        self.folder.claim(&mut self.lock)?;
        self.folder.write_recipe(&plan.recipe)?;
        if has_checkpoint {
            // What a cut left between the attempt's first checkpoint and the removal of the others.
            checkpoint::clear_earlier(&self.folder, attempt.attempt)?;
        }
        Ok(())
    }
}

/// That a checkpoint is of a training with so many steps an epoch: its loader starts there.
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

//! Small runs and checkpoints, for tests.

use nin_model::{HostTensor, ModelMetadata, Precision, Preprocessing, Weights};

use crate::checkpoint::{Checkpoint, TrainingState};
use crate::lock::RunLock;
use crate::recipe::{Recipe, RecipeBuilder};
use crate::{RunFolder, TrainError};

/// Number of steps per epoch of these checkpoints.
const STEPS_PER_EPOCH: usize = 10;

/// Returns the recipe of a network with a dozen weights.
pub(crate) fn recipe() -> Recipe {
    let text = "[model]\nblocks = [{kernel = 1, widths = [1, 1, \"classes\"]}]";
    RecipeBuilder::from_text("tiny", "tiny.toml", text).unwrap().build().unwrap()
}

/// Creates a new run in a temporary folder.
pub(crate) fn run() -> (tempfile::TempDir, RunFolder, RunLock) {
    let root = tempfile::tempdir().unwrap();
    let (run, lock) = RunFolder::create(&root.path().join("run"), &recipe(), None).unwrap();
    (root, run, lock)
}

/// Returns a checkpoint after this many steps, ten per epoch. Its weights depend on the number of steps.
pub(crate) fn checkpoint(total_steps: usize) -> Checkpoint {
    let architecture = recipe().architecture(1, 2).unwrap();
    let weights: Weights = recipe()
        .model
        .initialization
        .weights(&architecture, total_steps as u64)
        .iter()
        .map(|(name, tensor)| (name.to_owned(), tensor.clone()))
        .collect();
    let moment = HostTensor { shape: vec![1], values: vec![total_steps as f32] };
    Checkpoint {
        metadata: ModelMetadata {
            classes: vec!["cat".to_owned(), "dog".to_owned()],
            dataset: "animals".to_owned(),
            preprocessing: Preprocessing::resized([4, 4]),
            precision: Precision::Fp32,
            architecture,
        },
        weights,
        optimizer: Weights::from_iter([("blocks.0.cccp1.bias.first".to_owned(), moment)]),
        state: TrainingState {
            epoch: total_steps / STEPS_PER_EPOCH + 1,
            step: total_steps % STEPS_PER_EPOCH,
            total_steps,
            ..TrainingState::initial()
        },
    }
}

/// Writes a checkpoint after this many steps.
pub(crate) fn write(run: &RunFolder, total_steps: usize, best: bool) -> Result<String, TrainError> {
    checkpoint(total_steps).write(run, best)
}

//! The initial state of a training: fresh weights, the weights of another network, or a checkpoint.

use burn::tensor::backend::AutodiffBackend;
use nin_data::OrderedLoader;
use nin_model::{LayerPart, LayerScale, ModelMetadata, NetworkInNetwork, Weights};
use nin_random::{Purpose, Stream};

use crate::checkpoint::{self, Checkpoint};
use crate::classifier::Classifier;
use crate::events::Event;
use crate::fine_tuning::{StartingWeights, Transfer};
use crate::learner::{OptimizerState, StepLearner};
use crate::metrics_log::MetricsLog;
use crate::recipe::Recipe;
use crate::training_loop::Job;
use crate::{RunFolder, TrainError, averaging};

/// Number of images that a data-dependent initialization is fitted to.
const INITIALIZATION_IMAGES: usize = 256;

/// Returns the starting weights, from the plan or from the run's own copy; `None` if the run draws its own or resumes
/// from a checkpoint.
pub(crate) fn starting_weights(
    recipe: &Recipe,
    planned: Option<&StartingWeights>,
    run: &RunFolder,
    has_checkpoint: bool,
) -> Result<Option<StartingWeights>, TrainError> {
    if recipe.model.weights.is_none() || has_checkpoint {
        return Ok(None);
    }
    if let Some(start) = planned {
        return Ok(Some(start.clone()));
    }
    let (metadata, weights) = checkpoint::load_model(&run.start_path())?;
    Ok(Some(StartingWeights { metadata, weights }))
}

/// The state of the learner before its next step.
#[derive(Debug)]
pub(crate) struct InitialState {
    /// The weights to train.
    pub(crate) weights: Weights,
    /// The weights to evaluate: the trained ones, or their average.
    pub(crate) evaluated: Weights,
    /// The optimizer's tensors; empty before the first step.
    pub(crate) optimizer: Weights,
    pub(crate) steps_taken: usize,
}

impl InitialState {
    /// Restores the state from a checkpoint.
    pub(crate) fn restore(checkpoint: Checkpoint) -> Self {
        let Checkpoint { weights: evaluated, optimizer, state, .. } = checkpoint;
        let weights = averaging::trained(&optimizer).unwrap_or_else(|| evaluated.clone());
        Self { weights, evaluated, optimizer, steps_taken: state.total_steps }
    }

    /// Draws initial weights, loads the starting weights over them, and fits new layers to the data if the
    /// initialization depends on it. Logs what was loaded and fitted.
    pub(crate) fn initialize<B: AutodiffBackend>(
        recipe: &Recipe,
        metadata: &ModelMetadata,
        loader: &OrderedLoader<B>,
        start: Option<&StartingWeights>,
        log: &mut MetricsLog,
    ) -> Result<Self, TrainError> {
        let Initial { weights, transfer, layers } =
            initial_weights(recipe, metadata, loader, start)?;
        if let Some(transfer) = transfer {
            log.event(Event::Loaded(transfer))?;
        }
        if !layers.is_empty() {
            log.event(Event::Fitted { layers })?;
        }
        let evaluated = weights.clone();
        Ok(Self { weights, evaluated, optimizer: Weights::new(), steps_taken: 0 })
    }

    /// Creates the learner.
    pub(crate) fn learner<B: AutodiffBackend>(
        &self,
        job: &Job<B>,
        class_weights: Option<Vec<f64>>,
    ) -> Result<StepLearner<B>, TrainError> {
        let Job { recipe, metadata, loaders, device, .. } = job;
        let network =
            NetworkInNetwork::from_weights(&metadata.architecture, &self.weights, device)?
                .with_precision(metadata.precision)
                .with_frozen_blocks(recipe.model.freeze_blocks);
        let classifier = Classifier::<B>::new(network, recipe.training.seed)
            .with_label_smoothing(recipe.training.label_smoothing)
            .with_class_weights(class_weights);
        let state = OptimizerState { tensors: &self.optimizer, steps_taken: self.steps_taken };
        let steps_per_epoch = loaders.train.steps_per_epoch();
        Ok(StepLearner::resumed(classifier, recipe, steps_per_epoch, &state, device)?)
    }
}

/// Initial weights and their origin.
struct Initial {
    weights: Weights,
    /// What was loaded from another network.
    transfer: Option<Transfer>,
    /// The scale of each layer's output before it was fitted to the data.
    layers: Vec<LayerScale>,
}

fn initial_weights<B: AutodiffBackend>(
    recipe: &Recipe,
    metadata: &ModelMetadata,
    loader: &OrderedLoader<B>,
    start: Option<&StartingWeights>,
) -> Result<Initial, TrainError> {
    let seed = recipe.training.seed;
    let initialization = recipe.model.initialization;
    let mut weights = initialization.weights(&metadata.architecture, seed);
    let begun = start.map(|start| start.begin(metadata, weights.clone())).transpose()?;
    if let Some(begun) = &begun {
        weights.clone_from(&begun.weights);
    }
    let mut layers = Vec::new();
    if initialization.follows_data() {
        let stream = Stream::new(seed, Purpose::Sampling, [0, 0]);
        let mut sample = stream.permutation(loader.len());
        sample.truncate(INITIALIZATION_IMAGES);
        let images = loader.values(&sample)?;
        let (architecture, input) = (&metadata.architecture, metadata.input());
        let new =
            |layer: &str| begun.as_ref().map_or(LayerPart::Whole, |begun| begun.new_part(layer));
        layers = initialization.fit_new(&mut weights, architecture, &images, input, &new)?;
    }
    Ok(Initial { weights, transfer: begun.map(|begun| begun.transfer), layers })
}

//! Where a training begins: with weights of its own, with those of another network, or with a checkpoint.

use burn::data::dataloader::DataLoader;
use burn::tensor::backend::AutodiffBackend;
use burn::train::Learner;
use nin_data::OrderedLoader;
use nin_model::{LayerPart, LayerScale, ModelMetadata, NetworkInNetwork, Weights};
use nin_random::{Purpose, Stream};

use crate::checkpoint::{self, Checkpoint};
use crate::classifier::Classifier;
use crate::events::Event;
use crate::fine_tuning::{StartingWeights, Transfer};
use crate::metrics_log::MetricsLog;
use crate::optimizer::{GradientDescent, RunOptimizer};
use crate::recipe::Recipe;
use crate::schedule::Schedule;
use crate::strategy::Components;
use crate::{RunFolder, TrainError, averaging, moments};

/// Images by which an initialization that follows the data is fitted.
const INITIALIZATION_IMAGES: usize = 256;

/// The weights that a run begins with, those of its plan or the run's own copy; `None` where it begins
/// with its own, or goes on from a checkpoint.
pub(crate) fn starting_weights(
    recipe: &Recipe,
    planned: Option<&StartingWeights>,
    run: &RunFolder,
    goes_on: bool,
) -> Result<Option<StartingWeights>, TrainError> {
    if recipe.model.weights.is_empty() || goes_on {
        return Ok(None);
    }
    if let Some(start) = planned {
        return Ok(Some(start.clone()));
    }
    let (metadata, weights) = checkpoint::load_model(&run.start_path())?;
    Ok(Some(StartingWeights { metadata, weights }))
}

/// What a run begins with.
struct Initial {
    weights: Weights,
    /// What of it is another network's.
    transfer: Option<Transfer>,
    /// What each layer gave before it was fitted to the data.
    layers: Vec<LayerScale>,
}

/// Drawn from the seed, or another network's, and, where the initialisation asks for it, fitted to the
/// data.
fn initial_weights<B: AutodiffBackend>(
    recipe: &Recipe,
    metadata: &ModelMetadata,
    loader: &OrderedLoader<B>,
    start: Option<&StartingWeights>,
) -> Result<Initial, TrainError> {
    let seed = recipe.training.seed;
    let initialization = recipe.initialization()?;
    let mut weights = initialization.weights(&metadata.architecture, seed);
    let begun = start.map(|start| start.begin(metadata, weights.clone())).transpose()?;
    if let Some(begun) = &begun {
        weights.clone_from(&begun.weights);
    }
    let mut layers = Vec::new();
    if initialization.follows_data() {
        let stream = Stream::new(seed, Purpose::Sampling, [0, 0]);
        let mut sample = stream.permutation(loader.num_items());
        sample.truncate(INITIALIZATION_IMAGES);
        let images = loader.values(&sample)?;
        let (architecture, input) = (&metadata.architecture, metadata.input());
        let new =
            |layer: &str| begun.as_ref().map_or(LayerPart::Whole, |begun| begun.new_part(layer));
        layers = initialization.fit_new(&mut weights, architecture, &images, input, &new)?;
    }
    Ok(Initial { weights, transfer: begun.map(|begun| begun.transfer), layers })
}

/// Where a learner begins.
pub(crate) enum Start {
    Weights(Weights),
    Checkpoint(Box<Checkpoint>),
}

impl Start {
    /// A checkpoint, or else initial weights; what is known of these is logged.
    pub(crate) fn new<B: AutodiffBackend>(
        checkpoint: Option<Checkpoint>,
        (recipe, metadata): (&Recipe, &ModelMetadata),
        loader: &OrderedLoader<B>,
        starting_weights: Option<&StartingWeights>,
        log: &mut MetricsLog,
    ) -> Result<Self, TrainError> {
        if let Some(checkpoint) = checkpoint {
            return Ok(Self::Checkpoint(Box::new(checkpoint)));
        }
        let Initial { weights, transfer, layers } =
            initial_weights(recipe, metadata, loader, starting_weights)?;
        if let Some(transfer) = transfer {
            log.event(Event::Loaded(transfer))?;
        }
        if !layers.is_empty() {
            log.event(Event::Fitted { layers })?;
        }
        Ok(Self::Weights(weights))
    }

    /// The weights by which the network is tested there.
    pub(crate) fn weights(&self) -> &Weights {
        match self {
            Self::Weights(weights) => weights,
            Self::Checkpoint(checkpoint) => &checkpoint.weights,
        }
    }
}

/// Burn's learner, fresh or as the checkpoint left it.
pub(crate) fn learner<B: AutodiffBackend>(
    recipe: &Recipe,
    metadata: &ModelMetadata,
    (start, class_weights): (Start, Option<Vec<f64>>),
    schedule: Schedule,
    device: &B::Device,
) -> Result<Learner<Components<B>>, TrainError> {
    let seed = recipe.training.seed;
    let classifier = |weights: &Weights| {
        let network = NetworkInNetwork::from_weights(&metadata.architecture, weights, device)?
            .with_precision(metadata.precision)
            .with_frozen_blocks(recipe.model.freeze_blocks);
        let classifier = Classifier::<B>::new(network, seed)
            .with_label_smoothing(recipe.training.label_smoothing)
            .with_class_weights(class_weights.clone());
        Ok::<_, TrainError>(classifier)
    };
    let optimizer = RunOptimizer::from(GradientDescent::new(&recipe.optimizer));
    let checkpoint = match start {
        Start::Weights(weights) => {
            let classifier = classifier(&weights)?;
            let record = moments::record(&classifier, &Weights::new(), &recipe.optimizer, device)?;
            let mut learner = Learner::new(classifier, optimizer, schedule);
            learner.load_optim(record);
            return Ok(learner);
        }
        Start::Checkpoint(checkpoint) => checkpoint,
    };
    let trained = averaging::trained(&checkpoint.optimizer);
    let classifier = classifier(trained.as_ref().unwrap_or(&checkpoint.weights))?;
    let record = moments::record(&classifier, &checkpoint.optimizer, &recipe.optimizer, device)?;
    let mut learner = Learner::new(classifier, optimizer, schedule);
    learner.load_optim(record);
    learner.load_scheduler(checkpoint.state.total_steps);
    Ok(learner)
}

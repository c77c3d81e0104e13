//! A training from its recipe to its summary.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use burn::tensor::backend::AutodiffBackend;
use burn::train::{Interrupter, SupervisedTraining, TrainingStrategy};
use nin_data::{DataSet, ImageDataset, OrderedLoader};
use nin_model::{Architecture, ModelMetadata, Preprocessing, check_confusion_matrix};

use crate::attempt::Attempt;
use crate::beginning::{Start, learner, starting_weights};
use crate::checkpoint::{TrainingState, to_json};
use crate::environment::Environment;
use crate::events::{Event, Observer, RunDescription};
use crate::fine_tuning::StartingWeights;
use crate::metrics_log::{Kept, MetricsLog};
use crate::opening::{Checked, OpenRun, open_run};
use crate::preprocessing::{self, Source};
use crate::quiet::Quiet;
use crate::recipe::{Recipe, RecipeError};
use crate::schedule::Schedule;
use crate::strategy::{Outcome, RunStrategy, Shared};
use crate::summary::{Summary, SummaryOf};
use crate::{RunFolder, RunHistory, TrainError, fine_tuning, sealed, weighting};

/// A training to be run.
#[derive(Debug)]
pub struct TrainingPlan {
    /// The recipe, resolved.
    pub recipe: Recipe,
    /// The run's folder: new, or, to go on, one that is there.
    pub folder: PathBuf,
    /// Whether to go on with the run in the folder.
    pub resume: bool,
    /// What is trained and tested on.
    pub data: DataSet,
    /// Threads that prepare batches beside the step; 0 prepares them in between.
    pub workers: usize,
    /// The weights that a new run begins with, where the recipe's `model.weights` names some; a run that
    /// goes on has its own copy.
    pub start: Option<StartingWeights>,
    /// What goes into `environment.json`.
    pub environment: Environment,
}

/// Runs a training on a device. `interrupter` ends it at the next step, its state saved.
///
/// # Errors
/// [`TrainError`]: whatever keeps the run from beginning or from going on. Checkpoints written
/// before stay whole.
#[allow(
    clippy::needless_pass_by_value,
    reason = "a plan is for one training, and so is its signal"
)]
pub fn train<B: AutodiffBackend>(
    plan: TrainingPlan,
    device: &B::Device,
    interrupter: Interrupter,
    observer: Box<dyn Observer>,
) -> Result<Summary, TrainError> {
    let metadata = model_metadata(&plan.recipe, &plan.data)?;
    let mut run = open_run(&plan, &metadata)?;
    let mut voice = Voice::New(observer);
    loop {
        let attempt = Attempt::current(&run.folder, &plan.recipe)?;
        let interrupter = interrupter.clone();
        match train_attempt::<B>(&plan, &attempt, &metadata, &mut run, device, interrupter, voice)?
        {
            Outcome::Ended(summary) => return Ok(summary),
            Outcome::Restart { mut log, epoch, step } => {
                attempt.next(&plan.recipe).begin(&run.folder, &mut log, (epoch, step))?;
                voice = Voice::GoesOn(Box::new(log));
            }
        }
    }
}

/// Who is told of an attempt.
enum Voice {
    /// An observer, to whom the log is yet to be opened.
    New(Box<dyn Observer>),
    /// The log of the attempts before.
    GoesOn(Box<MetricsLog>),
}

/// One attempt of a run, from its beginning or from its latest checkpoint. Nothing is written before all
/// that is there has been checked.
fn train_attempt<B: AutodiffBackend>(
    plan: &TrainingPlan,
    attempt: &Attempt,
    metadata: &ModelMetadata,
    open: &mut OpenRun,
    device: &B::Device,
    interrupter: Interrupter,
    voice: Voice,
) -> Result<Outcome, TrainError> {
    let TrainingPlan { data, environment, .. } = plan;
    let recipe = attempt.recipe(&plan.recipe);
    let Checked { checkpoint, warnings } = open.check(plan, attempt)?;
    let starting_weights =
        starting_weights(&recipe, plan.start.as_ref(), &open.folder, checkpoint.is_some())?;
    if plan.resume && matches!(voice, Voice::New(_)) {
        open.claim(plan, attempt, checkpoint.is_some())?;
    }
    let run = &open.folder;
    let preprocessing = if let Some(checkpoint) = &checkpoint {
        // Fitted once: whoever goes on, goes on with the same.
        checkpoint.metadata.preprocessing.clone()
    } else {
        let start = starting_weights.as_ref();
        let source: Source<'_, B> =
            Source { data, workers: plan.workers, device, interrupter: &interrupter };
        preprocessing::fitted(&recipe.preprocessing, metadata, start, &source)?
    };
    let metadata = &ModelMetadata { preprocessing, ..metadata.clone() };

    let Loaders { train: train_loader, eval: eval_loader, test: test_loader } =
        loaders::<B>(plan, &recipe, metadata, device);
    let steps_per_epoch = train_loader.steps_per_epoch();
    let schedule =
        Schedule::new(&recipe.schedule, &recipe.optimizer, &recipe.training, steps_per_epoch);

    let state =
        checkpoint.as_ref().map_or_else(|| attempt.beginning(), |found| found.state.clone());
    if let Some(summary) = finished(run, &state, &recipe, (metadata, data))? {
        return Ok(Outcome::Ended(summary));
    }
    let description = description(run, metadata, &recipe, steps_per_epoch, &state);
    let mut log = match voice {
        Voice::New(mut observer) => {
            write_environment(run, environment)?;
            write_pictures(run, data)?;
            observer.begin(&description);
            let sha256 = state.metrics_sha256.as_deref();
            let kept = Kept { bytes: state.metrics_bytes, sha256 };
            let mut log = MetricsLog::open(run, kept, observer)?;
            let imbalance =
                checkpoint.is_none().then(|| weighting::warning(&recipe, data, metadata));
            let unlocked = open.lock.warning().map(str::to_owned);
            for warning in warnings.into_iter().chain(unlocked).chain(imbalance.flatten()) {
                log.warn(warning)?;
            }
            log
        }
        Voice::GoesOn(mut log) => {
            log.begin(&description);
            *log
        }
    };
    log.event(if checkpoint.is_some() {
        Event::Resume { epoch: state.epoch, step: state.step }
    } else {
        start_event(&recipe, data, metadata, steps_per_epoch)?
    })?;

    let saved = checkpoint.as_ref().map(|_| (state.epoch, state.total_steps));
    let begins = (&recipe, metadata);
    let start = Start::new(checkpoint, begins, &train_loader, starting_weights.as_ref(), &mut log)?;
    let average = (recipe.training.ema_decay > 0.0).then(|| start.weights().clone());
    let weights = weighting::class_weights(&recipe, data, metadata)?;
    let learner = learner::<B>(&recipe, metadata, (start, weights), schedule, device)?;
    let shared = Arc::new(Shared {
        run: run.clone(),
        metadata: metadata.clone(),
        train_loader: Arc::clone(&train_loader),
        eval_loader: Arc::clone(&eval_loader),
        test_loader,
        evaluated_on: data.evaluated_on(),
        bad_pictures: data.bad_pictures(),
        start: Mutex::new(state),
        saved,
        average,
        device: device.clone(),
        log: Mutex::new(Some(log)),
        outcome: Mutex::new(None),
        recipe,
    });
    let strategy = RunStrategy { shared: Arc::clone(&shared) };
    SupervisedTraining::new(run.path(), train_loader, eval_loader)
        .with_training_strategy(TrainingStrategy::Custom(Arc::new(strategy)))
        .with_application_logger(None)
        .with_metric_logger(Quiet)
        .renderer(Quiet)
        .with_interrupter(interrupter)
        .launch(learner);

    let outcome = shared.outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
    let outcome = outcome.unwrap_or(Err(TrainError::NoOutcome))?;
    if let Outcome::Ended(summary) = &outcome {
        write_summary(run, summary)?;
    }
    Ok(outcome)
}

/// The summary of a run that has ended, and stays as it is.
fn finished(
    run: &RunFolder,
    state: &TrainingState,
    recipe: &Recipe,
    (metadata, data): (&ModelMetadata, &DataSet),
) -> Result<Option<Summary>, TrainError> {
    let Some(ending) = state.ending(&recipe.training) else { return Ok(None) };
    let test = RunHistory::read(run.path())?.tested();
    if test.is_none() && data.is_tested_at_the_end() {
        return Ok(None);
    }
    let of = SummaryOf {
        metadata,
        seed: recipe.training.seed,
        evaluated_on: data.evaluated_on(),
        test,
        bad_pictures: data.bad_pictures(),
    };
    Ok(Some(Summary::new(state, &of, None, ending, Duration::ZERO)))
}

/// What is said of a run before its first step.
fn description(
    run: &RunFolder,
    metadata: &ModelMetadata,
    recipe: &Recipe,
    steps_per_epoch: usize,
    state: &TrainingState,
) -> RunDescription {
    RunDescription {
        folder: run.path().to_owned(),
        architecture: metadata.architecture.name().to_owned(),
        dataset: metadata.dataset.clone(),
        input: metadata.input(),
        epochs: recipe.training.epochs,
        steps_per_epoch,
        start: (state.epoch, state.step),
    }
}

/// Writes what a training came to into its run.
fn write_summary(run: &RunFolder, summary: &Summary) -> Result<(), TrainError> {
    let path = run.summary_path();
    match run.write(&path, &to_json(&path, summary)?) {
        // All that it says stands in the log and in the checkpoint.
        Err(error) if error.is_out_of_space() => Ok(()),
        other => other,
    }
}

/// What a run from its beginning is.
fn start_event(
    recipe: &Recipe,
    data: &DataSet,
    metadata: &ModelMetadata,
    steps_per_epoch: usize,
) -> Result<Event, TrainError> {
    Ok(Event::Start {
        train_images: data.train.len(),
        test_images: data.test.len(),
        validation_images: data.validation.as_ref().map_or(0, ImageDataset::len),
        bad_pictures: data.bad_pictures(),
        steps_per_epoch,
        epochs: recipe.training.epochs,
        classes: metadata.classes.len(),
        parameters: metadata.architecture.shapes(metadata.input())?.parameters(),
    })
}

/// Architecture, classes and preprocessing of a recipe on its data, checked against each other.
///
/// # Errors
/// [`TrainError::Recipe`] or [`TrainError::Model`] where the network is refused or the images are
/// too small; [`TrainError::DataMismatch`] where it has fewer classes than the data or
/// takes images of other channels.
pub fn model_metadata(recipe: &Recipe, data: &DataSet) -> Result<ModelMetadata, TrainError> {
    let (channels, classes) = (data.train.channels(), data.class_names.len());
    let architecture: Architecture = recipe.architecture(channels, classes)?;
    if architecture.classes() < classes || architecture.input_channels() != channels {
        let describe = |channels, classes| format!("{channels} channel(s) and {classes} classes");
        return Err(TrainError::DataMismatch {
            dataset: data.name.clone(),
            folder: data.folder.clone(),
            expected: describe(architecture.input_channels(), architecture.classes()),
            found: describe(channels, classes),
        });
    }
    let input_size = match (recipe.data.input_size, data.train.image_size()) {
        (0, Some(size)) => size,
        (0, None) => {
            return Err(TrainError::Recipe(RecipeError::Refused {
                key: "data.input_size".to_owned(),
                expected: "a size such as 96 for pictures, which have sizes of their own"
                    .to_owned(),
                found: "0".to_owned(),
            }));
        }
        (side, _) => [side, side],
    };
    let fit = data.pictures.is_some().then_some(recipe.data.fit);
    let names = data.class_names.iter().cloned();
    let unnamed = (classes..architecture.classes()).map(|class| class.to_string());
    let metadata = ModelMetadata {
        classes: names.chain(unnamed).collect(),
        dataset: data.name.clone(),
        preprocessing: Preprocessing { fit, ..Preprocessing::resized(input_size) },
        precision: recipe.training.precision,
        architecture,
    };
    metadata.architecture.shapes(metadata.input())?;
    // Each epoch is evaluated.
    check_confusion_matrix(metadata.classes.len())?;
    preprocessing::check(recipe, metadata.input())?;
    weighting::class_weights(recipe, data, &metadata)?;
    fine_tuning::check(recipe)?;
    Ok(metadata)
}

fn write_environment(run: &RunFolder, environment: &Environment) -> Result<(), TrainError> {
    let path = run.environment_path();
    run.write(&path, &sealed::json(&path, environment)?)
}

/// Writes the list of a data set's pictures into the run, where it is one of pictures.
fn write_pictures(run: &RunFolder, data: &DataSet) -> Result<(), TrainError> {
    match &data.pictures {
        Some(pictures) => run.write_pictures(pictures.list.as_bytes()),
        None => Ok(()),
    }
}

/// The batches of a training.
struct Loaders<B: AutodiffBackend> {
    /// To train on, in another order each epoch.
    train: Arc<OrderedLoader<B>>,
    /// To evaluate after each epoch.
    eval: Arc<OrderedLoader<B::InnerBackend>>,
    /// To test the best checkpoint on at the end, where it was not the test images that chose it.
    test: Option<OrderedLoader<B::InnerBackend>>,
}

fn loaders<B: AutodiffBackend>(
    plan: &TrainingPlan,
    recipe: &Recipe,
    metadata: &ModelMetadata,
    device: &B::Device,
) -> Loaders<B> {
    let TrainingPlan { data, workers, .. } = plan;
    let (batch_size, seed) = (recipe.training.batch_size, recipe.training.seed);
    let train = OrderedLoader::shuffled(data.train.clone(), batch_size, seed, device)
        .with_preprocessing(metadata.preprocessing.clone())
        .with_augmentation(recipe.augmentation.changes())
        .with_mixing(recipe.augmentation.mixing())
        .with_workers(*workers);
    let in_order = |images: &ImageDataset| {
        OrderedLoader::in_order(images.clone(), batch_size, device)
            .with_preprocessing(metadata.preprocessing.clone())
            .with_workers(*workers)
    };
    let eval = in_order(data.validation.as_ref().unwrap_or(&data.test));
    let test = data.is_tested_at_the_end().then(|| in_order(&data.test));
    Loaders { train: Arc::new(train), eval: Arc::new(eval), test }
}

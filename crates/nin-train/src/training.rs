//! The stages of a training run: prepare, restore or initialize, fit, write the summary.

use std::time::Duration;

use burn::tensor::backend::AutodiffBackend;
use nin_data::{DataSet, ImageDataset};
use nin_model::{ModelMetadata, check_precision};

use crate::attempt::Attempt;
use crate::averaging::Average;
use crate::checkpoint::{Checkpoint, TrainingState, to_json};
use crate::events::{Ending, Event, Observer, RunDescription};
use crate::fine_tuning::StartingWeights;
use crate::initial_state::{InitialState, starting_weights};
use crate::learner;
use crate::metrics_log::{LoggedSoFar, MetricsLog};
use crate::model_metadata::model_metadata;
use crate::open_run::{Checked, OpenRun};
use crate::plan::Plan;
use crate::preprocessing::{self, Source};
use crate::ranks::{Start, check_rank_count};
use crate::recipe::Recipe;
use crate::summary::{Summary, SummaryOf};
use crate::training_loop::{Job, Loaders, Outcome, TrainingLoop};
use crate::{RunFolder, RunHistory, TrainError, sealed, weighting};

/// Trains on a device, attempt after attempt, and returns the summary. Of several ranks, the root opens and writes the
/// run; the others take its state and only compute.
///
/// # Errors
/// [`TrainError`] if the run cannot start or continue.
pub(crate) fn train<B: AutodiffBackend>(
    plan: &Plan,
    observer: Box<dyn Observer>,
    device: &B::Device,
) -> Result<Summary, TrainError> {
    plan.recipe.validate()?;
    check_precision::<B>(plan.recipe.training.precision, device)?;
    check_rank_count(plan.ranks.size(), plan.recipe.training.micro_batches)?;
    if plan.ranks.is_root() { lead::<B>(plan, observer, device) } else { follow::<B>(plan, device) }
}

/// Trains as the root.
fn lead<B: AutodiffBackend>(
    plan: &Plan,
    observer: Box<dyn Observer>,
    device: &B::Device,
) -> Result<Summary, TrainError> {
    let Plan { recipe, data, ranks, .. } = plan;
    let opened = || {
        let metadata = model_metadata(recipe, data)?;
        let mut run = OpenRun::open(plan, &metadata)?;
        let attempt = Attempt::current(&run.folder, recipe)?;
        let mut prepared = prepare::<B>(plan, &mut run, &attempt, &metadata, device)?;
        if let Some(summary) = prepared.finished(&run.folder, data)? {
            return Ok(Opened::Finished(Box::new((summary, prepared.state))));
        }
        let log = open_log(plan, &run, &mut prepared, observer)?;
        Ok(Opened::Ready(Box::new(Ready { metadata, run, attempt, prepared, log })))
    };
    let ready = match ranks.with_root(opened())? {
        Opened::Finished(finished) => {
            let (summary, state) = *finished;
            ranks.hand_out(Some(to_json(&plan.folder, &state)?))?;
            return Ok(summary);
        }
        Opened::Ready(ready) => {
            ranks.hand_out(None)?;
            *ready
        }
    };
    let Ready { metadata, mut run, mut attempt, mut prepared, mut log } = ready;
    loop {
        let job = prepared.job(plan, &run.folder, device);
        let start = ranks.with_root(prepared.start(data, &mut log))?;
        if !ranks.is_alone() {
            ranks.hand_out(Some(start.to_bytes()?))?;
        }
        match fit(job, start, data, log)? {
            Outcome::Ended(summary) => {
                write_summary(&run.folder, &summary)?;
                return Ok(summary);
            }
            Outcome::Restart { log: continued, epoch, step } => {
                log = continued;
                let mut begun = || {
                    attempt.next(recipe).begin(&run.folder, &mut log, (epoch, step))?;
                    attempt = Attempt::current(&run.folder, recipe)?;
                    prepare::<B>(plan, &mut run, &attempt, &metadata, device)
                };
                prepared = ranks.with_root(begun())?;
            }
        }
        log.begin(&prepared.description(&run.folder));
    }
}

/// A run that the root opened.
enum Opened<B: AutodiffBackend> {
    /// It needs no training.
    Finished(Box<(Summary, TrainingState)>),
    Ready(Box<Ready<B>>),
}

/// A run that the root trains.
struct Ready<B: AutodiffBackend> {
    metadata: ModelMetadata,
    run: OpenRun,
    attempt: Attempt,
    prepared: Prepared<B>,
    log: MetricsLog,
}

/// Trains as another rank, with the root's state. Agrees with the root wherever [`lead`] does.
fn follow<B: AutodiffBackend>(plan: &Plan, device: &B::Device) -> Result<Summary, TrainError> {
    let Plan { recipe, data, ranks, .. } = plan;
    let run = RunFolder::at(&plan.folder);
    ranks.with_root(Ok(()))?;
    if let Ok(state) = serde_json::from_slice::<TrainingState>(&ranks.hand_out(None)?) {
        // The run is already finished.
        let of = SummaryOf {
            metadata: &model_metadata(recipe, data)?,
            seed: recipe.training.seed,
            evaluated_on: data.evaluated_on(),
            test: None,
            bad_pictures: data.bad_pictures(),
        };
        let ending = state.ending(&recipe.training).unwrap_or(Ending::Finished);
        return Ok(Summary::new(&state, &of, None, ending, Duration::ZERO));
    }
    loop {
        ranks.with_root(Ok(()))?;
        let start = Start::from_bytes(&ranks.hand_out(None)?)?;
        let mut recipe = recipe.clone();
        recipe.training.seed = start.seed;
        let loaders = Loaders::<B>::new(plan, &recipe, &start.metadata.preprocessing, device);
        let job = Job {
            recipe,
            run: run.clone(),
            metadata: start.metadata.clone(),
            loaders,
            evaluated_on: data.evaluated_on(),
            bad_pictures: data.bad_pictures(),
            device: device.clone(),
            interrupter: plan.interrupter.clone(),
            ranks: ranks.clone(),
        };
        match fit(job, start, data, MetricsLog::unwritten(&run))? {
            Outcome::Ended(summary) => return Ok(summary),
            Outcome::Restart { .. } => ranks.with_root(Ok(()))?,
        }
    }
}

/// A checked attempt, with everything that it starts from.
struct Prepared<B: AutodiffBackend> {
    /// The recipe with the attempt's seed.
    recipe: Recipe,
    metadata: ModelMetadata,
    loaders: Loaders<B>,
    /// The checkpoint to resume from; `None` at the start of an attempt.
    checkpoint: Option<Checkpoint>,
    starting_weights: Option<StartingWeights>,
    state: TrainingState,
    /// Damage that was worked around, and differences from the environment of an earlier process.
    warnings: Vec<String>,
}

/// Checks the run, then reads or fits what the attempt starts from. Claims a resumed run after its checks pass.
fn prepare<B: AutodiffBackend>(
    plan: &Plan,
    run: &mut OpenRun,
    attempt: &Attempt,
    metadata: &ModelMetadata,
    device: &B::Device,
) -> Result<Prepared<B>, TrainError> {
    let recipe = attempt.recipe(&plan.recipe);
    let Checked { checkpoint, warnings } = run.check(plan, attempt)?;
    let has_checkpoint = checkpoint.is_some();
    let start = plan.starting_weights.as_ref();
    let starting_weights = starting_weights(&recipe, start, &run.folder, has_checkpoint)?;
    if plan.resume && !run.folder.is_claimed() {
        run.claim(plan, attempt, has_checkpoint)?;
    }
    let preprocessing = if let Some(checkpoint) = &checkpoint {
        // Fitted when the run started.
        checkpoint.metadata.preprocessing.clone()
    } else {
        let (data, interrupter) = (&plan.data, &plan.interrupter);
        let source: Source<'_, B> = Source { data, workers: plan.workers, device, interrupter };
        let start = starting_weights.as_ref();
        preprocessing::fitted(&recipe.preprocessing, metadata, start, &source)?
    };
    let metadata = ModelMetadata { preprocessing, ..metadata.clone() };
    let loaders = Loaders::new(plan, &recipe, &metadata.preprocessing, device);
    let state = match &checkpoint {
        Some(checkpoint) => checkpoint.state.clone(),
        None => attempt.initial_state(),
    };
    Ok(Prepared { recipe, metadata, loaders, checkpoint, starting_weights, state, warnings })
}

impl<B: AutodiffBackend> Prepared<B> {
    /// Returns the summary if the run is already finished.
    fn finished(&self, run: &RunFolder, data: &DataSet) -> Result<Option<Summary>, TrainError> {
        let Some(ending) = self.state.ending(&self.recipe.training) else { return Ok(None) };
        let test = RunHistory::read(run.path())?.tested();
        if test.is_none() && data.is_tested_at_the_end() {
            return Ok(None);
        }
        let of = SummaryOf {
            metadata: &self.metadata,
            seed: self.recipe.training.seed,
            evaluated_on: data.evaluated_on(),
            test,
            bad_pictures: data.bad_pictures(),
        };
        Ok(Some(Summary::new(&self.state, &of, None, ending, Duration::ZERO)))
    }

    fn description(&self, run: &RunFolder) -> RunDescription {
        let Self { metadata, state, .. } = self;
        RunDescription {
            folder: run.path().to_owned(),
            architecture: metadata.architecture.name().to_owned(),
            dataset: metadata.dataset.clone(),
            input: metadata.input(),
            epochs: self.recipe.training.epochs,
            steps_per_epoch: self.loaders.train.steps_per_epoch(),
            start: (state.epoch, state.step),
        }
    }

    /// Returns the first event that this process logs.
    fn first_event(&self, data: &DataSet) -> Result<Event, TrainError> {
        let Self { metadata, state, .. } = self;
        if self.checkpoint.is_some() {
            return Ok(Event::Resume { epoch: state.epoch, step: state.step });
        }
        Ok(Event::Start {
            train_images: data.train.len(),
            test_images: data.test.len(),
            validation_images: data.validation.as_ref().map_or(0, ImageDataset::len),
            bad_pictures: data.bad_pictures(),
            steps_per_epoch: self.loaders.train.steps_per_epoch(),
            epochs: self.recipe.training.epochs,
            classes: metadata.classes.len(),
            parameters: metadata.architecture.shapes(metadata.input())?.parameters(),
        })
    }

    /// Returns the values that stay constant throughout the attempt.
    fn job(&self, plan: &Plan, run: &RunFolder, device: &B::Device) -> Job<B> {
        Job {
            recipe: self.recipe.clone(),
            run: run.clone(),
            metadata: self.metadata.clone(),
            loaders: self.loaders.clone(),
            evaluated_on: plan.data.evaluated_on(),
            bad_pictures: plan.data.bad_pictures(),
            device: device.clone(),
            interrupter: plan.interrupter.clone(),
            ranks: plan.ranks.clone(),
        }
    }

    /// Restores the state of the learner from the checkpoint, or initializes it, and logs the first event.
    fn start(&mut self, data: &DataSet, log: &mut MetricsLog) -> Result<Start, TrainError> {
        log.event(self.first_event(data)?)?;
        let Self { recipe, metadata, loaders, checkpoint, starting_weights, state, .. } = self;
        let is_saved = checkpoint.is_some();
        let initial = if let Some(checkpoint) = checkpoint.take() {
            InitialState::restore(checkpoint)
        } else {
            let start = starting_weights.as_ref();
            InitialState::initialize(recipe, metadata, &loaders.train, start, log)?
        };
        let (seed, metadata) = (recipe.training.seed, metadata.clone());
        Ok(Start { seed, metadata, initial, state: state.clone(), is_saved })
    }
}

/// Writes the files that a run writes once, then opens its log at the length that the checkpoint records.
fn open_log<B: AutodiffBackend>(
    plan: &Plan,
    run: &OpenRun,
    prepared: &mut Prepared<B>,
    mut observer: Box<dyn Observer>,
) -> Result<MetricsLog, TrainError> {
    let Plan { data, environment, .. } = plan;
    let folder = &run.folder;
    let path = folder.environment_path();
    folder.write(&path, &sealed::json(&path, environment)?)?;
    if let Some(pictures) = &data.pictures {
        folder.write_pictures(pictures.list.as_bytes())?;
    }
    observer.begin(&prepared.description(folder));
    let Prepared { recipe, metadata, checkpoint, state, .. } = &*prepared;
    let sha256 = state.metrics_sha256.as_deref();
    let logged = LoggedSoFar { bytes: state.metrics_bytes, sha256 };
    let imbalance =
        if checkpoint.is_none() { weighting::warning(recipe, data, metadata) } else { None };
    let mut log = MetricsLog::open(folder, logged, observer)?;
    let unlocked = run.lock.warning().map(str::to_owned);
    for warning in
        std::mem::take(&mut prepared.warnings).into_iter().chain(unlocked).chain(imbalance)
    {
        log.warn(warning)?;
    }
    Ok(log)
}

/// Trains an attempt from its start.
fn fit<B: AutodiffBackend>(
    job: Job<B>,
    start: Start,
    data: &DataSet,
    log: MetricsLog,
) -> Result<Outcome, TrainError> {
    let Start { initial, state, is_saved, .. } = start;
    let saved = is_saved.then_some((state.epoch, state.total_steps));
    let class_weights = weighting::class_weights(&job.recipe, data, &job.metadata)?;
    let learner = initial.learner(&job, class_weights)?;
    let average = job.recipe.training.ema_decay.map(|decay| {
        Average::at(&initial.evaluated, decay, &job.device)
            .with_frozen_blocks(job.recipe.model.freeze_blocks)
    });
    let (folder, interrupter) = (job.run.path().to_owned(), job.interrupter.clone());
    let (train, evaluation) = job.loaders.for_burn();
    learner::fit(learner, (train, evaluation), &folder, interrupter, move |learner| {
        TrainingLoop::new(&job, learner, state, log).with_average(average).saved_at(saved).run()
    })
    .unwrap_or(Err(TrainError::NoOutcome))
}

fn write_summary(run: &RunFolder, summary: &Summary) -> Result<(), TrainError> {
    let path = run.summary_path();
    match run.write(&path, &to_json(&path, summary)?) {
        // The log and the checkpoint hold the same figures.
        Err(error) if error.is_out_of_space() => Ok(()),
        other => other,
    }
}

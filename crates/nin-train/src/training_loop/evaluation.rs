//! Evaluates after each epoch, and tests the best checkpoint at the end.

use std::time::Instant;

use burn::module::AutodiffModule;
use burn::tensor::backend::AutodiffBackend;
use nin_data::OrderedLoader;
use nin_model::{ModelMetadata, NetworkInNetwork};

use super::job::Job;
use super::state::TrainingLoop;
use super::times::{EpochTimes, rate};
use crate::TrainError;
use crate::checkpoint::{Checkpoint, best_checkpoint};
use crate::classifier::Classifier;
use crate::epoch_report::EpochReport;
use crate::evaluation::Evaluation;
use crate::events::{Event, Progress, TestReport};
use crate::figures::Figures;
use crate::score::Score;

/// How the final test ended.
pub(super) enum FinalTest {
    /// With its report; `None` if there is no final test because the test images chose the best checkpoint.
    Done(Option<TestReport>),
    /// By an interruption.
    Interrupted,
}

impl<B: AutodiffBackend> TrainingLoop<'_, B> {
    /// Evaluates the epoch, logs its report, saves, and moves on to the next epoch; `None` if the evaluation was
    /// interrupted.
    pub(super) fn finish_epoch(
        &mut self,
        times: &EpochTimes,
    ) -> Result<Option<EpochReport>, TrainError> {
        let train_secs = times.begun.elapsed().as_secs_f64();
        let test_begun = Instant::now();
        let epoch = self.state.epoch;
        let Some(evaluation) = self.test()? else { return Ok(None) };
        let figures = Figures::of(&evaluation);
        let tested = evaluation.score;
        let by = self.job.recipe.checkpoint.best_by;
        let previous = self.state.best_figures();
        let best = previous.is_none_or(|previous| figures.is_better(&previous, by));
        let improves = previous.is_none_or(|previous| figures.improves(&previous, by));
        let most =
            self.state.best_accuracy.map_or(figures.accuracy, |best| best.max(figures.accuracy));
        self.state.best_accuracy = Some(most);
        self.state.epochs_since_best = if improves { 0 } else { self.state.epochs_since_best + 1 };
        if best {
            self.state.best = Some(figures);
        }
        let report = EpochReport {
            epoch,
            total_steps: self.state.total_steps,
            train_loss: self.state.score.loss(),
            train_accuracy: self.state.score.accuracy(),
            evaluated_on: self.job.evaluated_on,
            eval_loss: tested.loss(),
            eval_accuracy: tested.accuracy(),
            learning_rate: self.state.learning_rate,
            images_per_sec: times.images_per_sec(),
            epoch_images_per_sec: rate(times.images, train_secs),
            train_secs,
            bookkeeping_secs: times.bookkeeping.as_secs_f64(),
            test_secs: test_begun.elapsed().as_secs_f64(),
            best,
        };
        self.log.event(Event::Epoch(report.clone()))?;
        self.state.epoch += 1;
        self.state.step = 0;
        self.state.score = Score::default();
        self.evaluated = Some(figures);
        self.save()?;
        Ok(Some(report))
    }

    fn test(&mut self) -> Result<Option<Evaluation>, TrainError> {
        let classifier = self.tested_classifier()?;
        self.evaluate(&classifier, &self.job.loaders.evaluation, self.state.epoch)
    }

    /// Evaluates together with the other ranks, and reports the progress as that of `epoch`; `None` if the evaluation was
    /// interrupted.
    fn evaluate(
        &mut self,
        classifier: &Classifier<B::InnerBackend>,
        loader: &OrderedLoader<B::InnerBackend>,
        epoch: usize,
    ) -> Result<Option<Evaluation>, TrainError> {
        let Self { job, log, .. } = self;
        let own = Evaluation::run_while(classifier, loader, |images, total| {
            let images = total.min(images * job.ranks.size());
            log.progress(&Progress::Testing { epoch, images, total });
            !job.interrupter.should_stop()
        });
        job.ranks.joined_evaluation(own)
    }

    /// Tests the best checkpoint if validation data chose it.
    pub(super) fn test_best(&mut self) -> Result<FinalTest, TrainError> {
        let Some(loader) = &self.job.loaders.test else { return Ok(FinalTest::Done(None)) };
        let (model, epoch_of_best) = self.best_model()?;
        let Job { recipe, device, .. } = self.job;
        let (metadata, weights) = ModelMetadata::from_safetensors(&model)?;
        let network = NetworkInNetwork::from_weights(&metadata.architecture, &weights, device)?
            .with_precision(metadata.precision);
        let classifier = Classifier::new(network, recipe.training.seed);
        let last_epoch = self.state.epoch.saturating_sub(1);
        let Some(evaluation) = self.evaluate(&classifier, loader, last_epoch)? else {
            return Ok(FinalTest::Interrupted);
        };
        let report = TestReport {
            epoch: epoch_of_best,
            images: evaluation.score.images,
            loss: evaluation.score.loss(),
            accuracy: evaluation.score.accuracy(),
        };
        self.log.event(Event::Tested(report))?;
        Ok(FinalTest::Done(Some(report)))
    }

    /// Returns the best checkpoint's model as a safetensors file, and its epoch. Only the root reads it.
    fn best_model(&self) -> Result<(Vec<u8>, usize), TrainError> {
        let Job { run, ranks, .. } = self.job;
        let read = || -> Result<Vec<u8>, TrainError> {
            let Checkpoint { metadata, weights, state, .. } =
                best_checkpoint(run, self.state.attempt)?;
            let epoch = (state.epoch.saturating_sub(1) as u64).to_le_bytes().to_vec();
            Ok([epoch, metadata.to_safetensors(&weights)?].concat())
        };
        let own = ranks.with_root(if ranks.is_root() { read() } else { Ok(Vec::new()) })?;
        let mut bytes = ranks.hand_out(Some(own))?;
        let model = bytes.split_off(bytes.len().min(8));
        let epoch = bytes.try_into().map_or(0, u64::from_le_bytes);
        Ok((model, epoch as usize))
    }

    /// Returns the network with the weights to save: their average, if there is one.
    fn tested_classifier(&self) -> Result<Classifier<B::InnerBackend>, TrainError> {
        let Some(average) = &self.average else {
            return Ok(self.learner.steps.classifier().valid());
        };
        let Job { metadata, recipe, device, .. } = self.job;
        let architecture = &metadata.architecture;
        let network = NetworkInNetwork::from_weights(architecture, &average.weights()?, device)?
            .with_precision(metadata.precision);
        Ok(Classifier::new(network, recipe.training.seed))
    }
}

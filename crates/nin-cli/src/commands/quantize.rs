//! `quantize`: rounds the weights of a checkpoint to int8, and measures what that costs in accuracy.

use std::process::ExitCode;

use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};
use nin_data::{ImageDataset, OrderedLoader, Part};
use nin_model::{
    Calibration, HostTensor, InferencePlan, ModelError, ModelMetadata, NetworkInNetwork, Precision,
    Weights,
};
use nin_train::{Classifier, Evaluation};
use serde::Serialize;

use crate::arguments::{ProgressChoice, QuantizeArguments};
use crate::backend::{BackendName, Selected, Task};
use crate::dataset::{ChosenImages, ImageRequest, Reading, choose_images, run_of};
use crate::error::CommandError;
use crate::output::{Format, note, note_replaced, print_json, print_text, save};
use crate::progress::PreparationProgress;
use crate::terminal::printable_text;

/// Images per batch.
const BATCH: usize = 32;

/// Shares of the positive activations that may lie outside the range of their layer. A smaller range has smaller steps.
const CLIPPED_SHARES: [f64; 4] = [0.0, 1e-5, 1e-4, 1e-3];

pub fn run(arguments: &QuantizeArguments) -> anyhow::Result<ExitCode> {
    let (mut metadata, weights) = arguments.checkpoint.load()?;
    if weights.is_quantized() {
        let hint = "pass the checkpoint that it was made from";
        return Err(CommandError::new("the weights are int8 already", hint).into());
    }
    if metadata.precision == Precision::F16 {
        // A GPU computes integer weights in fp32.
        metadata.precision = Precision::Fp32;
    }
    let [training, held_out] =
        [Part::Train, Part::Test].map(|part| images(arguments, &metadata, part));
    let (training, held_out) = (training?, held_out?);
    let selected = Selected::choose(arguments.device.request().for_int8())?;
    if selected.backend == BackendName::Wgpu {
        let hint = "leave --backend and --adapter out, or pass --backend flex";
        return Err(CommandError::new("int8 runs on the CPU only", hint).into());
    }
    note(selected.describe());
    let quantized = selected.run(Quantize {
        metadata: &metadata,
        weights: &weights,
        training: &spread(&training.images, arguments.images as usize),
        held_out: &held_out.images,
        batch_size: metadata.batch_in_memory(BATCH)?,
    })?;
    let encoded = metadata.to_safetensors(&quantized.weights)?;
    let accuracy_loss = quantized.accuracy_fp32 - quantized.accuracy_int8;
    let is_written = accuracy_loss <= arguments.max_loss;
    if is_written {
        note_replaced(&arguments.output);
        save(&arguments.output, &encoded)?;
        note(format!("wrote {}", arguments.output.display()));
    }
    let report = Report {
        dataset: &held_out.dataset,
        split: held_out.part,
        images: held_out.images.len(),
        accuracy_fp32: quantized.accuracy_fp32,
        accuracy_int8: quantized.accuracy_int8,
        accuracy_loss,
        max_loss: arguments.max_loss,
        bytes_fp32: metadata.to_safetensors(&weights)?.len(),
        bytes_int8: encoded.len(),
        calibration_images: quantized.calibration_images,
        clipped_share: quantized.clipped_share,
        written: is_written,
    };
    match arguments.format {
        Format::Json => print_json(&report)?,
        Format::Text => print_text(&report.as_text())?,
    }
    if is_written {
        return Ok(ExitCode::SUCCESS);
    }
    let message = format!(
        "int8 loses {accuracy_loss:.4} of accuracy, more than --max-loss {}: nothing was written",
        arguments.max_loss
    );
    let hint = "calibrate on more --images, or raise --max-loss";
    Err(CommandError::new(message, hint).into())
}

/// Opens a part of the data that the network was trained on, unless other data is named.
fn images(
    arguments: &QuantizeArguments,
    metadata: &ModelMetadata,
    part: Part,
) -> anyhow::Result<ChosenImages> {
    let run = arguments.checkpoint.path().and_then(run_of);
    let asked = ImageRequest {
        metadata,
        run: run.as_deref(),
        folder: arguments.data.as_deref(),
        dataset: arguments.dataset.as_deref(),
        part,
        whole: false,
        falls_back: true,
    };
    let reading = Reading {
        threads: arguments.device.thread_count(),
        is_cached: true,
        progress: &PreparationProgress::new(ProgressChoice::Auto),
        is_stopped: &|| false,
    };
    choose_images(asked, reading)
}

/// Returns `count` images, evenly spread over a data set, or all of them.
fn spread(images: &ImageDataset, count: usize) -> ImageDataset {
    let count = count.min(images.len());
    let indices: Vec<usize> = (0..count).map(|index| index * images.len() / count).collect();
    images.select(&indices)
}

struct Quantize<'a> {
    metadata: &'a ModelMetadata,
    weights: &'a Weights,
    training: &'a ImageDataset,
    held_out: &'a ImageDataset,
    batch_size: usize,
}

struct Quantized {
    weights: Weights,
    calibration_images: usize,
    clipped_share: f64,
    accuracy_fp32: f64,
    accuracy_int8: f64,
}

impl Task for Quantize<'_> {
    type Output = Quantized;

    fn run<B: AutodiffBackend>(self, device: B::Device) -> anyhow::Result<Quantized>
    where
        B::InnerBackend: Backend<Device = B::Device>,
    {
        self.on::<B::InnerBackend>(&device)
    }
}

impl Quantize<'_> {
    /// Calibrates on half of the training images, and takes the ranges that answer the other half most like fp32. One batch is
    /// in memory at a time.
    fn on<B: Backend>(&self, device: &B::Device) -> anyhow::Result<Quantized> {
        let architecture = &self.metadata.architecture;
        let loader = self.loader::<B>(self.training, device);
        let indices: Vec<usize> = (0..self.training.len()).collect();
        let batches: Vec<&[usize]> = indices.chunks(self.batch_size).collect();
        let mut calibration = Calibration::new(architecture);
        let mut calibration_images = 0;
        for batch in batches.iter().step_by(2) {
            let images = loader.values(batch)?;
            calibration.observe(architecture, self.weights, self.shape(batch), &images)?;
            calibration_images += batch.len();
        }
        let mut candidates = Vec::new();
        for share in CLIPPED_SHARES {
            let weights = self.weights.quantized(architecture, &calibration.ranges(share))?;
            let plan = InferencePlan::new(self.network::<B>(device, &weights)?)?;
            candidates.push(Candidate { share, plan, error: 0.0 });
        }
        let fp32 = InferencePlan::new(self.network::<B>(device, self.weights)?)?;
        // A single batch has to do for both.
        let first = usize::from(batches.len() > 1);
        for batch in batches[first..].iter().step_by(2) {
            let images = TensorData::new(loader.values(batch)?, self.shape(batch));
            let images = Tensor::from_data(images, device);
            let expected = logits(&fp32, &images)?;
            for candidate in &mut candidates {
                candidate.compare(&images, &expected)?;
            }
        }
        let finite = candidates.into_iter().filter(|candidate| candidate.error.is_finite());
        let Some(best) = finite.min_by(|one, other| one.error.total_cmp(&other.error)) else {
            let hint = "train the network again: its answers are not finite";
            return Err(CommandError::new("no int8 network answers like fp32", hint).into());
        };
        let weights = best.plan.network().to_weights()?;
        Ok(Quantized {
            calibration_images,
            clipped_share: best.share,
            accuracy_fp32: self.accuracy::<B>(device, self.weights)?,
            accuracy_int8: self.accuracy::<B>(device, &weights)?,
            weights,
        })
    }

    fn loader<B: Backend>(&self, images: &ImageDataset, device: &B::Device) -> OrderedLoader<B> {
        OrderedLoader::in_order(images.clone(), self.batch_size, device)
            .with_preprocessing(self.metadata.preprocessing.clone())
    }

    /// Returns the shape of a batch, `[batch, channels, height, width]`.
    fn shape(&self, batch: &[usize]) -> [usize; 4] {
        let [channels, height, width] = self.metadata.input();
        [batch.len(), channels, height, width]
    }

    fn network<B: Backend>(
        &self,
        device: &B::Device,
        weights: &Weights,
    ) -> Result<NetworkInNetwork<B>, ModelError> {
        NetworkInNetwork::from_weights(&self.metadata.architecture, weights, device)
    }

    fn accuracy<B: Backend>(&self, device: &B::Device, weights: &Weights) -> anyhow::Result<f64> {
        let classifier = Classifier::new(self.network::<B>(device, weights)?, 0);
        let loader = self.loader::<B>(self.held_out, device).with_workers(1);
        Ok(Evaluation::run(&classifier, &loader, |_, _| {})?.score.accuracy())
    }
}

/// An int8 network, and how far it is from fp32.
struct Candidate<B: Backend> {
    share: f64,
    plan: InferencePlan<B>,
    /// Sum of the squared differences of its logits.
    error: f64,
}

impl<B: Backend> Candidate<B> {
    /// Adds the differences on a batch.
    fn compare(&mut self, images: &Tensor<B, 4>, expected: &[f32]) -> Result<(), ModelError> {
        for (found, expected) in logits(&self.plan, images)?.iter().zip(expected) {
            self.error += (f64::from(*found) - f64::from(*expected)).powi(2);
        }
        Ok(())
    }
}

fn logits<B: Backend>(
    plan: &InferencePlan<B>,
    images: &Tensor<B, 4>,
) -> Result<Vec<f32>, ModelError> {
    Ok(HostTensor::read("logits", &plan.forward(images.clone()))?.values)
}

#[derive(Serialize)]
struct Report<'a> {
    dataset: &'a str,
    split: &'a str,
    images: usize,
    accuracy_fp32: f64,
    accuracy_int8: f64,
    accuracy_loss: f64,
    max_loss: f64,
    bytes_fp32: usize,
    bytes_int8: usize,
    calibration_images: usize,
    clipped_share: f64,
    written: bool,
}

impl Report<'_> {
    fn as_text(&self) -> String {
        let megabytes = |bytes: usize| format!("{:.2} MB", bytes as f64 / 1e6);
        printable_text(&[
            format!("{}, {}: {} images", self.dataset, self.split, self.images),
            format!(
                "accuracy  fp32 {:.4}, int8 {:.4} ({:+.4})",
                self.accuracy_fp32, self.accuracy_int8, -self.accuracy_loss
            ),
            format!(
                "size      fp32 {}, int8 {}",
                megabytes(self.bytes_fp32),
                megabytes(self.bytes_int8)
            ),
            format!(
                "ranges from {} training images, {}",
                self.calibration_images,
                if self.clipped_share == 0.0 {
                    "up to the largest activation".to_owned()
                } else {
                    format!("without the largest {} % of activations", 100.0 * self.clipped_share)
                }
            ),
        ])
    }
}

//! `bench`: measures images per second of a training step, of inference, and of an epoch with its data loader.

mod compare;
mod layers;

use std::process::ExitCode;

use nin_data::FASHION_MNIST_SAMPLE;
use serde::Serialize;

use crate::arguments::BenchArguments;
use crate::backend::Selected;
use crate::dataset::open_data;
use crate::measure::{Measure, peak_memory_bytes};
use crate::output::{Format, print_json, print_text};
use crate::pretrained::ModelSource;
use crate::settings::NetworkSettings;
use crate::terminal::printable_text;

/// Replaces a data set that is not available or has another number of channels.
const STAND_IN: &str = FASHION_MNIST_SAMPLE;

#[derive(Serialize)]
struct Figures {
    backend: &'static str,
    device: String,
    threads: usize,
    batch_size: usize,
    steps: usize,
    architecture: String,
    input: [usize; 3],
    precision: &'static str,
    /// `None` with `--inference`.
    train_images_per_sec: Option<f64>,
    infer_images_per_sec: f64,
    /// `None` with `--inference`, or if no data set fits the network's input.
    epoch_images_per_sec: Option<f64>,
    peak_memory_bytes: Option<u64>,
    /// The median over training steps.
    train_minor_faults_per_step: Option<u64>,
}

pub fn run(arguments: &BenchArguments) -> anyhow::Result<ExitCode> {
    let mut assignments = arguments.set.clone();
    assignments.extend(arguments.batch_size.map(|size| format!("training.batch_size={size}")));
    let mut settings = NetworkSettings::resolve(&arguments.config, &assignments)?;
    let checkpoint = arguments.checkpoint.as_ref().map(ModelSource::load).transpose()?;
    if let Some((metadata, _)) = &checkpoint {
        settings.architecture = metadata.architecture.clone();
        settings.input = metadata.input();
        settings.recipe.training.precision = metadata.precision;
    }
    settings.architecture.shapes(settings.input)?;
    if let Some(peer) = arguments.compare {
        return compare::run(arguments, &settings, peer);
    }
    if arguments.layers {
        return layers::run(arguments, &settings);
    }
    let NetworkSettings { recipe, architecture, input } = settings;
    let data = match (input[0], open_data(&recipe.data.dataset, None)) {
        (channels, Ok(data)) if data.train.channels() == channels => Some(data),
        (1, _) => Some(open_data(STAND_IN, None)?),
        _ => None,
    }
    .filter(|_| !arguments.inference);
    let weights = match checkpoint {
        Some((_, weights)) => weights,
        None => recipe.model.initialization.weights(&architecture, recipe.training.seed),
    };
    let selected = Selected::choose(arguments.device.request_for(&weights))?;
    selected.note_format(recipe.training.precision, &weights);
    let precision = recipe.training.precision.name();
    let steps = arguments.steps as usize;
    let batch_size = recipe.training.batch_size;
    let rates = selected.run_steps(Measure {
        recipe: &recipe,
        architecture: &architecture,
        weights: &weights,
        input,
        data,
        trains: !arguments.inference,
        steps,
    })?;

    let figures = Figures {
        backend: selected.backend.name(),
        device: selected.device.clone(),
        threads: arguments.device.thread_count(),
        batch_size,
        steps,
        architecture: architecture.name().to_owned(),
        input,
        precision: if selected.computes_int8(&weights) { "int8" } else { precision },
        train_images_per_sec: rates.train,
        infer_images_per_sec: rates.infer,
        epoch_images_per_sec: rates.epoch,
        peak_memory_bytes: peak_memory_bytes(),
        train_minor_faults_per_step: rates.train_minor_faults,
    };
    match arguments.format {
        Format::Json => print_json(&figures)?,
        Format::Text => print_text(&describe(&figures, &selected))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(figures: &Figures, selected: &Selected) -> String {
    let [channels, height, width] = figures.input;
    let mut lines = vec![
        format!(
            "{} at {channels}x{height}x{width}, batches of {}, {} threads",
            figures.architecture, figures.batch_size, figures.threads
        ),
        selected.describe(),
    ];
    if let Some(rate) = figures.train_images_per_sec {
        lines.push(format!("training step  {rate:>10.1} images/s"));
    }
    lines.push(format!("inference      {:>10.1} images/s", figures.infer_images_per_sec));
    if let Some(rate) = figures.epoch_images_per_sec {
        lines.push(format!("with loader    {rate:>10.1} images/s"));
    }
    if let Some(bytes) = figures.peak_memory_bytes {
        lines.push(format!("peak memory    {:>10.1} MB", bytes as f64 / 1e6));
    }
    if let Some(faults) = figures.train_minor_faults_per_step {
        lines.push(format!("page faults    {faults:>10} per training step"));
    }
    printable_text(&lines)
}

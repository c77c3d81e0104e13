//! `bench`: images per second of a training step, of inference, and of an epoch with its loader.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::data::dataloader::DataLoader;
use burn::module::AutodiffModule;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Int, Tensor, TensorData};
use burn::train::{InferenceStep, Learner};
use nin_data::{DataSet, ImageBatch, OrderedLoader};
use nin_model::{Architecture, NetworkInNetwork};
use nin_train::recipe::Recipe;
use nin_train::{Classifier, Components, GradientDescent, RunOptimizer, Schedule};
use serde::Serialize;

use crate::arguments::BenchArguments;
use crate::backend::{Selected, Task};
use crate::output::{Format, print_json, print_text};
use crate::settings::{NetworkSettings, open_data};

/// What stands in for a data set that is not at hand, or has other images.
const STAND_IN: &str = "fashion-mnist-sample";

#[derive(Serialize)]
struct Figures {
    backend: &'static str,
    device: String,
    threads: usize,
    batch_size: usize,
    steps: usize,
    architecture: String,
    input: [usize; 3],
    train_images_per_sec: f64,
    infer_images_per_sec: f64,
    /// Absent for networks whose input the data sets do not have.
    epoch_images_per_sec: Option<f64>,
    peak_memory_bytes: Option<u64>,
}

pub fn run(arguments: &BenchArguments) -> anyhow::Result<ExitCode> {
    let mut assignments = arguments.set.clone();
    assignments.extend(arguments.batch_size.map(|size| format!("training.batch_size={size}")));
    let NetworkSettings { recipe, architecture, input } =
        NetworkSettings::resolve(&arguments.config, &assignments)?;
    architecture.shapes(input)?;
    let data = match (input[0], open_data(&recipe.data.dataset, None)) {
        (1, Ok(data)) => Some(data),
        (1, Err(_)) => Some(open_data(STAND_IN, None)?),
        _ => None,
    };
    let selected = Selected::choose(arguments.device.backend, arguments.device.thread_count())?;
    let steps = arguments.steps as usize;
    let batch_size = recipe.training.batch_size;
    let rates = selected.run(Measure {
        recipe: &recipe,
        architecture: &architecture,
        input,
        data,
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
        train_images_per_sec: rates.train,
        infer_images_per_sec: rates.infer,
        epoch_images_per_sec: rates.epoch,
        peak_memory_bytes: peak_memory_bytes(),
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
        format!("training step  {:>10.1} images/s", figures.train_images_per_sec),
        format!("inference      {:>10.1} images/s", figures.infer_images_per_sec),
    ];
    if let Some(rate) = figures.epoch_images_per_sec {
        lines.push(format!("with loader    {rate:>10.1} images/s"));
    }
    if let Some(bytes) = figures.peak_memory_bytes {
        lines.push(format!("peak memory    {:>10.1} MB", bytes as f64 / 1e6));
    }
    lines.join("\n")
}

struct Rates {
    train: f64,
    infer: f64,
    epoch: Option<f64>,
}

struct Measure<'a> {
    recipe: &'a Recipe,
    architecture: &'a Architecture,
    input: [usize; 3],
    data: Option<DataSet>,
    steps: usize,
}

impl Task for Measure<'_> {
    type Output = Rates;

    fn run<B: AutodiffBackend>(self, device: B::Device) -> anyhow::Result<Rates>
    where
        B::InnerBackend: Backend<Device = B::Device>,
    {
        let Self { recipe, architecture, input, data, steps } = self;
        let batch_size = recipe.training.batch_size;
        let seed = recipe.training.seed;
        let weights = recipe.initialization()?.weights(architecture, seed);
        let network = NetworkInNetwork::<B>::from_weights(architecture, &weights, &device)?;
        let optimizer = RunOptimizer::from(GradientDescent::new(&recipe.optimizer));
        let schedule =
            Schedule::new(&recipe.schedule, &recipe.optimizer, &recipe.training, steps + 1);
        let mut learner: Learner<Components<B>> =
            Learner::new(Classifier::new(network, seed), optimizer, schedule);

        let images = grey_ramp::<B>(batch_size, input, &device);
        let targets = Tensor::<B, 1, Int>::zeros([batch_size], &device);
        let batch = |step| ImageBatch {
            images: images.clone(),
            targets: targets.clone(),
            labels: vec![0; batch_size],
            indices: (0..batch_size).collect(),
            epoch: 1,
            step,
        };
        let mut step = 0;
        let train = median_rate(steps, batch_size, || {
            step += 1;
            train_step(&mut learner, batch(step), &device)
        })?;

        let classifier = learner.model().valid();
        let inner_images = images.clone().inner();
        let infer = median_rate(steps, batch_size, || {
            let batch = ImageBatch {
                images: inner_images.clone(),
                targets: targets.clone().inner(),
                labels: vec![0; batch_size],
                indices: Vec::new(),
                epoch: 1,
                step: 0,
            };
            classifier.step(batch).0?;
            Ok(())
        })?;

        let epoch = match data {
            Some(data) => Some(epoch_rate(&mut learner, data, input, recipe, steps, &device)?),
            None => None,
        };
        Ok(Rates { train, infer, epoch })
    }
}

fn train_step<B: AutodiffBackend>(
    learner: &mut Learner<Components<B>>,
    batch: ImageBatch<B>,
    device: &B::Device,
) -> anyhow::Result<usize> {
    learner.lr_step();
    let output = learner.train_step(batch);
    let images = output.item.0?.score().images;
    learner.optimizer_step(output.grads);
    B::sync(device)?;
    Ok(images)
}

/// Images a second of so many steps through the real loader, one step before them left out.
fn epoch_rate<B: AutodiffBackend>(
    learner: &mut Learner<Components<B>>,
    data: DataSet,
    input: [usize; 3],
    recipe: &Recipe,
    steps: usize,
    device: &B::Device,
) -> anyhow::Result<f64> {
    let seed = recipe.training.seed;
    let loader = Arc::new(
        OrderedLoader::<B>::shuffled(data.train, recipe.training.batch_size, seed, device)
            .with_size([input[1], input[2]])
            .with_workers(1),
    );
    let (mut images, mut elapsed) = (0, Duration::ZERO);
    let mut epoch = 0;
    let mut done = 0;
    while done <= steps {
        epoch += 1;
        loader.start_at(epoch, 0);
        let mut batches = loader.iter();
        loop {
            let begun = Instant::now();
            let Some(batch) = batches.next().filter(|_| done <= steps) else {
                break;
            };
            let count = train_step(learner, batch, device)?;
            if done > 0 {
                images += count;
                elapsed += begun.elapsed();
            }
            done += 1;
        }
    }
    Ok(images as f64 / elapsed.as_secs_f64())
}

/// The median over the steps of the images a second, after one step to warm up.
fn median_rate<T>(
    steps: usize,
    images: usize,
    mut step: impl FnMut() -> anyhow::Result<T>,
) -> anyhow::Result<f64> {
    step()?;
    let mut rates = Vec::with_capacity(steps);
    for _ in 0..steps {
        let begun = Instant::now();
        step()?;
        rates.push(images as f64 / begun.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    Ok(rates[rates.len() / 2])
}

/// Images of all grey values: [batch, channels, height, width].
fn grey_ramp<B: Backend>(batch: usize, input: [usize; 3], device: &B::Device) -> Tensor<B, 4> {
    let [channels, height, width] = input;
    let count = batch * channels * height * width;
    let values: Vec<f32> = (0..count).map(|index| (index * 37 % 256) as f32 / 255.0).collect();
    Tensor::from_data(TensorData::new(values, [batch, channels, height, width]), device)
}

/// The most memory that this process ever held, where the system tells.
fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

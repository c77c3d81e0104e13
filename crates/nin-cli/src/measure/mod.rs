//! Times a training step, inference, and an epoch with its data loader on one backend.

mod process;

use std::time::{Duration, Instant};

use burn::module::AutodiffModule;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Int, Tensor, TensorData};
use nin_data::{DataSet, ImageBatch, OrderedLoader};
use nin_model::{Architecture, NetworkInNetwork, Precision, Weights, check_precision};
use nin_train::recipe::Recipe;
use nin_train::{Classifier, StepLearner};

pub use self::process::peak_memory_bytes;

use self::process::minor_faults;
use crate::backend::Task;

/// Images per second.
pub struct Rates {
    /// Of training steps, if they were measured.
    pub train: Option<f64>,
    /// Of inference.
    pub infer: f64,
    /// Of training steps with the loader; `None` if no data set has such images, or training was not measured.
    pub epoch: Option<f64>,
    /// Minor page faults per training step, if the system counts them.
    pub train_minor_faults: Option<u64>,
}

/// The network to measure, and how.
pub struct Measure<'a> {
    /// Optimizer, batch size, precision.
    pub recipe: &'a Recipe,
    /// The network.
    pub architecture: &'a Architecture,
    /// Its weights.
    pub weights: &'a Weights,
    /// `[channels, height, width]`
    pub input: [usize; 3],
    /// The data set of the loader.
    pub data: Option<DataSet>,
    /// Whether to measure training too.
    pub trains: bool,
    /// Steps of each measurement.
    pub steps: usize,
}

impl Task for Measure<'_> {
    type Output = Rates;

    fn precision(&self) -> Precision {
        self.recipe.training.precision
    }

    fn run<B: AutodiffBackend>(self, device: B::Device) -> anyhow::Result<Rates>
    where
        B::InnerBackend: Backend<Device = B::Device>,
    {
        let Self { recipe, architecture, input, steps, .. } = self;
        if self.trains {
            check_precision::<B>(recipe.training.precision, &device)?;
        }
        let seed = recipe.training.seed;
        let network = NetworkInNetwork::<B>::from_weights(architecture, self.weights, &device)?
            .with_precision(recipe.training.precision);
        let mut classifier = Classifier::new(network, seed);
        let images = grey_ramp::<B>(recipe.training.batch_size, input, &device);
        let mut training = None;
        if self.trains {
            let mut learner = StepLearner::new(classifier, recipe, steps + 1, &device)?;
            training = Some(self.train(&mut learner, &images, &device)?);
            classifier = learner.classifier();
        }
        let (train, train_minor_faults, epoch) = match training {
            Some(Training { rate, minor_faults, epoch }) => (Some(rate), minor_faults, epoch),
            None => (None, None, None),
        };
        let classifier = classifier.valid().prepared()?;
        let images = images.inner();
        let (infer, _) = medians(steps, recipe.training.batch_size, || {
            classifier.step(batch_of(&images, 0)).0?;
            Ok(())
        })?;
        Ok(Rates { train, infer, epoch, train_minor_faults })
    }
}

/// The figures of training.
struct Training {
    rate: f64,
    minor_faults: Option<u64>,
    epoch: Option<f64>,
}

impl Measure<'_> {
    /// Measures training steps, then training steps with the loader.
    fn train<B: AutodiffBackend>(
        self,
        learner: &mut StepLearner<B>,
        images: &Tensor<B, 4>,
        device: &B::Device,
    ) -> anyhow::Result<Training> {
        let Self { recipe, input, data, steps, .. } = self;
        let batch_size = recipe.training.batch_size;
        let mut step = 0;
        let (rate, minor_faults) = medians(steps, batch_size, || {
            step += 1;
            train_step(learner, batch_of(images, step), device)
        })?;
        let epoch = match data {
            Some(data) => {
                let seed = recipe.training.seed;
                let loader = OrderedLoader::<B>::shuffled(data.train, batch_size, seed, device)
                    .with_size([input[1], input[2]])
                    .with_workers(1);
                Some(epoch_rate(learner, &loader, steps, device)?)
            }
            None => None,
        };
        Ok(Training { rate, minor_faults, epoch })
    }
}

/// Returns a batch of these images, all of the first class.
fn batch_of<B: Backend>(images: &Tensor<B, 4>, step: usize) -> ImageBatch<B> {
    let [batch_size, _, _, _] = images.dims();
    ImageBatch {
        images: images.clone(),
        targets: Tensor::<B, 1, Int>::zeros([batch_size], &images.device()),
        labels: vec![0; batch_size],
        mixed: None,
        indices: (0..batch_size).collect(),
        epoch: 1,
        step,
        place: None,
    }
}

fn train_step<B: AutodiffBackend>(
    learner: &mut StepLearner<B>,
    batch: ImageBatch<B>,
    device: &B::Device,
) -> anyhow::Result<usize> {
    let images = learner.step(batch)?.score().images;
    B::sync(device)?;
    Ok(images)
}

/// Measures images per second over `steps` steps with a data loader, after one step to warm up.
fn epoch_rate<B: AutodiffBackend>(
    learner: &mut StepLearner<B>,
    loader: &OrderedLoader<B>,
    steps: usize,
    device: &B::Device,
) -> anyhow::Result<f64> {
    let (mut images, mut elapsed) = (0, Duration::ZERO);
    let mut epoch = 0;
    let mut done = 0;
    while done <= steps {
        epoch += 1;
        let mut batches = loader.epoch(epoch, 0);
        loop {
            let begun = Instant::now();
            let Some(batch) = batches.next().filter(|_| done <= steps) else {
                break;
            };
            let count = train_step(learner, batch?, device)?;
            if done > 0 {
                images += count;
                elapsed += begun.elapsed();
            }
            done += 1;
        }
    }
    Ok(images as f64 / elapsed.as_secs_f64())
}

/// Measures the medians over the steps of images per second and of minor page faults, after one step to warm
/// up.
fn medians<T>(
    steps: usize,
    images: usize,
    mut step: impl FnMut() -> anyhow::Result<T>,
) -> anyhow::Result<(f64, Option<u64>)> {
    step()?;
    let (mut rates, mut faults) = (Vec::with_capacity(steps), Vec::with_capacity(steps));
    for _ in 0..steps {
        let faults_before = minor_faults();
        let begun = Instant::now();
        step()?;
        rates.push(images as f64 / begun.elapsed().as_secs_f64());
        faults.extend(minor_faults().zip(faults_before).map(|(after, before)| after - before));
    }
    rates.sort_by(f64::total_cmp);
    faults.sort_unstable();
    Ok((rates[rates.len() / 2], faults.get(faults.len() / 2).copied()))
}

/// Returns images of all grey values: [batch, channels, height, width].
fn grey_ramp<B: Backend>(batch: usize, input: [usize; 3], device: &B::Device) -> Tensor<B, 4> {
    let [channels, height, width] = input;
    let count = batch * channels * height * width;
    let values: Vec<f32> = (0..count).map(|index| (index * 37 % 256) as f32 / 255.0).collect();
    Tensor::from_data(TensorData::new(values, [batch, channels, height, width]), device)
}

//! A training that a page drives step by step.
//!
//! It takes the steps of `nin-cli train` for recipes without augmentation, dropout, clipping and averaging: the same order of
//! images, initial weights, loss, optimizer and schedule.

use burn::backend::Autodiff;
use burn::module::AutodiffModule;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::adaptor::OptimizerAdaptor;
use burn::optim::lr_scheduler::LrScheduler;
use burn::optim::{GradientsParams, Optimizer};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use burn_flex::{Flex, FlexDevice};
use nin_model::{
    Architecture, DropoutKey, HostTensor, InferencePlan, Initialization, ModelError, ModelMetadata,
    NetworkInNetwork, Precision, Preprocessing,
};
use nin_optimizer::{GradientDescent, OptimizerRecipe, Schedule, ScheduleRecipe};
use nin_prediction::Prediction;
use nin_random::{Purpose, Stream};
use serde::Deserialize;
use serde_json::{Value, json};

type Training = Autodiff<Flex>;

/// Number of images that a data-dependent initialization is fitted to, as in nin-train.
const INITIALIZATION_IMAGES: usize = 256;
/// Images of an evaluation's batch: the sizes of more could overflow 32 bits.
const EVALUATION_BATCH: usize = 50;

/// What the training depends on.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    /// The layers.
    pub architecture: Architecture,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// The name of the data set, for the file of weights.
    pub dataset: String,
    /// `[height, width]` of the images.
    pub input_size: [usize; 2],
    /// How initial weights are drawn.
    pub initialization: Initialization,
    /// The optimizer and its rate.
    pub optimizer: OptimizerRecipe,
    /// The schedule of the rate.
    pub schedule: ScheduleRecipe,
    /// The seed of weights and order.
    pub seed: u64,
    /// The number of epochs, of which the schedule takes the length.
    pub epochs: usize,
    /// Images per step.
    pub batch_size: usize,
}

/// Grey images of one size with their classes.
#[derive(Debug, Clone, Default)]
pub struct Images {
    /// All pixels, image by image, rows from the top.
    pixels: Vec<u8>,
    /// The class of each image.
    labels: Vec<u8>,
}

impl Images {
    /// Splits bytes into the pixels of `count` images and their classes, a byte each. Returns `None` for other bytes.
    pub fn from_bytes(mut bytes: Vec<u8>, count: usize) -> Option<Self> {
        let pixels = bytes.len().checked_sub(count)?;
        let labels = bytes.split_off(pixels);
        (count > 0 && pixels.is_multiple_of(count)).then_some(Self { pixels: bytes, labels })
    }

    /// Returns whether these are images of the size, and labels among the classes, that the settings name.
    pub fn suits(&self, settings: &Settings) -> bool {
        let [height, width] = settings.input_size;
        let classes = settings.classes.len();
        let has_size = self.pixels.len() == self.len() * height * width;
        !self.labels.is_empty()
            && has_size
            && settings.batch_size > 0
            && self.labels.iter().all(|&label| usize::from(label) < classes)
    }

    fn len(&self) -> usize {
        self.labels.len()
    }

    /// Returns the values of these images, divided by 255.
    fn values(&self, indices: &[usize]) -> Vec<f32> {
        let length = self.pixels.len() / self.len().max(1);
        let image = |&index: &usize| &self.pixels[index * length..(index + 1) * length];
        indices.iter().flat_map(image).map(|&byte| f32::from(byte) / 255.0).collect()
    }
}

/// A training between two steps.
pub struct Lesson {
    settings: Settings,
    train: Images,
    test: Images,
    network: NetworkInNetwork<Training>,
    optimizer: OptimizerAdaptor<GradientDescent, NetworkInNetwork<Training>, Training>,
    schedule: Schedule,
    /// The epoch, counted from 1.
    epoch: usize,
    /// The images of the epoch in its order.
    order: Vec<usize>,
    /// Steps of the epoch that were taken.
    step: usize,
}

impl Lesson {
    /// Draws the initial weights. There must be images of the size that the settings name.
    ///
    /// # Errors
    /// [`ModelError`] if the initialization cannot be fitted to the images.
    pub fn new(settings: Settings, train: Images, test: Images) -> Result<Self, ModelError> {
        let Settings { architecture, initialization, seed, .. } = &settings;
        let mut weights = initialization.weights(architecture, *seed);
        if initialization.follows_data() {
            let stream = Stream::new(*seed, Purpose::Sampling, [0, 0]);
            let mut sample = stream.permutation(train.len());
            sample.truncate(INITIALIZATION_IMAGES);
            let [height, width] = settings.input_size;
            initialization.fit(
                &mut weights,
                architecture,
                &train.values(&sample),
                [1, height, width],
            )?;
        }
        let network = NetworkInNetwork::from_weights(architecture, &weights, &FlexDevice)?;
        let steps_per_epoch = train.len().div_ceil(settings.batch_size);
        let schedule = Schedule::new(
            &settings.schedule,
            settings.optimizer.learning_rate,
            settings.epochs,
            steps_per_epoch,
        );
        let optimizer = OptimizerAdaptor::from(GradientDescent::new(&settings.optimizer));
        let order = Vec::new();
        let mut lesson =
            Self { settings, train, test, network, optimizer, schedule, epoch: 0, order, step: 0 };
        lesson.begin_epoch();
        Ok(lesson)
    }

    fn begin_epoch(&mut self) {
        self.epoch += 1;
        self.step = 0;
        let place = [self.epoch as u64, 0];
        self.order =
            Stream::new(self.settings.seed, Purpose::Order, place).permutation(self.train.len());
    }

    /// Returns the images as a tensor, `[images, 1, height, width]`.
    fn tensor<B: Backend>(
        &self,
        images: &Images,
        indices: &[usize],
        device: &B::Device,
    ) -> Tensor<B, 4> {
        let [height, width] = self.settings.input_size;
        let shape = [indices.len(), 1, height, width];
        Tensor::from_data(TensorData::new(images.values(indices), shape), device)
    }

    /// Takes a step. Returns its place, the loss and the number of right answers before it.
    ///
    /// # Errors
    /// [`ModelError::NonFiniteAnswers`] if the training diverged.
    pub fn step(&mut self) -> Result<Value, ModelError> {
        let size = self.settings.batch_size;
        if self.step * size >= self.order.len() {
            self.begin_epoch();
        }
        let first = self.step * size;
        let indices = self.order[first..(first + size).min(self.order.len())].to_vec();
        let labels: Vec<u8> = indices.iter().map(|&index| self.train.labels[index]).collect();
        let images = self.tensor::<Training>(&self.train, &indices, &FlexDevice);
        let targets: Vec<i64> = labels.iter().map(|&label| i64::from(label)).collect();
        let targets = TensorData::new(targets, [labels.len()]);
        let targets = Tensor::from_data(targets, &FlexDevice);

        let rate = self.schedule.step();
        let (seed, epoch, step) = (self.settings.seed, self.epoch, self.step);
        let key = DropoutKey { seed, epoch, step, first_image: 0 };
        let logits = self.network.forward_training(images, &key); // [batch, classes]
        let loss = CrossEntropyLossConfig::new().init(&FlexDevice).forward(logits.clone(), targets);
        let answers = HostTensor::read("logits", &logits.inner())?;
        let score = Score::of(&answers.values, &labels);
        if !score.loss.is_finite() {
            return Err(ModelError::NonFiniteAnswers { found: labels.len(), images: labels.len() });
        }
        let gradients = GradientsParams::from_grads(loss.backward(), &self.network);
        self.network = self.optimizer.step(rate, self.network.clone(), gradients);
        self.step += 1;
        Ok(json!({
            "epoch": epoch,
            "step": self.step,
            "steps_per_epoch": self.order.len().div_ceil(size),
            "images": labels.len(),
            "loss": score.loss / labels.len() as f64,
            "correct": score.correct,
            "learning_rate": rate,
        }))
    }

    /// Evaluates the first `count` test images. A class is closed if its logit is 0 for all of them.
    ///
    /// # Errors
    /// [`ModelError`] if the network fails.
    pub fn evaluate(&self, count: usize) -> Result<Value, ModelError> {
        let plan = InferencePlan::new(self.network.valid())?;
        let indices: Vec<usize> = (0..self.test.len().min(count)).collect();
        let classes = self.settings.classes.len();
        let mut score = Score::default();
        let mut is_open = vec![false; classes];
        for batch in indices.chunks(EVALUATION_BATCH) {
            let images = self.tensor::<Flex>(&self.test, batch, &FlexDevice);
            let logits = HostTensor::read("logits", &plan.forward(images))?.values;
            let labels: Vec<u8> = batch.iter().map(|&index| self.test.labels[index]).collect();
            score.add(Score::of(&logits, &labels));
            for (at, &logit) in logits.iter().enumerate() {
                is_open[at % classes] |= logit != 0.0;
            }
        }
        let images = indices.len().max(1) as f64;
        Ok(json!({
            "images": indices.len(),
            "loss": score.loss / images,
            "accuracy": score.correct as f64 / images,
            "closed": is_open.iter().filter(|is_open| !**is_open).count(),
        }))
    }

    /// Classifies these test images. Returns for each its label, the answer with its probability, and the map of its label.
    ///
    /// # Errors
    /// [`ModelError`] if the network fails.
    pub fn look(&self, indices: &[usize]) -> Result<Value, ModelError> {
        let is_there = |&index: &usize| index < self.test.len();
        let indices: Vec<usize> = indices.iter().copied().filter(is_there).collect();
        if indices.is_empty() {
            return Ok(json!([]));
        }
        let plan = InferencePlan::new(self.network.valid())?;
        let images = self.tensor::<Flex>(&self.test, &indices, &FlexDevice);
        let predictions = Prediction::of_maps(&plan.class_maps(images), true)?;
        let seen = predictions.iter().zip(&indices).map(|(prediction, &index)| {
            let label = self.test.labels[index];
            let answer = prediction.top(1).first().copied().unwrap_or_default();
            json!({
                "label": label,
                "answer": answer,
                "probability": prediction.probabilities[answer],
                "map_of_label": prediction.map(usize::from(label)),
            })
        });
        Ok(seen.collect())
    }

    /// Returns the weights as a `.safetensors` file that `nin-cli` reads.
    ///
    /// # Errors
    /// [`ModelError`] if the weights cannot be read.
    pub fn weights(&self) -> Result<Vec<u8>, ModelError> {
        let metadata = ModelMetadata {
            architecture: self.settings.architecture.clone(),
            classes: self.settings.classes.clone(),
            dataset: self.settings.dataset.clone(),
            preprocessing: Preprocessing::resized(self.settings.input_size),
            precision: Precision::Fp32,
        };
        metadata.to_safetensors(&self.network.valid().to_weights()?)
    }
}

/// The sum of losses in nats, and the number of right answers.
#[derive(Debug, Clone, Copy, Default)]
struct Score {
    loss: f64,
    correct: usize,
}

impl Score {
    /// Scores logits, `[batch, classes]`.
    fn of(logits: &[f32], labels: &[u8]) -> Self {
        let classes = logits.len() / labels.len().max(1);
        let mut score = Self::default();
        for (logits, &label) in logits.chunks_exact(classes).zip(labels) {
            let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let power = |&logit: &f32| f64::from(logit - largest).exp();
            let sum: f64 = logits.iter().map(power).sum();
            let logit = logits[usize::from(label)];
            score.loss += sum.ln() - f64::from(logit - largest);
            let first = logits.iter().position(|logit| *logit == largest);
            score.correct += usize::from(first == Some(usize::from(label)));
        }
        score
    }

    fn add(&mut self, other: Self) {
        self.loss += other.loss;
        self.correct += other.correct;
    }
}

//! The network's answers over the test images, as far as the report shows them.

use burn::tensor::backend::{AutodiffBackend, Backend};
use nin_data::{ImageDataset, OrderedLoader};
use nin_model::{MapGeometry, ModelMetadata, Precision, Weights};
use nin_train::{Evaluation, Prediction, Predictor, Score};

use crate::backend::Task;
use crate::pictures::Picture;

/// Wrong answers to show.
const SHOWN_MISTAKES: usize = 12;
const BATCH: usize = 64;

/// A summary of all answers.
pub struct Inspection {
    /// The classes' names.
    pub classes: Vec<String>,
    /// Loss, accuracy, confusion, calibration.
    pub evaluation: Evaluation,
    /// The largest value of each class's maps.
    pub hottest: Vec<f32>,
    /// The wrong answers with the highest probability, highest first.
    pub mistakes: Vec<Mistake>,
    /// The position of the maps' cells.
    pub geometry: MapGeometry,
}

/// A wrong answer.
pub struct Mistake {
    /// The image's position among the test images.
    pub index: usize,
    /// The right class.
    pub label: usize,
    /// The predicted class.
    pub answer: usize,
    /// The network's prediction.
    pub prediction: Prediction,
    /// The image as the network received it.
    pub picture: Picture,
    /// The path of its file, relative to the folder of the data set; `None` for images in memory.
    pub file: Option<String>,
}

impl Mistake {
    /// Returns the image's file, or its position among the test images.
    pub fn name(&self) -> String {
        self.file.clone().unwrap_or_else(|| format!("Test image {}", self.index))
    }
}

impl Inspection {
    /// Returns the names of the classes whose maps are zero for every image.
    pub fn silent_classes(&self) -> Vec<&str> {
        self.names(|class| self.hottest[class] <= 0.0)
    }

    /// Returns the names of the classes that have images but were never predicted.
    pub fn unanswered_classes(&self) -> Vec<&str> {
        let confusion = &self.evaluation.confusion;
        self.names(|class| {
            confusion[class].iter().sum::<usize>() > 0
                && confusion.iter().all(|counts| counts[class] == 0)
        })
    }

    fn names(&self, is_meant: impl Fn(usize) -> bool) -> Vec<&str> {
        let names = self.classes.iter().enumerate().filter(|(class, _)| is_meant(*class));
        names.map(|(_, name)| name.as_str()).collect()
    }

    /// Adds an answer. A mistake gets its picture and its file later.
    fn add(&mut self, index: usize, label: usize, prediction: Prediction) {
        let answer = prediction.top(1).first().copied().unwrap_or_default();
        let is_right = answer == label;
        self.evaluation.confusion[label][answer] += 1;
        self.evaluation.score.add(Score {
            loss_sum: -prediction.log_probability(label),
            correct: usize::from(is_right),
            images: 1,
        });
        let sureness = prediction.probabilities[answer];
        self.evaluation.calibration.add(sureness, is_right);
        for (class, hottest) in self.hottest.iter_mut().enumerate() {
            *hottest = hottest.max(prediction.hottest_of(class));
        }
        let surer =
            |mistake: &Mistake| mistake.prediction.probabilities[mistake.answer] >= sureness;
        let place = self.mistakes.partition_point(surer);
        if !is_right && place < SHOWN_MISTAKES {
            let picture = Picture { planes: Vec::new(), size: [0, 0] };
            let mistake = Mistake { index, label, answer, prediction, picture, file: None };
            self.mistakes.insert(place, mistake);
            self.mistakes.truncate(SHOWN_MISTAKES);
        }
    }
}

/// Classifies all images of a data set.
pub struct Inspect<'a> {
    /// Classes and preprocessing.
    pub metadata: &'a ModelMetadata,
    /// The weights.
    pub weights: &'a Weights,
    /// The images, with labels below the number of classes.
    pub images: ImageDataset,
}

impl Task for Inspect<'_> {
    type Output = Inspection;

    fn precision(&self) -> Precision {
        self.metadata.precision
    }

    fn run<B: AutodiffBackend>(self, device: B::Device) -> anyhow::Result<Inspection>
    where
        B::InnerBackend: Backend<Device = B::Device>,
    {
        let size = self.metadata.preprocessing.input_size;
        let classes = self.metadata.classes.len();
        let batch = self.metadata.batch_in_memory(BATCH)?;
        let loader =
            OrderedLoader::<B::InnerBackend>::in_order(self.images.clone(), batch, &device)
                .with_preprocessing(self.metadata.preprocessing.clone())
                .with_workers(1);
        let predictor = Predictor::new(self.metadata, self.weights, &device)?;
        let mut inspection = Inspection {
            classes: self.metadata.classes.clone(),
            evaluation: Evaluation::new(classes)?,
            hottest: vec![0.0; classes],
            mistakes: Vec::new(),
            geometry: self.metadata.architecture.map_geometry(),
        };
        for batch in loader.epoch(1, 0) {
            let batch = batch?;
            let answers = predictor.answer(batch.images)?;
            for (prediction, (index, label)) in
                answers.into_iter().zip(batch.indices.into_iter().zip(batch.labels))
            {
                inspection.add(index, label, prediction);
            }
        }
        for mistake in &mut inspection.mistakes {
            let pixels = loader.pixels(&[mistake.index])?;
            let planes = pixels.chunks_exact(size[0] * size[1]).map(<[u8]>::to_vec);
            mistake.picture = Picture { planes: planes.collect(), size };
            mistake.file = self.images.file_name(mistake.index).map(str::to_owned);
        }
        Ok(inspection)
    }
}

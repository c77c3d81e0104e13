//! Evaluates a network over a data set.

use std::sync::Arc;

use burn::tensor::backend::Backend;
use nin_data::OrderedLoader;
use nin_model::{ModelError, confusion_matrix};

use crate::TrainError;
use crate::calibration::Calibration;
use crate::classifier::Classifier;
use crate::ranks::{Alone, Communicator, Ranks, unreadable};
use crate::score::{Score, probability};

/// The result of an evaluation: score, confusion matrix and calibration.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Loss and number of correct answers.
    pub score: Score,
    /// The confusion matrix: image counts, indexed `[label][answer]`.
    pub confusion: Vec<Vec<usize>>,
    /// The answers by their probability.
    pub calibration: Calibration,
    /// Number of images with a non-finite logit.
    pub non_finite: usize,
}

impl Evaluation {
    /// Creates an evaluation of no images.
    ///
    /// # Errors
    /// Those of [`confusion_matrix`].
    pub fn new(classes: usize) -> Result<Self, ModelError> {
        let confusion = confusion_matrix(classes)?;
        let calibration = Calibration::default();
        Ok(Self { score: Score::default(), confusion, calibration, non_finite: 0 })
    }

    /// Evaluates every batch of the loader. Calls `progress` with the number of images done and in total.
    ///
    /// # Errors
    /// [`TrainError::Model`] if the logits cannot be read from the device, or if one is not finite, because an accuracy
    /// of such logits is meaningless. [`TrainError::Data`] if an image cannot be loaded.
    pub fn run<B: Backend>(
        classifier: &Classifier<B>,
        loader: &OrderedLoader<B>,
        progress: impl FnMut(usize, usize),
    ) -> Result<Self, TrainError> {
        Self::run_with(Arc::new(Alone), classifier, loader, progress)
    }

    /// Evaluates the batches of the loader together with other processes, which take turns, and returns the evaluation of all
    /// batches to each of them. The score has the bits of one process.
    ///
    /// # Errors
    /// Those of [`run`](Self::run), [`TrainError::OnRanks`] for an error of another process, and
    /// [`TrainError::Communication`].
    pub fn run_with<B: Backend>(
        communicator: Arc<dyn Communicator>,
        classifier: &Classifier<B>,
        loader: &OrderedLoader<B>,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<Self, TrainError> {
        let ranks = Ranks::new(communicator);
        let loader = loader.clone().taking_turns(ranks.share());
        let own = Self::run_while(classifier, &loader, |images, total| {
            progress(total.min(images * ranks.size()), total);
            true
        });
        // Nothing interrupts it, here or on another rank.
        let evaluation = ranks.joined_evaluation(own)?.ok_or_else(unreadable)?;
        match evaluation.non_finite {
            0 => Ok(evaluation),
            found => {
                Err(ModelError::NonFiniteAnswers { found, images: evaluation.score.images }.into())
            }
        }
    }

    /// Evaluates batches while `go_on`, called with the number of images done and in total, returns true. Returns the
    /// evaluation so far, the score of each batch, and whether it is complete.
    pub(crate) fn run_while<B: Backend>(
        classifier: &Classifier<B>,
        loader: &OrderedLoader<B>,
        mut go_on: impl FnMut(usize, usize) -> bool,
    ) -> Result<(Self, Vec<Score>, bool), TrainError> {
        let classes = classifier.network().architecture().classes();
        let mut evaluation = Self::new(classes)?;
        let total = loader.len();
        let classifier = classifier.prepared()?;
        let mut scores = Vec::new();
        for batch in loader.epoch(1, 0) {
            let answers = classifier.step(batch?).0?;
            for (logits, answer, label) in answers.iter() {
                let Some(row) = evaluation.confusion.get_mut(label) else {
                    return Err(TrainError::LabelOutOfRange { label, classes });
                };
                row[answer] += 1;
                if logits.iter().all(|logit| logit.is_finite()) {
                    evaluation.calibration.add(probability(logits, answer), answer == label);
                } else {
                    evaluation.non_finite += 1;
                }
            }
            let score = answers.score();
            evaluation.score.add(score);
            scores.push(score);
            let done = evaluation.score.images;
            if !go_on(done, total) && done < total {
                return Ok((evaluation, scores, false));
            }
        }
        Ok((evaluation, scores, true))
    }

    /// Returns a class's precision, the share of correct ones among its answers; `None` without answers.
    ///
    /// # Panics
    /// Panics if there is no such class.
    pub fn precision(&self, class: usize) -> Option<f64> {
        let answered: usize = self.confusion.iter().map(|row| row[class]).sum();
        (answered > 0).then(|| self.confusion[class][class] as f64 / answered as f64)
    }

    /// Returns a class's recall, the share of correct answers among its images; `None` without images.
    ///
    /// # Panics
    /// Panics if there is no such class.
    pub fn recall(&self, class: usize) -> Option<f64> {
        let labelled: usize = self.confusion[class].iter().sum();
        (labelled > 0).then(|| self.confusion[class][class] as f64 / labelled as f64)
    }

    /// Returns a class's F1, the harmonic mean of precision and recall; 0 without correct answers, `None` with
    /// neither images nor answers.
    ///
    /// # Panics
    /// Panics if there is no such class.
    pub fn f1(&self, class: usize) -> Option<f64> {
        let answered: usize = self.confusion.iter().map(|row| row[class]).sum();
        let labelled: usize = self.confusion[class].iter().sum();
        let both = answered + labelled;
        (both > 0).then(|| 2.0 * self.confusion[class][class] as f64 / both as f64)
    }

    /// Returns the mean recall of the classes with images, like scikit-learn's `balanced_accuracy_score`; `None`
    /// without images.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        mean((0..self.confusion.len()).filter_map(|class| self.recall(class)))
    }

    /// Returns the mean F1 of the classes with images or answers, like scikit-learn's `f1_score(average="macro")`;
    /// `None` without images.
    pub fn macro_f1(&self) -> Option<f64> {
        mean((0..self.confusion.len()).filter_map(|class| self.f1(class)))
    }
}

/// Returns the mean; `None` without values.
fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0, 0.0), |(count, sum), value| (count + 1, sum + value));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_reads_columns_and_recall_rows() {
        let evaluation = Evaluation {
            confusion: vec![vec![3, 1, 0], vec![1, 1, 0], vec![0; 3]],
            ..Evaluation::new(3).unwrap()
        };
        assert_eq!(evaluation.precision(0), Some(0.75));
        assert_eq!(evaluation.recall(1), Some(0.5));
        assert_eq!((evaluation.precision(2), evaluation.recall(2)), (None, None));
        assert_eq!((evaluation.f1(1), evaluation.f1(2)), (Some(0.5), None));
    }

    #[test]
    fn means_over_classes_leave_out_those_that_are_not_there() {
        // scikit-learn, with labels [0]*8 + [1]*2 and answers [0]*6 + [1]*1 + [2]*1 + [0]*1 + [1]*1:
        // recalls 6/8 and 1/2; F1 2*6/15, 2*1/4 and 0.
        let evaluation = Evaluation {
            confusion: vec![vec![6, 1, 1, 0], vec![1, 1, 0, 0], vec![0; 4], vec![0; 4]],
            ..Evaluation::new(4).unwrap()
        };
        assert_eq!(evaluation.balanced_accuracy(), Some(0.625));
        let macro_f1 = evaluation.macro_f1().unwrap();
        assert!((macro_f1 - (0.8 + 0.5 + 0.0) / 3.0).abs() < 1e-15, "{macro_f1}");
        let none = Evaluation::new(2).unwrap();
        assert_eq!((none.balanced_accuracy(), none.macro_f1()), (None, None));
    }
}

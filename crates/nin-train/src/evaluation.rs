//! Evaluation: a network's answers over a whole data set.

use burn::tensor::backend::Backend;
use burn::train::InferenceStep;
use nin_data::OrderedLoader;
use nin_model::{ModelError, confusion_matrix};

use crate::TrainError;
use crate::classifier::Classifier;
use crate::score::Score;

/// The answers over a data set: sums, and how often each label got each answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Loss and right answers.
    pub score: Score,
    /// `[label][answer]` counts.
    pub confusion: Vec<Vec<usize>>,
    /// Images with a logit that is no finite number.
    pub non_finite: usize,
}

impl Evaluation {
    /// An evaluation of no images yet.
    ///
    /// # Errors
    /// As [`confusion_matrix`].
    pub fn new(classes: usize) -> Result<Self, ModelError> {
        let confusion = confusion_matrix(classes)?;
        Ok(Self { score: Score::default(), confusion, non_finite: 0 })
    }

    /// Evaluates over every batch of the loader; `progress` is told the images done and in all.
    ///
    /// # Errors
    /// [`TrainError::Model`] where the device does not give the logits back, or where one is no finite number:
    /// the accuracy of such answers means nothing. [`TrainError::Data`] where an image cannot be had.
    pub fn run<B: Backend>(
        classifier: &Classifier<B>,
        loader: &OrderedLoader<B>,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<Self, TrainError> {
        let (evaluation, _) = Self::run_while(classifier, loader, |images, total| {
            progress(images, total);
            true
        })?;
        match evaluation.non_finite {
            0 => Ok(evaluation),
            found => {
                Err(ModelError::NonFiniteAnswers { found, images: evaluation.score.images }.into())
            }
        }
    }

    /// Evaluates batch after batch while `go_on`, told the images done and in all, says so; gives
    /// the answers so far, and whether they are all.
    pub(crate) fn run_while<B: Backend>(
        classifier: &Classifier<B>,
        loader: &OrderedLoader<B>,
        mut go_on: impl FnMut(usize, usize) -> bool,
    ) -> Result<(Self, bool), TrainError> {
        let classes = classifier.network().architecture().classes();
        let mut evaluation = Self::new(classes)?;
        let total = loader.len();
        for batch in loader.epoch(1, 0) {
            let answers = classifier.step(batch?).0?;
            for (logits, answer, label) in answers.iter() {
                evaluation.confusion[label][answer] += 1;
                evaluation.non_finite += usize::from(logits.iter().any(|logit| !logit.is_finite()));
            }
            evaluation.score.add(answers.score());
            let done = evaluation.score.images;
            if !go_on(done, total) && done < total {
                return Ok((evaluation, false));
            }
        }
        Ok((evaluation, true))
    }

    /// Of the answers of this class, the share that was right; `None` where there were none.
    pub fn precision(&self, class: usize) -> Option<f64> {
        let answered: usize = self.confusion.iter().map(|row| row[class]).sum();
        (answered > 0).then(|| self.confusion[class][class] as f64 / answered as f64)
    }

    /// Of the images of this class, the share that was found; `None` where there were none.
    pub fn recall(&self, class: usize) -> Option<f64> {
        let labelled: usize = self.confusion[class].iter().sum();
        (labelled > 0).then(|| self.confusion[class][class] as f64 / labelled as f64)
    }

    /// The harmonic mean of precision and recall; 0 where no image of the class was found, `None`
    /// where there were neither images nor answers of it.
    pub fn f1(&self, class: usize) -> Option<f64> {
        let answered: usize = self.confusion.iter().map(|row| row[class]).sum();
        let labelled: usize = self.confusion[class].iter().sum();
        let both = answered + labelled;
        (both > 0).then(|| 2.0 * self.confusion[class][class] as f64 / both as f64)
    }

    /// The mean recall of the classes that have images, scikit-learn's `balanced_accuracy_score`; `None`
    /// where there are no images.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        mean((0..self.confusion.len()).filter_map(|class| self.recall(class)))
    }

    /// The mean F1 of the classes that have images or answers, scikit-learn's
    /// `f1_score(average="macro")`; `None` where there are no images.
    pub fn macro_f1(&self) -> Option<f64> {
        mean((0..self.confusion.len()).filter_map(|class| self.f1(class)))
    }
}

/// `None` of nothing.
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
        // scikit-learn, of labels [0]*8 + [1]*2 and answers [0]*6 + [1]*1 + [2]*1 + [0]*1 + [1]*1:
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

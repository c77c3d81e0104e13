//! Compares evaluations, to find the best checkpoint.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::evaluation::Evaluation;
use crate::recipe::BestBy;

/// The figures that checkpoints are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Accuracy, from 0 to 1.
    pub accuracy: f64,
    /// Mean recall of the classes with images; `None` in runs of earlier versions.
    #[serde(default)]
    pub balanced_accuracy: Option<f64>,
    /// Mean cross-entropy, in nats; `None` in runs of earlier versions.
    #[serde(default)]
    pub loss: Option<f64>,
}

impl Figures {
    /// Returns the figures of an evaluation.
    pub fn of(evaluation: &Evaluation) -> Self {
        Self {
            accuracy: evaluation.score.accuracy(),
            balanced_accuracy: evaluation.balanced_accuracy(),
            loss: Some(evaluation.score.loss()),
        }
    }

    /// Returns the figures in a checkpoint of an earlier version, which only has the accuracy.
    pub(crate) fn of_accuracy(accuracy: f64) -> Self {
        Self { accuracy, balanced_accuracy: None, loss: None }
    }

    /// Returns whether these figures are better than others. Ties go to the lower loss. Of equal figures, the earlier
    /// ones stay the best.
    pub fn is_better(&self, other: &Self, by: BestBy) -> bool {
        self.compare(other, by).then(lower(self.loss, other.loss)) == Ordering::Greater
    }

    /// Returns whether the compared figure itself is better, which is what early stopping waits for.
    pub fn improves(&self, other: &Self, by: BestBy) -> bool {
        self.compare(other, by) == Ordering::Greater
    }

    /// Returns `Greater` if this figure is better, or if the other one is unknown.
    fn compare(&self, other: &Self, by: BestBy) -> Ordering {
        let is_known = match by {
            BestBy::Accuracy => true,
            BestBy::BalancedAccuracy => other.balanced_accuracy.is_some(),
            BestBy::Loss => other.loss.is_some(),
        };
        match by {
            _ if !is_known => Ordering::Greater,
            BestBy::Loss => lower(self.loss, other.loss),
            BestBy::Accuracy => self.accuracy.total_cmp(&other.accuracy),
            BestBy::BalancedAccuracy => higher(self.balanced_accuracy, other.balanced_accuracy),
        }
    }
}

/// Returns `Greater` if the first is higher, and `Equal` if either is unknown.
fn higher(one: Option<f64>, other: Option<f64>) -> Ordering {
    one.zip(other).map_or(Ordering::Equal, |(one, other)| one.total_cmp(&other))
}

/// Returns `Greater` if the first is lower. NaN ranks as the highest loss.
fn lower(one: Option<f64>, other: Option<f64>) -> Ordering {
    let rank = |loss: f64| if loss.is_nan() { f64::INFINITY } else { loss };
    higher(other.map(rank), one.map(rank))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(accuracy: f64, balanced_accuracy: f64, loss: f64) -> Figures {
        Figures { accuracy, balanced_accuracy: Some(balanced_accuracy), loss: Some(loss) }
    }

    #[test]
    fn each_kind_looks_at_its_own_figure_and_ties_go_to_the_lower_loss() {
        let best = figures(0.8, 0.5, 1.0);
        let better_by = |other: Figures| {
            [BestBy::Accuracy, BestBy::BalancedAccuracy, BestBy::Loss]
                .map(|by| other.is_better(&best, by))
        };
        assert_eq!(better_by(figures(0.9, 0.4, 1.1)), [true, false, false]);
        assert_eq!(better_by(figures(0.7, 0.6, 1.1)), [false, true, false]);
        assert_eq!(better_by(figures(0.7, 0.4, 0.9)), [false, false, true]);
        assert_eq!(better_by(figures(0.8, 0.5, 0.9)), [true; 3]);
        assert!(!figures(0.8, 0.5, 0.9).improves(&best, BestBy::Accuracy), "a tie is no progress");
        assert_eq!(better_by(figures(0.8, 0.5, 1.1)), [false; 3]);
        assert_eq!(better_by(best), [false; 3], "of equals the first stays");
        assert_eq!(better_by(figures(0.8, 0.5, f64::NAN)), [false; 3]);
    }

    #[test]
    fn a_run_of_old_remembers_its_accuracy_alone() {
        let old = Figures::of_accuracy(0.8);
        assert!(!figures(0.8, 0.9, 0.1).is_better(&old, BestBy::Accuracy));
        assert!(figures(0.81, 0.1, 9.0).is_better(&old, BestBy::Accuracy));
        assert!(figures(0.1, 0.1, 9.0).is_better(&old, BestBy::Loss), "what is known is better");
    }
}

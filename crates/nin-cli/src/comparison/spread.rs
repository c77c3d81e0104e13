//! The spread of several runs' test accuracies.

use serde::Serialize;

use super::row::Row;

/// A good accuracy for the book's recipe. Fewer than half of the book's own runs reach it.
pub const GOOD: f64 = 0.85;
/// Below this accuracy, a run has learned only some of the classes.
pub const POOR: f64 = 0.70;

/// The spread of the test accuracies after the last epoch, over the runs that have ended.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Spread {
    /// Runs that have ended.
    pub ended: usize,
    /// Runs at chance, including dead ones.
    pub at_chance: usize,
    /// Runs below 0.70, including those at chance.
    pub below_070: usize,
    /// Runs at 0.85 or above.
    pub at_least_085: usize,
    /// The lowest test accuracy.
    pub min: Option<f64>,
    /// The [`median`] test accuracy.
    pub median: Option<f64>,
    /// The highest test accuracy.
    pub max: Option<f64>,
}

/// Returns the median of sorted values: the mean of the middle two if their number is even.
pub fn median(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len() % 2 == 1 { upper } else { f64::midpoint(sorted[middle - 1], upper) })
}

impl Spread {
    /// Returns the spread of these runs. A run that ended before its first epoch counts, but has no accuracy.
    pub fn of(rows: &[Row]) -> Self {
        let ended: Vec<&Row> = rows.iter().filter(|row| row.state.has_ended()).collect();
        let mut accuracies: Vec<f64> = ended.iter().filter_map(|row| row.test_accuracy).collect();
        accuracies.sort_by(f64::total_cmp);
        Self {
            ended: ended.len(),
            at_chance: ended.iter().filter(|row| row.at_chance == Some(true)).count(),
            below_070: accuracies.iter().filter(|accuracy| **accuracy < POOR).count(),
            at_least_085: accuracies.iter().filter(|accuracy| **accuracy >= GOOD).count(),
            min: accuracies.first().copied(),
            median: median(&accuracies),
            max: accuracies.last().copied(),
        }
    }

    /// Returns the median run of those that ended with an accuracy, or the lower of the middle two.
    pub fn median_run(rows: &[Row]) -> Option<usize> {
        let mut ended: Vec<(f64, usize)> = rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.state.has_ended())
            .filter_map(|(at, row)| Some((row.test_accuracy?, at)))
            .collect();
        ended.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        let middle = ended.len().checked_sub(1)? / 2;
        Some(ended[middle].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::row::State;

    fn row(accuracy: Option<f64>, state: State, at_chance: bool) -> Row {
        Row {
            run: String::new(),
            seed: 1,
            attempts: 1,
            state,
            epochs: 1,
            epochs_asked: 1,
            train_loss: None,
            train_accuracy: None,
            test_accuracy: accuracy,
            best_test_accuracy: accuracy,
            best_validation_accuracy: None,
            images_per_sec: None,
            dead: false,
            at_chance: Some(at_chance),
            silent_classes: vec![],
        }
    }

    #[test]
    fn only_runs_that_have_ended_count() {
        let rows = [
            row(Some(0.86), State::Finished, false),
            row(Some(0.1), State::Finished, true),
            row(Some(0.99), State::Unfinished, false),
            row(Some(0.69), State::StoppedEarly, false),
            row(Some(0.85), State::Finished, false),
            row(None, State::Diverged, false),
        ];
        let spread = Spread::of(&rows);
        assert_eq!((spread.ended, spread.at_chance), (5, 1));
        assert_eq!((spread.below_070, spread.at_least_085), (2, 2));
        assert_eq!((spread.min, spread.max), (Some(0.1), Some(0.86)));
        assert!((spread.median.unwrap() - 0.77).abs() < 1e-12);
        assert_eq!(Spread::median_run(&rows), Some(3));
    }

    #[test]
    fn no_runs_have_no_spread() {
        assert_eq!(Spread::of(&[]), Spread::default());
        assert_eq!(Spread::median_run(&[row(None, State::Unfinished, false)]), None);
    }
}

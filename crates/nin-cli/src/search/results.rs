//! The results of a search.

use std::cmp::Ordering;

use nin_train::Figures;
use nin_train::recipe::BestBy;
use serde::Serialize;

use super::candidate::Candidate;

/// A training of a trial, to its end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Training {
    /// The trial, counted from 1; trial 1 is the recipe itself.
    pub trial: usize,
    /// Epochs of the training.
    pub epochs: usize,
    /// The values of the trial.
    #[serde(flatten)]
    pub values: Candidate,
    /// The figures of its best epoch on the images that trials are compared on; `None` if it diverged.
    #[serde(flatten)]
    pub figures: Option<Figures>,
}

impl Training {
    /// Whether the trial is the recipe itself.
    pub fn is_recipe(&self) -> bool {
        self.trial == 1
    }

    fn is_better(&self, other: &Self, by: BestBy) -> bool {
        match (&self.figures, &other.figures) {
            (Some(figures), Some(others)) => figures.is_better(others, by),
            (figures, others) => figures.is_some() && others.is_none(),
        }
    }
}

/// The results of a search so far.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Results {
    /// The figure that trials are compared by.
    pub best_by: BestBy,
    /// Number of images that they are compared on.
    pub images: usize,
    /// The trainings, in order.
    pub trainings: Vec<Training>,
}

/// The results with what follows from them, for programs.
#[derive(Debug, Serialize)]
pub struct Outcome<'a> {
    #[serde(flatten)]
    results: &'a Results,
    /// The best training.
    found: Option<&'a Training>,
    /// Its accuracy minus the recipe's.
    gain: Option<f64>,
    /// The standard error of the gain.
    standard_error: Option<f64>,
}

impl Results {
    /// Returns the results with the best training and its gain.
    pub fn outcome(&self) -> Outcome<'_> {
        let [gain, standard_error] = match self.gain() {
            Some([gain, error]) => [Some(gain), Some(error)],
            None => [None; 2],
        };
        Outcome { results: self, found: self.best(), gain, standard_error }
    }

    /// Returns the trials of some of the last trainings, the best first. Of equal ones, the earlier comes first.
    pub fn ranked(&self, last: usize) -> Vec<usize> {
        let from = self.trainings.len().saturating_sub(last);
        let mut ranked: Vec<&Training> = self.trainings[from..].iter().collect();
        ranked.sort_by(|one, other| self.order(one, other));
        ranked.into_iter().map(|training| training.trial).collect()
    }

    /// Returns the best training; `None` if every one diverged. Of equal ones, the earlier, which is not longer, is the best.
    pub fn best(&self) -> Option<&Training> {
        self.best_of(|_| true)
    }

    fn best_of(&self, is_asked: fn(&Training) -> bool) -> Option<&Training> {
        let ended = self.trainings.iter().filter(|training| training.figures.is_some());
        let trainings = ended.filter(|training| is_asked(training));
        trainings.reduce(|best, next| if next.is_better(best, self.best_by) { next } else { best })
    }

    fn order(&self, one: &Training, other: &Training) -> Ordering {
        if one.is_better(other, self.best_by) {
            Ordering::Less
        } else if other.is_better(one, self.best_by) {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    }

    /// Returns the gain in accuracy over the recipe, and its standard error as a difference of two shares of
    /// independent images. The trials see the same images, so the true error is rather smaller.
    pub fn gain(&self) -> Option<[f64; 2]> {
        let [found, recipe] = [self.best()?, self.best_of(Training::is_recipe)?];
        let [found, recipe] = [found.figures?.accuracy, recipe.figures?.accuracy];
        let variance = |share: f64| share * (1.0 - share) / self.images.max(1) as f64;
        Some([found - recipe, (variance(found) + variance(recipe)).sqrt()])
    }

    /// Returns the table and what the best training is worth.
    pub fn text(&self) -> String {
        let mut lines = vec![format!(
            "{:>5} {:>6} {:>13} {:>12} {:>7} {:>14} {:>14}",
            "trial",
            "epochs",
            "learning rate",
            "weight decay",
            "dropout",
            "validation acc",
            "validation loss"
        )];
        lines.extend(self.trainings.iter().map(line));
        lines.push(String::new());
        lines.push(format!("found: {}", self.verdict()));
        lines.join("\n")
    }

    /// Describes the best training in a line.
    pub fn verdict(&self) -> String {
        let Some((best, figures)) = self.best().and_then(|best| Some((best, best.figures?))) else {
            return "nothing; every trial diverged".to_owned();
        };
        let Training { trial, epochs, .. } = best;
        let accuracy = figures.accuracy;
        if best.is_recipe() {
            return format!(
                "the recipe itself, {epochs} epochs, validation acc {accuracy:.4}; no trial \
                 was better"
            );
        }
        let gain = match self.gain() {
            Some([gain, error]) => {
                format!("{gain:.4} more than the recipe (standard error {error:.4})")
            }
            None => "the recipe itself diverged".to_owned(),
        };
        format!("trial {trial}, {epochs} epochs, validation acc {accuracy:.4}; {gain}")
    }
}

fn line(training: &Training) -> String {
    let Training { trial, epochs, values, figures } = training;
    let figure =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    let remark = match (training.is_recipe(), figures) {
        (_, None) => "  diverged",
        (true, _) => "  the recipe",
        _ => "",
    };
    format!(
        "{trial:>5} {epochs:>6} {:>13} {:>12} {:>7} {:>14} {:>15}{remark}",
        values.learning_rate,
        values.weight_decay,
        values.dropout.map_or_else(|| "-".to_owned(), |dropout| dropout.to_string()),
        figure(figures.map(|figures| figures.accuracy)),
        figure(figures.and_then(|figures| figures.loss)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn training(trial: usize, epochs: usize, accuracy: Option<f64>) -> Training {
        let values = Candidate { learning_rate: 0.01, weight_decay: 0.0, dropout: None };
        let figures = accuracy.map(|accuracy| Figures {
            accuracy,
            balanced_accuracy: Some(accuracy),
            loss: Some(1.0 - accuracy),
        });
        Training { trial, epochs, values, figures }
    }

    fn results(trainings: Vec<Training>) -> Results {
        Results { best_by: BestBy::Accuracy, images: 100, trainings }
    }

    #[test]
    fn the_best_come_first_and_diverged_ones_last() {
        let results = results(vec![
            training(1, 1, Some(0.5)),
            training(2, 1, None),
            training(3, 1, Some(0.7)),
            training(4, 1, Some(0.5)),
        ]);
        assert_eq!(results.ranked(4), [3, 1, 4, 2]);
        assert_eq!(results.ranked(2), [3, 4]);
        assert_eq!(results.best().map(|best| best.trial), Some(3));
        let [gain, error] = results.gain().unwrap();
        assert!(
            (gain - 0.2).abs() < 1e-12 && (error - 0.46_f64.sqrt() / 10.0).abs() < 1e-12,
            "{error}"
        );
    }

    #[test]
    fn a_longer_training_that_is_not_better_is_not_found() {
        let results = results(vec![training(1, 2, Some(0.8)), training(1, 4, Some(0.8))]);
        assert_eq!(results.best().map(|best| best.epochs), Some(2));
        assert!(results.text().ends_with("no trial was better"), "{}", results.text());
    }

    #[test]
    fn without_any_finished_training_nothing_is_found() {
        let results = results(vec![training(1, 2, None)]);
        assert_eq!(results.gain(), None);
        assert!(results.text().contains("every trial diverged"), "{}", results.text());
    }
}

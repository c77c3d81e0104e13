//! Attempts: a run that the sentinel gave up begins again in its own folder, with another seed.
//!
//! The recipe keeps the seed that was asked for. `attempt.json` says which attempt goes on, with the
//! seed that it draws from, and how much of the log is of the attempts before: written first, it
//! makes every checkpoint of an earlier attempt void, whenever the process is cut. The new attempt
//! then begins as any run that has no checkpoint yet; those of earlier attempts are removed when it has
//! one.
//!
//! A wrong `attempt.json` would end in other weights. It carries its own sum; its seed follows from the
//! recipe's, and the log, written before it, has the attempt's beginning.

use std::path::Path;

use nin_random::{Purpose, Stream};
use serde::{Deserialize, Serialize};

use crate::checkpoint::TrainingState;
use crate::events::Event;
use crate::metrics_log::{MetricsLog, restart_end};
use crate::recipe::Recipe;
use crate::{RunFolder, TrainError, sealed};

/// A run that collapses so often has a recipe that cannot be helped by another seed.
pub(crate) const MOST_ATTEMPTS: usize = 10;

/// `attempt.json`; there is none in a run that was never begun again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_field_names, reason = "its number's name is that of the file's key")]
pub(crate) struct Attempt {
    /// Counted from 1.
    pub(crate) attempt: usize,
    /// From which weights, order and dropout are drawn.
    pub(crate) seed: u64,
    /// Length of `metrics.jsonl` where it began, in bytes.
    pub(crate) metrics_bytes: u64,
}

impl Attempt {
    /// The one that goes on in a run.
    ///
    /// # Errors
    /// [`TrainError::Damaged`] or [`TrainError::Io`] where its file is there and cannot be read, or names
    /// another seed than the recipe's gives.
    pub(crate) fn current(run: &RunFolder, recipe: &Recipe) -> Result<Self, TrainError> {
        let path = run.attempt_path();
        if path.symlink_metadata().is_err() {
            return Ok(Self { attempt: 1, seed: recipe.training.seed, metrics_bytes: 0 });
        }
        let found: Self = sealed::read_json(&path)?;
        let most = MOST_ATTEMPTS;
        if !(2..=most).contains(&found.attempt) {
            return Err(found.damaged(&path, format!("an attempt from 2 to {most}")));
        }
        let seed = derived_seed(recipe.training.seed, found.attempt);
        if found.seed != seed {
            let expected = format!("seed {seed}, that of attempt {}", found.attempt);
            return Err(found.damaged(&path, expected));
        }
        Ok(found)
    }

    fn damaged(&self, path: &Path, expected: String) -> TrainError {
        let Self { attempt, seed, metrics_bytes } = self;
        let found = format!("attempt {attempt}, seed {seed}, from byte {metrics_bytes} of the log");
        TrainError::Damaged { path: path.to_owned(), expected, found }
    }

    /// The one after this; its seed is a function of the recipe's and of its number.
    pub(crate) fn next(&self, recipe: &Recipe) -> Self {
        let attempt = self.attempt + 1;
        let seed = derived_seed(recipe.training.seed, attempt);
        Self { attempt, seed, metrics_bytes: self.metrics_bytes }
    }

    /// Begins it, after the one before was given up at this epoch and step.
    ///
    /// # Errors
    /// [`TrainError::NotSaved`] where there is no room for it: the one before stays as it is, and
    /// resumes; [`TrainError::Io`].
    pub(crate) fn begin(
        self,
        run: &RunFolder,
        log: &mut MetricsLog,
        (epoch, step): (usize, usize),
    ) -> Result<(), TrainError> {
        let Self { attempt, seed, .. } = self;
        log.event(Event::Restart { attempt, seed, epoch, step })?;
        let written =
            log.flush().and_then(|metrics_bytes| Self { metrics_bytes, ..self }.write(run));
        written.map_err(|error| match error {
            full if full.is_out_of_space() => {
                TrainError::NotSaved { path: run.path().to_owned(), source: Box::new(full) }
            }
            other => other,
        })
    }

    /// Writes it down: from here on the checkpoints of earlier attempts are void.
    fn write(&self, run: &RunFolder) -> Result<(), TrainError> {
        let path = run.attempt_path();
        run.write(&path, &sealed::json(&path, self)?)
    }

    /// Checks that a checkpoint is of this attempt or, where it has none yet, that the log has the beginning
    /// of this attempt where `attempt.json` says.
    pub(crate) fn check(
        &self,
        run: &RunFolder,
        state: Option<&TrainingState>,
    ) -> Result<(), TrainError> {
        let expected = match state {
            Some(state) if state.attempt == self.attempt => return Ok(()),
            Some(state) => format!("attempt {}, as in the latest checkpoint", state.attempt),
            None if self.attempt == 1 => return Ok(()),
            None => match restart_end(&run.metrics_path(), self.attempt, self.seed)? {
                Some(end) if end == self.metrics_bytes => return Ok(()),
                Some(end) => format!("attempt {} from byte {end} of the log", self.attempt),
                None => "an attempt with a checkpoint or a `restart` event in the log".to_owned(),
            },
        };
        Err(self.damaged(&run.attempt_path(), expected))
    }

    /// The recipe with the seed that counts.
    pub(crate) fn recipe(&self, recipe: &Recipe) -> Recipe {
        let mut recipe = recipe.clone();
        recipe.training.seed = self.seed;
        recipe
    }

    /// Returns the state before its first step.
    pub(crate) fn initial_state(&self) -> TrainingState {
        let Self { attempt, metrics_bytes, .. } = *self;
        TrainingState { metrics_bytes, attempt, ..TrainingState::initial() }
    }
}

/// Seeds of 32 bits, so that people can type them.
fn derived_seed(seed: u64, attempt: usize) -> u64 {
    let [word, ..] = Stream::new(seed, Purpose::Restart, [attempt as u64, 0]).block(0);
    u64::from(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics_log::LoggedSoFar;
    use crate::{durable, sample};

    #[test]
    fn seeds_of_attempts_are_a_function_of_the_first_and_differ() {
        let recipe = sample::recipe();
        let first = Attempt { attempt: 1, seed: recipe.training.seed, metrics_bytes: 0 };
        let second = first.next(&recipe);
        let third = second.next(&recipe);
        assert_eq!((second.attempt, third.attempt), (2, 3));
        assert_eq!(second, first.next(&recipe));
        assert!(second.seed != first.seed && third.seed != second.seed);
        // Never changed: published runs depend on it.
        assert_eq!(derived_seed(4, 2), 2_649_451_948);
    }

    #[test]
    fn without_room_for_another_attempt_the_one_before_stays() {
        let (_root, run, _lock) = sample::run();
        let recipe = sample::recipe();
        let first = Attempt::current(&run, &recipe).unwrap();
        let mut log = MetricsLog::open(&run, LoggedSoFar::default(), Box::new(())).unwrap();
        let next = first.next(&recipe);
        let (begun, _) = durable::recording(Some(1), || next.clone().begin(&run, &mut log, (1, 3)));
        let error = begun.unwrap_err();
        assert!(matches!(error, TrainError::NotSaved { .. }), "{error}");
        assert!(error.hint().contains("make room, then resume"));
        assert_eq!(Attempt::current(&run, &recipe).unwrap(), first);
        next.begin(&run, &mut log, (1, 3)).unwrap();
        assert_eq!(Attempt::current(&run, &recipe).unwrap().attempt, 2);
    }

    #[test]
    fn an_attempt_is_read_back_and_a_damaged_one_is_an_error() {
        let (_root, run, _lock) = sample::run();
        let recipe = sample::recipe();
        let first = Attempt::current(&run, &recipe).unwrap();
        assert_eq!((first.attempt, first.seed), (1, recipe.training.seed));
        let second = Attempt { metrics_bytes: 7, ..first.next(&recipe) };
        second.write(&run).unwrap();
        assert_eq!(Attempt::current(&run, &recipe).unwrap(), second);
        assert_eq!(second.recipe(&recipe).training.seed, second.seed);
        assert_eq!(second.initial_state().metrics_bytes, 7);
        second.check(&run, Some(&second.initial_state())).unwrap();
        first.check(&run, Some(&second.initial_state())).unwrap_err();
        std::fs::write(run.attempt_path(), "{}").unwrap();
        let error = Attempt::current(&run, &recipe).unwrap_err();
        assert!(error.to_string().contains("attempt.json` is damaged"), "{error}");
    }

    #[test]
    fn without_a_sum_another_attempt_seed_or_length_is_refused_all_the_same() {
        let (_root, run, _lock) = sample::run();
        let recipe = sample::recipe();
        let first = Attempt::current(&run, &recipe).unwrap();
        let mut log = MetricsLog::open(&run, LoggedSoFar::default(), Box::new(())).unwrap();
        first.next(&recipe).begin(&run, &mut log, (1, 3)).unwrap();
        let second = Attempt::current(&run, &recipe).unwrap();
        second.check(&run, None).unwrap();
        let read = |attempt: &Attempt| {
            let old = serde_json::to_vec(attempt).unwrap();
            std::fs::write(run.attempt_path(), old).unwrap();
            Attempt::current(&run, &recipe).and_then(|found| found.check(&run, None))
        };
        read(&second).unwrap();
        let third = Attempt { metrics_bytes: second.metrics_bytes, ..second.next(&recipe) };
        for (changed, expected) in [
            (Attempt { attempt: 3, ..second.clone() }, "that of attempt 3"),
            (third, "an attempt with a checkpoint or a `restart` event in the log"),
            (Attempt { seed: second.seed ^ 1, ..second.clone() }, "that of attempt 2"),
            (Attempt { metrics_bytes: 0, ..second.clone() }, "attempt 2 from byte"),
            (Attempt { attempt: 0, ..second.clone() }, "an attempt from 2 to 10"),
        ] {
            let error = read(&changed).unwrap_err().to_string();
            assert!(error.contains("attempt.json` is damaged"), "{error}");
            assert!(error.contains(expected), "{error}");
        }
    }
}

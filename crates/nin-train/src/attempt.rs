//! Attempts: a run that the sentinel gives up restarts in its own folder, with another seed.
//!
//! The recipe keeps the original seed. `attempt.json` holds the number and the seed of the current attempt, and the
//! length of the log when it started. It is written first: from then on, every checkpoint of an earlier attempt is
//! void, even if the process is killed right after. The new attempt starts like a run without checkpoints. The
//! checkpoints of earlier attempts are removed once it has one of its own.
//!
//! A wrong `attempt.json` would lead to other weights. So the file carries its own checksum, its seed must follow from
//! the recipe's, and the log, which is written before it, must hold the start of the attempt.

use std::path::Path;

use nin_random::{Purpose, Stream};
use serde::{Deserialize, Serialize};

use crate::checkpoint::TrainingState;
use crate::events::Event;
use crate::metrics_log::{MetricsLog, restart_end};
use crate::recipe::Recipe;
use crate::{RunFolder, TrainError, sealed};

/// The largest number of attempts. A recipe that collapses this often needs more than another seed.
pub(crate) const MOST_ATTEMPTS: usize = 10;

/// The content of `attempt.json`. A run that never restarted has no such file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_field_names, reason = "the field is named after the key in the file")]
pub(crate) struct Attempt {
    /// Counted from 1.
    pub(crate) attempt: usize,
    /// Seed of weights, data order, augmentation and dropout.
    pub(crate) seed: u64,
    /// Length of `metrics.jsonl` at its start, in bytes.
    pub(crate) metrics_bytes: u64,
}

impl Attempt {
    /// Reads the current attempt of a run.
    ///
    /// # Errors
    /// [`TrainError::Damaged`] or [`TrainError::Io`] if its file exists but cannot be read, or if its seed does not
    /// follow from the recipe's.
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

    /// Returns the next attempt. Its seed is a function of the recipe's seed and the attempt's number.
    pub(crate) fn next(&self, recipe: &Recipe) -> Self {
        let attempt = self.attempt + 1;
        let seed = derived_seed(recipe.training.seed, attempt);
        Self { attempt, seed, metrics_bytes: self.metrics_bytes }
    }

    /// Starts the attempt, after the previous one was given up at this epoch and step.
    ///
    /// # Errors
    /// [`TrainError::NotSaved`] if the disk is full (the previous attempt stays and can resume), and
    /// [`TrainError::Io`].
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

    /// Writes `attempt.json`. From then on, the checkpoints of earlier attempts are void.
    fn write(&self, run: &RunFolder) -> Result<(), TrainError> {
        let path = run.attempt_path();
        run.write(&path, &sealed::json(&path, self)?)
    }

    /// Checks that a checkpoint belongs to this attempt. Without a checkpoint, checks that the log holds the start of
    /// this attempt at the position that `attempt.json` names.
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

    /// Returns the recipe with the attempt's seed.
    pub(crate) fn recipe(&self, recipe: &Recipe) -> Recipe {
        let mut recipe = recipe.clone();
        recipe.training.seed = self.seed;
        recipe
    }

    /// Returns the state before the first step of the attempt.
    pub(crate) fn initial_state(&self) -> TrainingState {
        let Self { attempt, metrics_bytes, .. } = *self;
        TrainingState { metrics_bytes, attempt, ..TrainingState::initial() }
    }
}

/// Derives the seed of an attempt. It has 32 bits, so that people can type it.
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
        // Must never change: published runs depend on it.
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

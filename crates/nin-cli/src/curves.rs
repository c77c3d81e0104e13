//! The curves of a run: loss and accuracy over its epochs.

use nin_data::Part;
use nin_train::Event;

/// Points of one curve: epochs along, loss or accuracy up. All of them are finite.
pub type Curve = Vec<(f64, f64)>;

/// The curves of a run's current attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Curves {
    /// Mean cross-entropy over the epoch so far, in nats.
    pub train_loss: Curve,
    /// Share of right answers over the epoch so far.
    pub train_accuracy: Curve,
    /// Mean cross-entropy after each epoch, in nats.
    pub eval_loss: Curve,
    /// Share of right answers after each epoch.
    pub eval_accuracy: Curve,
    /// The images evaluated after each epoch.
    pub evaluated_on: Part,
}

impl Default for Curves {
    fn default() -> Self {
        Self {
            train_loss: Curve::new(),
            train_accuracy: Curve::new(),
            eval_loss: Curve::new(),
            eval_accuracy: Curve::new(),
            evaluated_on: Part::Test,
        }
    }
}

impl Curves {
    /// Returns the curves of a run's events.
    pub fn of(events: &[Event]) -> Self {
        let mut curves = Self::default();
        for event in events {
            curves.add(event);
        }
        curves
    }

    /// Adds the points of an event. A restart clears them.
    pub fn add(&mut self, event: &Event) {
        match event {
            Event::Step(step) => {
                let epoch = step.epochs_done();
                push(&mut self.train_loss, epoch, step.train_loss);
                push(&mut self.train_accuracy, epoch, step.train_accuracy);
            }
            Event::Epoch(report) => {
                let epoch = report.epoch as f64;
                push(&mut self.eval_loss, epoch, report.eval_loss);
                push(&mut self.eval_accuracy, epoch, report.eval_accuracy);
                self.evaluated_on = report.evaluated_on;
            }
            Event::Restart { .. } => *self = Self::default(),
            _ => {}
        }
    }

    /// Returns the epoch at which the last curve ends, at least 1.
    pub fn epochs(&self) -> f64 {
        let last = |curve: &Curve| curve.last().map_or(1.0, |point| point.0);
        last(&self.train_loss).max(last(&self.eval_accuracy)).max(1.0)
    }
}

fn push(curve: &mut Curve, epoch: f64, value: f64) {
    if value.is_finite() {
        curve.push((epoch, value));
    }
}

/// Returns the highest value of these curves, and no less than `least`.
pub fn highest<'a>(curves: impl IntoIterator<Item = &'a Curve>, least: f64) -> f64 {
    curves.into_iter().flatten().map(|point| point.1).fold(least, f64::max)
}

#[cfg(test)]
mod tests {
    use nin_train::StepReport;

    use super::*;

    fn point(step: usize, train_loss: f64) -> Event {
        Event::Step(StepReport {
            epoch: 1,
            step,
            steps_per_epoch: 5,
            train_loss,
            train_accuracy: 0.1,
            learning_rate: 0.1,
            images_per_sec: 1.0,
            secs_left: 1.0,
        })
    }

    #[test]
    fn a_non_finite_loss_is_skipped() {
        let curves = Curves::of(&[point(1, 2.3), point(2, f64::NAN), point(3, f64::INFINITY)]);
        assert_eq!(curves.train_loss, [(0.2, 2.3)]);
        assert_eq!(curves.train_accuracy.len(), 3);
        assert_eq!((curves.epochs(), highest([&curves.train_loss], 0.5)), (1.0, 2.3));
    }

    #[test]
    fn curves_are_those_of_the_last_attempt() {
        let restart = Event::Restart { attempt: 2, seed: 7, epoch: 1, step: 2 };
        let curves = Curves::of(&[point(1, 2.3), restart, point(1, 2.1)]);
        assert_eq!(curves.train_loss, [(0.2, 2.1)]);
    }
}

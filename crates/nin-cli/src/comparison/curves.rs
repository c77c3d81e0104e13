//! The curves of one run, as they are compared.

use nin_train::{Event, RunHistory};

/// Points of one curve: epochs along.
pub(super) type Curve = Vec<(f64, f64)>;

/// The curves of one run.
#[derive(Debug)]
pub(super) struct Curves {
    pub(super) train_loss: Curve,
    pub(super) test_accuracy: Curve,
}

impl Curves {
    pub(super) fn of(history: &RunHistory) -> Self {
        let mut curves = Self { train_loss: Vec::new(), test_accuracy: Vec::new() };
        for event in history.attempt() {
            match event {
                Event::Step(step) if step.train_loss.is_finite() => {
                    let epoch = step.epochs_done();
                    curves.train_loss.push((epoch, step.train_loss));
                }
                Event::Epoch(epoch) => {
                    curves.test_accuracy.push((epoch.epoch as f64, epoch.eval_accuracy));
                }
                _ => {}
            }
        }
        curves
    }
}

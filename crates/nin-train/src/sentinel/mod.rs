//! The sentinel: detects and reports the ways in which a Network in Network dies during training.
//!
//! The last block of the network ends in a ReLU. A class channel that is 0 for every image gets no gradient there and
//! seldom recovers. If all of them are 0, the logits are the same for every image, the loss stays at the logarithm of
//! the number of classes, and every gradient is 0. Before that, the loss stays very close to that value, and one class
//! after another falls silent. A plateau alone proves nothing: the book's recipe often stays on one for an epoch and
//! then learns.
//!
//! The sentinel looks at what a step computes anyway (the loss, and the logits on the host), and at every tenth step at
//! the norm of the gradient. It changes nothing. Its state is part of each checkpoint, so that a resumed run raises the
//! same alarms as an uninterrupted one.

mod alarm;

use serde::{Deserialize, Serialize};

pub use alarm::{Alarm, AlarmKind};

use crate::score::Answers;

/// Largest relative distance of the mean loss from ln(classes) on a plateau.
const HAIR: f64 = 0.01;
/// Weight of the newest loss in the running mean. It is small, so that a single batch has little effect.
const NEWEST: f64 = 0.1;
/// Number of consecutive steps that make a plateau: this share of an epoch, within these bounds.
const PLATEAU_EPOCHS: f64 = 0.3;
const PLATEAU_STEPS: (usize, usize) = (50, 200);
/// Number of epochs on a plateau after which a run is given up.
const PATIENT_EPOCHS: usize = 2;
/// Number of consecutive batches with the same logits for all images that make a network dead.
const ALIKE_STEPS: usize = 50;
/// Number of consecutive batches, and of images per class, with logit 0 that make a class silent. The number of images
/// keeps small batches, in which a class may not occur, from raising the alarm.
const SILENT_STEPS: usize = 20;
const SILENT_IMAGES_PER_CLASS: usize = 32;
/// Largest number of alarms about silent classes per epoch.
const SILENT_NAMED_PER_EPOCH: usize = 10;
/// The gradient norm above which gradients explode, and the norm below which that is over.
const EXPLODING: (f64, f64) = (1e3, 1e2);
/// The gradient norm is computed once in this many steps.
const NORM_EVERY: usize = 10;

/// What the sentinel sees of a step.
#[derive(Debug, Clone)]
pub(crate) struct Observation {
    /// Mean cross-entropy of the batch, in nats; finite.
    pub(crate) loss: f64,
    /// Number of images in the batch.
    pub(crate) images: usize,
    /// For each class, whether its logit is exactly 0 for every image of the batch.
    pub(crate) silent: Vec<bool>,
    /// Whether the batch has at least two images and all got bitwise the same logits.
    pub(crate) alike: bool,
    /// The global norm of the gradients, if it was computed.
    pub(crate) gradient_norm: Option<f64>,
}

impl Observation {
    /// Creates the observation of a batch.
    pub(crate) fn of(answers: &Answers, loss: f64, gradient_norm: Option<f64>) -> Self {
        let mut rows = answers.iter().map(|(logits, _, _)| logits);
        let first = rows.next().unwrap_or_default();
        let mut silent: Vec<bool> = first.iter().map(|logit| *logit == 0.0).collect();
        let (mut images, mut alike) = (1, true);
        for logits in rows {
            images += 1;
            alike &= logits == first;
            for (silent, logit) in silent.iter_mut().zip(logits) {
                *silent &= *logit == 0.0;
            }
        }
        Self { loss, images, silent, alike: alike && images > 1, gradient_norm }
    }
}

/// The state of the sentinel, part of a checkpoint.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SentinelState {
    /// Running mean of the batch losses, in nats.
    mean_loss: Option<f64>,
    /// Number of consecutive steps with the mean loss of guessing.
    plateau_steps: usize,
    /// Number of consecutive batches with the same logits for all images.
    alike_steps: usize,
    /// For each class, the number of consecutive batches and images with logit 0.
    silent: Vec<Silence>,
    /// The last computed gradient norm.
    gradient_norm: Option<f64>,
    /// The active alarms.
    standing: Vec<AlarmKind>,
    /// The classes of the last alarm about silent classes, and its step.
    named_classes: Vec<usize>,
    named_at: usize,
}

/// How long a class has been silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Silence {
    steps: usize,
    images: usize,
}

impl SentinelState {
    /// Returns the active alarms.
    pub(crate) fn standing(&self) -> &[AlarmKind] {
        &self.standing
    }

    /// Returns the classes of the last alarm about silent classes.
    pub(crate) fn silent_classes(&self) -> &[usize] {
        &self.named_classes
    }

    /// Returns whether the run should be given up: the network is dead, or on a plateau for too long.
    pub(crate) fn has_collapsed(&self, steps_per_epoch: usize) -> bool {
        self.standing.contains(&AlarmKind::Dead)
            || self.plateau_steps >= given_up_after(steps_per_epoch)
    }
}

/// Returns the number of steps on a plateau after which a run is given up.
fn given_up_after(steps_per_epoch: usize) -> usize {
    (PATIENT_EPOCHS * steps_per_epoch).max(2 * PLATEAU_STEPS.0)
}

/// Raises alarms about a run.
#[derive(Debug, Clone)]
pub(crate) struct Sentinel {
    steps_per_epoch: usize,
    class_names: Vec<String>,
}

impl Sentinel {
    pub(crate) fn new(class_names: Vec<String>, steps_per_epoch: usize) -> Self {
        Self { steps_per_epoch, class_names }
    }

    /// Returns whether the sentinel needs the gradient norm of the step after this many.
    pub(crate) fn wants_norm(total_steps: usize) -> bool {
        total_steps.is_multiple_of(NORM_EVERY)
    }

    /// Returns the loss of guessing, in nats.
    fn guess(&self) -> f64 {
        (self.class_names.len() as f64).ln()
    }

    fn plateau_after(&self) -> usize {
        let (least, most) = PLATEAU_STEPS;
        ((self.steps_per_epoch as f64 * PLATEAU_EPOCHS) as usize).clamp(least, most)
    }

    /// Takes one step into account; gives the alarms that are raised by it, or over.
    pub(crate) fn observe(
        &self,
        state: &mut SentinelState,
        (epoch, step, total_steps): (usize, usize, usize),
        seen: &Observation,
    ) -> Vec<Alarm> {
        // With one class there is nothing to guess.
        if self.class_names.len() < 2 || seen.images == 0 {
            return Vec::new();
        }
        state.gradient_norm = seen.gradient_norm.or(state.gradient_norm);
        let found = [
            self.plateau(state, seen),
            self.silence(state, total_steps, seen),
            Self::death(state, seen),
            Self::explosion(state, seen),
        ];
        let mut alarms = Vec::new();
        for Finding { alarm, over, steps } in found.into_iter().flatten() {
            state.standing.retain(|standing| *standing != alarm);
            if !over {
                state.standing.push(alarm);
            }
            let classes = match alarm {
                AlarmKind::SilentClasses => state.named_classes.as_slice(),
                _ => &[],
            };
            alarms.push(Alarm {
                epoch,
                step,
                alarm,
                over,
                steps,
                loss: seen.loss,
                gradient_norm: state.gradient_norm,
                classes: classes.iter().map(|class| self.class_names[*class].clone()).collect(),
                class_count: self.class_names.len(),
            });
        }
        alarms
    }

    fn plateau(&self, state: &mut SentinelState, seen: &Observation) -> Option<Finding> {
        let mean = state.mean_loss.unwrap_or(seen.loss);
        let mean = mean + NEWEST * (seen.loss - mean);
        state.mean_loss = Some(mean);
        let raised = state.standing.contains(&AlarmKind::Plateau);
        if (mean - self.guess()).abs() > HAIR * self.guess() {
            let steps = std::mem::take(&mut state.plateau_steps);
            return raised.then_some(Finding { alarm: AlarmKind::Plateau, over: true, steps });
        }
        state.plateau_steps += 1;
        let steps = state.plateau_steps;
        // Raised once more when the run is given up.
        let is_due = !raised && steps >= self.plateau_after()
            || steps == given_up_after(self.steps_per_epoch);
        is_due.then_some(Finding { alarm: AlarmKind::Plateau, over: false, steps })
    }

    fn silence(
        &self,
        state: &mut SentinelState,
        total_steps: usize,
        seen: &Observation,
    ) -> Option<Finding> {
        let classes = self.class_names.len();
        state.silent.resize(classes, Silence::default());
        for (silence, silent) in state.silent.iter_mut().zip(&seen.silent) {
            if *silent {
                silence.steps += 1;
                silence.images += seen.images;
            } else {
                *silence = Silence::default();
            }
        }
        let is_silent = |silence: &Silence| {
            silence.steps >= SILENT_STEPS && silence.images >= SILENT_IMAGES_PER_CLASS * classes
        };
        let silent: Vec<usize> =
            (0..classes).filter(|class| is_silent(&state.silent[*class])).collect();
        let pause = (self.steps_per_epoch / SILENT_NAMED_PER_EPOCH).max(SILENT_STEPS);
        let is_first = state.named_at == 0;
        if silent == state.named_classes || !is_first && total_steps < state.named_at + pause {
            return None;
        }
        let longest = silent.iter().map(|class| state.silent[*class].steps).max();
        state.named_classes = silent;
        state.named_at = total_steps;
        let steps = longest.unwrap_or_default();
        Some(Finding { alarm: AlarmKind::SilentClasses, over: longest.is_none(), steps })
    }

    fn death(state: &mut SentinelState, seen: &Observation) -> Option<Finding> {
        let raised = state.standing.contains(&AlarmKind::Dead);
        if !seen.alike {
            let steps = std::mem::take(&mut state.alike_steps);
            return raised.then_some(Finding { alarm: AlarmKind::Dead, over: true, steps });
        }
        state.alike_steps += 1;
        let steps = state.alike_steps;
        (steps == ALIKE_STEPS).then_some(Finding { alarm: AlarmKind::Dead, over: false, steps })
    }

    fn explosion(state: &mut SentinelState, seen: &Observation) -> Option<Finding> {
        let raised = state.standing.contains(&AlarmKind::ExplodingGradients);
        let (explodes, calm) = EXPLODING;
        let norm = seen.gradient_norm?;
        let over = raised && norm < calm;
        (over || !raised && norm > explodes).then_some(Finding {
            alarm: AlarmKind::ExplodingGradients,
            over,
            steps: 1,
        })
    }
}

struct Finding {
    alarm: AlarmKind,
    over: bool,
    steps: usize,
}

#[cfg(test)]
mod cost;
#[cfg(test)]
mod tests;

//! The sentinel: watches a training for what kills Network in Network, and names it.
//!
//! The last block of the network ends in a ReLU. A class channel that it cuts to 0 for every image
//! gets no gradient there and seldom comes back; where all of them are, the answers are the same for
//! every image, the loss stays at the logarithm of the number of classes, and every gradient is 0.
//! Before it comes to that, the loss hangs within a hair of that value, and class after class falls
//! silent. A plateau alone is no verdict: the book's recipe often hangs for an epoch, and then learns.
//!
//! It looks at what a step computes anyway (the loss and the logits on the host) and, at each tenth
//! step, at the norm of the gradient. It changes nothing. Its memory is part of each checkpoint, so
//! that a run that was cut says what the uncut one says.

mod alarm;

use serde::{Deserialize, Serialize};

pub use alarm::{Alarm, AlarmKind};

use crate::score::Answers;

/// The share of ln(classes) that counts as a hair.
const HAIR: f64 = 0.01;
/// How much of the newest loss goes into the running mean, which a lone batch does not move far.
const NEWEST: f64 = 0.1;
/// Steps on end that make a plateau: so much of an epoch, within these bounds.
const PLATEAU_EPOCHS: f64 = 0.3;
const PLATEAU_STEPS: (usize, usize) = (50, 200);
/// Epochs on a plateau after which a run is given up.
const PATIENT_EPOCHS: usize = 2;
/// Batches on end in which all images get the same logits that make a network dead.
const ALIKE_STEPS: usize = 50;
/// Batches on end without an answer that make a class silent; and images, for each class, so that
/// small batches in which a class does not occur are no sign.
const SILENT_STEPS: usize = 20;
const SILENT_IMAGES_PER_CLASS: usize = 32;
/// Classes that fall silent or come back are named at most so many times an epoch.
const SILENT_NAMED_PER_EPOCH: usize = 10;
/// The norm of a gradient that explodes, and the norm below which that is over.
const EXPLODING: (f64, f64) = (1e3, 1e2);
/// The gradient's norm is taken at each of so many steps.
const NORM_EVERY: usize = 10;

/// What one step showed.
#[derive(Debug, Clone)]
pub(crate) struct Observation {
    /// Mean cross-entropy of the batch, in nats; finite.
    pub(crate) loss: f64,
    /// Images of the batch.
    pub(crate) images: usize,
    /// For each class, whether its logit is exactly 0 for every image of the batch.
    pub(crate) silent: Vec<bool>,
    /// Whether all images of the batch, two at least, got the same logits to the bit.
    pub(crate) alike: bool,
    /// The norm of the gradient of all parameters, where it was taken.
    pub(crate) gradient_norm: Option<f64>,
}

impl Observation {
    /// What a batch's answers show.
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

/// What the sentinel remembers; a part of a checkpoint.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SentinelState {
    /// The running mean of the batches' losses, in nats.
    mean_loss: Option<f64>,
    /// Steps on end in which that was the loss of a guess.
    plateau_steps: usize,
    /// Batches on end in which all images got the same logits.
    alike_steps: usize,
    /// For each class, batches and images on end without an answer.
    silent: Vec<Silence>,
    /// The last norm of the gradient.
    gradient_norm: Option<f64>,
    /// The alarms that are not over.
    standing: Vec<AlarmKind>,
    /// The silent classes that were named last, and the step at which they were.
    named_classes: Vec<usize>,
    named_at: usize,
}

/// How long a class has not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Silence {
    steps: usize,
    images: usize,
}

impl SentinelState {
    /// The alarms that are not over.
    pub(crate) fn standing(&self) -> &[AlarmKind] {
        &self.standing
    }

    /// The silent classes that were named last.
    pub(crate) fn silent_classes(&self) -> &[usize] {
        &self.named_classes
    }

    /// Whether nothing is to be hoped for.
    pub(crate) fn has_collapsed(&self, steps_per_epoch: usize) -> bool {
        self.standing.contains(&AlarmKind::Dead)
            || self.plateau_steps >= given_up_after(steps_per_epoch)
    }
}

/// Steps on a plateau after which a run is given up.
fn given_up_after(steps_per_epoch: usize) -> usize {
    (PATIENT_EPOCHS * steps_per_epoch).max(2 * PLATEAU_STEPS.0)
}

/// What is watched for in a run.
#[derive(Debug, Clone)]
pub(crate) struct Sentinel {
    steps_per_epoch: usize,
    class_names: Vec<String>,
}

impl Sentinel {
    pub(crate) fn new(class_names: Vec<String>, steps_per_epoch: usize) -> Self {
        Self { steps_per_epoch, class_names }
    }

    /// Whether the norm of the gradient is to be taken in the step after so many.
    pub(crate) fn wants_norm(total_steps: usize) -> bool {
        total_steps.is_multiple_of(NORM_EVERY)
    }

    /// The loss of a guess, in nats.
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
        // Said again, once, where it is given up.
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

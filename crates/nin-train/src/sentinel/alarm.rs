//! Alarms of the sentinel, as events and as text.

use std::fmt::{self, Display, Formatter};

use nin_model::Initialization;
use serde::{Deserialize, Serialize};

/// The recipe that keeps every class alive. Its initialization alone has most of that effect.
const STEADY_RECIPE: &str = "steady-fashion-mnist-96";

/// The kind of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmKind {
    /// The loss stays very close to that of guessing. A plateau may end.
    Plateau,
    /// Some class channels are 0 for every image of many consecutive batches. A class may recover.
    SilentClasses,
    /// Every image of many consecutive batches gets the same logits. The network cannot learn any longer.
    Dead,
    /// The norm of the gradient is above 1000.
    ExplodingGradients,
}

/// An alarm that is raised, changes or ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Alarm {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The step of the epoch, counted from 1.
    pub step: usize,
    /// The kind.
    pub alarm: AlarmKind,
    /// Whether the alarm ends.
    pub over: bool,
    /// Number of consecutive steps in this state; for silent classes, of the longest silent one.
    pub steps: usize,
    /// Mean cross-entropy of the batch, in nats.
    pub loss: f64,
    /// The last gradient norm, which is computed at every tenth step.
    pub gradient_norm: Option<f64>,
    /// All classes that are silent; empty for other alarms.
    pub classes: Vec<String>,
    /// Total number of classes.
    pub class_count: usize,
}

impl Alarm {
    /// Returns what to try, as a noun phrase; `None` if the alarm ends, or is about silent classes after the first
    /// epoch.
    pub fn hint(&self) -> Option<String> {
        if self.over || self.alarm == AlarmKind::SilentClasses && self.epoch > 1 {
            return None;
        }
        Some(match self.alarm {
            AlarmKind::ExplodingGradients => "a smaller `optimizer.learning_rate`".to_owned(),
            _ => format!(
                "the recipe `{STEADY_RECIPE}` or `model.initialization = \"{}\"`",
                Initialization::LsuvOpen.name()
            ),
        })
    }
}

impl Display for Alarm {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let Self { alarm, over, steps, loss, classes, class_count, .. } = self;
        match (alarm, over) {
            (AlarmKind::Plateau, false) => write!(
                f,
                "for {steps} steps the loss has been that of guessing among {class_count} classes \
                 ({loss:.3}): the network has learned nothing yet. Such a plateau may end (the book's \
                 recipe often stays on one for an epoch), or the network may die"
            ),
            (AlarmKind::Plateau, true) => {
                write!(f, "the plateau is over after {steps} steps: the loss is {loss:.3}")
            }
            (AlarmKind::SilentClasses, false) => write!(
                f,
                "{} of {class_count} classes {} silent ({}): 0 for every image of up to {steps} batches \
                 in a row. A class channel that the last ReLU closes gets no gradient there; it \
                 recovers only if the layers below it change",
                classes.len(),
                if classes.len() == 1 { "is" } else { "are" },
                classes.join(", ")
            ),
            (AlarmKind::SilentClasses, true) => write!(f, "no class is silent any longer"),
            (AlarmKind::Dead, false) => {
                write!(
                    f,
                    "the network is dead: every image of the last {steps} batches got the same answer"
                )?;
                match self.gradient_norm {
                    Some(0.0) => {
                        write!(f, ", and the gradient is exactly 0: no weight moves again")
                    }
                    Some(norm) => write!(
                        f,
                        ", and the remaining gradient ({norm:.1e}) does not depend on the image"
                    ),
                    None => Ok(()),
                }
            }
            (AlarmKind::Dead, true) => {
                write!(f, "the answers depend on the image again, after {steps} steps")
            }
            (AlarmKind::ExplodingGradients, false) => write!(
                f,
                "the gradients explode: their norm is {:.1e}",
                self.gradient_norm.unwrap_or(f64::NAN)
            ),
            (AlarmKind::ExplodingGradients, true) => write!(
                f,
                "the gradients no longer explode: their norm is {:.1e}",
                self.gradient_norm.unwrap_or(f64::NAN)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::RecipeBuilder;

    #[test]
    fn the_recipe_of_the_hint_is_there_and_begins_as_the_hint_says() {
        let recipe = RecipeBuilder::named(STEADY_RECIPE).and_then(RecipeBuilder::build).unwrap();
        assert_eq!(recipe.model.initialization, Initialization::LsuvOpen);
    }
}

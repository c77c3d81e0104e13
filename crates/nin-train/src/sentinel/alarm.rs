//! What the sentinel names, as an event and in words.

use std::fmt::{self, Display, Formatter};

use nin_model::Initialization;
use serde::{Deserialize, Serialize};

/// The recipe that keeps every class alive, and whose initialisation alone does much of it.
const STEADY_RECIPE: &str = "steady-fashion-mnist-96";

/// What an alarm is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmKind {
    /// The loss hangs within a hair of that of a guess. It may end.
    Plateau,
    /// Some class channels have been 0 for every image of many batches on end. One may come back.
    SilentClasses,
    /// Every image of many batches on end got the same logits: nothing can be learnt any more.
    Dead,
    /// The norm of the gradient is out of all measure.
    ExplodingGradients,
}

/// An alarm that is raised, that has changed, or that is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Alarm {
    /// Counted from 1.
    pub epoch: usize,
    /// Of the epoch, counted from 1.
    pub step: usize,
    /// What it is about.
    pub alarm: AlarmKind,
    /// Whether it is over.
    pub over: bool,
    /// For how many steps on end it has been so; of silent classes, the longest.
    pub steps: usize,
    /// Mean cross-entropy of the batch, in nats.
    pub loss: f64,
    /// The last norm of the gradient that was taken, at each tenth step.
    pub gradient_norm: Option<f64>,
    /// All classes that are silent now; empty in other alarms.
    pub classes: Vec<String>,
    /// How many classes there are.
    pub class_count: usize,
}

impl Alarm {
    /// What to try, where there is something to be done about it.
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
                "{} of {class_count} classes are silent ({}): 0 for every image of up to {steps} batches \
                 in a row. A class channel that the last ReLU closes gets no gradient there; it \
                 recovers only if the layers below it change",
                classes.len(),
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

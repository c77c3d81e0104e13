//! Burn's `Learner`, behind the few calls that a training loop makes. Nothing else in this crate knows what
//! Burn's training needs around it.
//!
//! Burn takes the forward and backward pass, the optimizer and the learning-rate schedule. Its own loop cannot
//! resume in the middle of an epoch or keep one order for any number of workers, so it is replaced (ADR 3). Burn
//! allows that through a training strategy, which comes with conditions:
//!
//! - `launch` hands back a model and nothing else, so [`fit`] keeps the loop's result in a cell;
//! - every training has a renderer and a metric logger, so there is one that does nothing;
//! - `Learner` shows its optimizer's state to a checkpointer alone, so a checkpointer in memory asks for it.

mod components;
mod noop_renderer;
mod optimizer_state;
mod step;
mod strategy;

pub(crate) use self::step::OptimizerState;
pub use self::step::StepLearner;
pub(crate) use self::strategy::{LoopLearner, fit};

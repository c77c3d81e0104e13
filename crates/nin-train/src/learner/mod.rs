//! Wraps Burn's `Learner` for the training loop. No other module deals with Burn's training infrastructure.
//!
//! Burn runs the forward and backward pass, the optimizer and the learning-rate schedule. Burn's own loop cannot resume
//! in the middle of an epoch or keep the same order for any number of workers, so a custom training strategy replaces
//! it (ADR 3). That takes some workarounds:
//!
//! - `launch` returns only a model, so [`fit`] passes the loop's result through a cell;
//! - every training needs a renderer and a metric logger, so both are no-ops;
//! - `Learner` passes its optimizer's state only to a checkpointer, so an in-memory checkpointer reads it.

mod accumulation;
mod components;
mod noop_renderer;
mod optimizer_state;
mod step;
mod strategy;

pub(crate) use self::step::OptimizerState;
pub use self::step::StepLearner;
pub(crate) use self::strategy::{LoopLearner, fit};

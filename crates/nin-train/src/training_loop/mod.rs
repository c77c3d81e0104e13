//! The training loop: epochs, steps, evaluation and checkpoints, with exact resume.
//!
//! `epochs` takes batches from the data loader, `step` computes and checks their gradients and updates the weights,
//! `evaluation` evaluates the weights after each epoch, and `saving` writes checkpoints.

mod epochs;
mod evaluation;
mod job;
mod save_status;
mod saving;
mod state;
mod step;
mod times;

pub(crate) use self::epochs::Outcome;
pub(crate) use self::job::{Job, Loaders};
pub(crate) use self::state::TrainingLoop;

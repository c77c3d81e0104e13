//! The training loop: epochs, steps, evaluation and checkpoints, with exact resume.
//!
//! A batch's path: `epochs` takes it from the data loader, `step` computes its gradients, checks them and updates
//! the weights, `evaluation` tests the weights after each epoch, `saving` writes checkpoints.

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

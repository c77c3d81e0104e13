//! Training runs for Network in Network: Burn's `Learner` steps, and everything around the step is
//! here: recipe, order, seeds, run folder, checkpoints, metrics and curves.
//!
//! The whole of it is one function, [`train`], over any autodiff backend.
#![recursion_limit = "256"]

mod checkpoint;
mod checkpoints;
mod classifier;
mod curves;
mod durable;
mod environment;
mod error;
mod evaluation;
mod events;
mod finite;
mod folder;
mod lock;
mod moments;
mod optimizer;
mod quiet;
pub mod recipe;
mod record;
#[cfg(test)]
mod sample;
mod saving;
mod schedule;
mod score;
mod strategy;
mod summary;
mod training;

pub use checkpoint::{Checkpoint, TrainingState, load_model};
pub use classifier::{Classifier, StepAnswers, cross_entropy};
pub use environment::{DataFile, Environment};
pub use error::TrainError;
pub use evaluation::Evaluation;
pub use events::{Ending, EpochReport, Event, Observer, Progress, RunDescription, StepReport};
pub use folder::RunFolder;
pub use optimizer::{GradientDescent, Moments, RunOptimizer};
pub use record::read_events;
pub use schedule::Schedule;
pub use score::{Answers, Score};
pub use strategy::Components;
pub use summary::Summary;
pub use training::{TrainingPlan, model_metadata, train};

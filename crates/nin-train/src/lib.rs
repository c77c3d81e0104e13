//! Training runs for Network in Network: Burn's `Learner` steps, and everything around the step is
//! here: recipe, order, seeds, run folder, checkpoints, metrics and curves.
//!
//! The whole of it is one function, [`train`], over any autodiff backend.
#![recursion_limit = "256"]

mod checkpoint;
mod classifier;
mod curves;
mod durable;
mod environment;
mod error;
mod evaluation;
mod events;
mod folder;
mod moments;
mod optimizer;
mod quiet;
mod reading;
pub mod recipe;
mod record;
mod schedule;
mod score;
mod strategy;
mod summary;
mod training;

pub use checkpoint::{Checkpoint, TrainingState, load_model, read_weights};
pub use classifier::{Classifier, StepAnswers, cross_entropy};
pub use durable::write_file;
pub use environment::{DataFile, Environment};
pub use error::TrainError;
pub use evaluation::Evaluation;
pub use events::{Ending, EpochReport, Event, Observer, Progress, RunDescription, StepReport};
pub use folder::RunFolder;
pub use optimizer::{GradientDescent, Moments, RunOptimizer};
pub use reading::RunRecord;
pub use record::read_events;
pub use schedule::Schedule;
pub use score::{Answers, Score};
pub use strategy::Components;
pub use summary::Summary;
pub use training::{TrainingPlan, model_metadata, train};

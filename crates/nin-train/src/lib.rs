//! Training runs for Network in Network: Burn's `Learner` steps, and everything around the step is
//! here: recipe, order, seeds, run folder, checkpoints, metrics and curves.
//!
//! New here? [`guide`] walks through all crates.
//!
//! The whole of it is one function, [`train`], over any autodiff backend: here a small network of
//! one's own, three epochs of 64 images, on the CPU.
//!
//! ```
//! use burn::backend::Autodiff;
//! use burn::train::Interrupter;
//! use burn_flex::Flex;
//! use nin_data::{DataSet, Locations};
//! use nin_train::recipe::RecipeBuilder;
//! use nin_train::{Environment, TrainingPlan, load_model, train};
//!
//! const RECIPE: &str = r#"
//! [model]
//! architecture = "tiny"
//! initialization = "kaiming"
//! blocks = [
//!   { kernel = 5, stride = 3, widths = [16, 16, 16] },
//!   { kernel = 3, padding = 1, widths = [16, 16, "classes"] },
//! ]
//! [optimizer]
//! kind = "adamw"
//! learning_rate = 0.01
//! [training]
//! epochs = 3
//! batch_size = 16
//! "#;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let parent = tempfile::tempdir()?;
//! let folder = parent.path().join("tiny");
//! let recipe = RecipeBuilder::from_text("tiny", "tiny", RECIPE)?.build()?;
//! let data = DataSet::open("fashion-mnist-sample", None, &Locations::default())?.limited(64);
//! let environment = Environment::default();
//! let plan = TrainingPlan {
//!     recipe,
//!     folder: folder.clone(),
//!     resume: false,
//!     data,
//!     workers: 0,
//!     start: None,
//!     environment,
//! };
//! let summary =
//!     train::<Autodiff<Flex>>(plan, &Default::default(), Interrupter::new(), Box::new(()))?;
//! assert_eq!(summary.epochs, 3);
//!
//! let (metadata, weights) = load_model(&folder)?; // the run's best checkpoint
//! assert_eq!(metadata.classes[9], "Ankle boot");
//! weights.check(&metadata.architecture)?;
//! # Ok(())
//! # }
//! ```
#![recursion_limit = "256"]

mod attempt;
mod averaging;
mod beginning;
mod bounded;
mod checkpoint;
mod classifier;
mod clipping;
mod durable;
mod environment;
mod epoch_record;
mod error;
mod evaluation;
mod events;
mod fine_tuning;
mod finite;
mod folder;
pub mod guide;
mod history;
mod lock;
mod metrics_log;
mod moments;
mod opening;
mod optimizer;
mod picture_list;
mod prediction;
mod preprocessing;
mod quiet;
pub mod recipe;
#[cfg(test)]
mod sample;
mod schedule;
mod score;
mod sealed;
mod selection;
mod sentinel;
mod strategy;
mod summary;
mod training;
mod weighting;

pub use bounded::read_file;
pub use checkpoint::{Checkpoint, TrainingState, load_model, read_weights};
pub use classifier::{Classifier, StepAnswers, cross_entropy};
pub use durable::write_file;
pub use environment::{DataFile, Environment};
pub use error::{TrainError, one_line};
pub use evaluation::Evaluation;
pub use events::{
    Ending, EpochReport, Event, Observer, Progress, RunDescription, StepReport, TestReport,
};
pub use fine_tuning::{StartingWeights, Transfer};
pub use folder::RunFolder;
pub use history::RunHistory;
pub use metrics_log::read_events;
pub use optimizer::{GradientDescent, Moments, RunOptimizer};
pub use prediction::{Inversion, Prediction, PredictionError, Predictor, Preparation, Prepared};
pub use schedule::Schedule;
pub use score::{Answers, Score};
pub use sealed::{check_text as check_sealed_text, text as sealed_text};
pub use selection::Figures;
pub use sentinel::{Alarm, AlarmKind, Vitals};
pub use strategy::Components;
pub use summary::Summary;
pub use training::{TrainingPlan, model_metadata, train};

/// The tutorial's Rust: `cargo test` compiles and runs every block of it.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/tutorial.md")]
struct Tutorial;

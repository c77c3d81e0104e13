//! Training runs for Network in Network: recipes, exact resume, checkpoints, metrics, evaluation and prediction, built
//! on Burn's `Learner`.
//!
//! Start with [`Trainer`]; [`guide`] walks through all crates. This example trains a small custom network for three
//! epochs of 64 images, on the CPU:
//!
//! ```
//! use burn::backend::Autodiff;
//! use burn_flex::{Flex, FlexDevice};
//! use nin_data::{DataSet, FASHION_MNIST_SAMPLE, Locations};
//! use nin_train::recipe::RecipeBuilder;
//! use nin_train::{Trainer, load_model};
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
//! # let parent = tempfile::tempdir()?;
//! # let folder = parent.path().join("tiny");
//! let recipe = RecipeBuilder::from_text("tiny", "tiny", RECIPE)?.build()?;
//! let data = DataSet::open(FASHION_MNIST_SAMPLE, None, &Locations::default())?.limited(64);
//! let summary =
//!     Trainer::new(recipe, data).folder(&folder).run::<Autodiff<Flex>>(&FlexDevice)?;
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
mod bounded;
mod calibration;
mod checkpoint;
mod classifier;
mod clipping;
mod durable;
mod environment;
mod epoch_report;
mod error;
mod evaluation;
mod events;
mod figures;
mod fine_tuning;
mod folder;
mod gradient_check;
mod gradients;
pub mod guide;
mod history;
mod initial_state;
mod learner;
mod lock;
mod loss_scale;
mod metrics_log;
mod model_metadata;
mod open_run;
mod picture_list;
mod plan;
mod predictor;
mod preprocessing;
mod ranks;
pub mod recipe;
#[cfg(test)]
mod sample;
mod score;
mod sealed;
mod sentinel;
mod summary;
mod trainer;
mod training;
mod training_loop;
mod weighting;

pub use calibration::{Calibration, CalibrationBin};
pub use checkpoint::{Checkpoint, TrainingState, load_model, read_weights};
pub use classifier::{Classifier, PreparedClassifier, StepAnswers, cross_entropy};
pub use environment::{DataFile, Environment};
pub use epoch_report::EpochReport;
pub use error::{TrainError, one_line};
pub use evaluation::Evaluation;
pub use events::{Ending, Event, Observer, Progress, RunDescription, StepReport, TestReport};
pub use figures::Figures;
pub use fine_tuning::{StartingWeights, Transfer};
pub use folder::RunFolder;
pub use history::RunHistory;
pub use learner::StepLearner;
pub use loss_scale::LossScale;
pub use metrics_log::read_events;
pub use model_metadata::model_metadata;
pub use nin_prediction::{Inversion, Prediction, PredictionError, Preparation, Prepared};
pub use predictor::Predictor;
pub use ranks::{
    Alone, CommunicationError, Communicator, Fingerprint, Ready, ThreadRank, check_rank_count,
    gather, preflight,
};
pub use score::{Answers, Score};
pub use sentinel::{Alarm, AlarmKind, SentinelState};
pub use summary::Summary;
pub use trainer::Trainer;

/// File access for the other crates of this workspace. Not part of the public interface.
#[doc(hidden)]
pub mod files {
    pub use crate::bounded::read_file;
    pub use crate::durable::write_file;
    pub use crate::sealed::{check_text as check_sealed_text, text as sealed_text};
}

/// Makes `cargo test` compile and run every Rust block of the tutorial.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/tutorial.md")]
struct Tutorial;

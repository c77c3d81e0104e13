//! A recipe: everything that decides what a training computes.
//!
//! Defaults are overridden by a file, the file by single keys of the command line. Every key is known or refused;
//! the resolved recipe is written into the run.
//!
//! In a file, 0 stands for "none" where a number may be absent; in the program such a value is an `Option`.

mod augmentation;
mod builtin;
mod checkpoint;
mod class_weights;
mod data;
mod differences;
mod document;
mod error;
mod model;
mod nearest;
mod optimizer;
mod preprocessing;
mod retired;
mod schedule;
mod source;
mod training;
mod validate;
mod zero_is_none;

pub use augmentation::AugmentationRecipe;
pub use builtin::BuiltinRecipe;
pub use checkpoint::{BestBy, CheckpointRecipe};
pub use class_weights::ClassWeights;
pub use data::DataRecipe;
pub use document::Recipe;
pub use error::RecipeError;
pub use model::{ModelRecipe, NetworkRecipe};
pub use nin_model::Precision;
pub use nin_preprocessing::Fit;
pub use optimizer::{OptimizerKind, OptimizerRecipe};
pub use preprocessing::{NormalizationRecipe, PreprocessingRecipe, WhiteningRecipe};
pub use schedule::{ScheduleKind, ScheduleRecipe};
pub use source::RecipeBuilder;
pub use training::{OnCollapse, OnNonFinite, TrainingRecipe};

//! Recipes: everything that decides what a training computes.
//!
//! A file overrides the defaults, and keys from the command line override the file. An unknown key is an error. The
//! resolved recipe is written into the run.
//!
//! Optional numbers are `Option`s here and 0 in a file.

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
mod preprocessing;
mod retired;
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
pub use nin_optimizer::{OptimizerKind, OptimizerRecipe, ScheduleKind, ScheduleRecipe};
pub use nin_preprocessing::Fit;
pub use preprocessing::{NormalizationRecipe, PreprocessingRecipe, WhiteningRecipe};
pub use source::RecipeBuilder;
pub use training::{OnCollapse, OnNonFinite, TrainingRecipe};

//! The types that make up Burn's learner here.

use burn::train::LearningComponentsMarker;

use crate::classifier::Classifier;
use crate::optimizer::RunOptimizer;
use crate::schedule::Schedule;

/// Schedule, model and optimizer of every training.
pub(super) type Components<B> =
    LearningComponentsMarker<B, Schedule, Classifier<B>, RunOptimizer<Classifier<B>, B>>;

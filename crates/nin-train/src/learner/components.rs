//! The component types of Burn's learner.

use burn::train::LearningComponentsMarker;

use crate::classifier::Classifier;
use crate::optimizer::RunOptimizer;
use crate::schedule::Schedule;

/// The schedule, model and optimizer types of every training.
pub(super) type Components<B> =
    LearningComponentsMarker<B, Schedule, Classifier<B>, RunOptimizer<Classifier<B>, B>>;

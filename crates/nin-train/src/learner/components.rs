//! The component types of Burn's learner.

use burn::optim::adaptor::OptimizerAdaptor;
use burn::train::LearningComponentsMarker;
use nin_optimizer::{GradientDescent, Schedule};

use crate::classifier::Classifier;

/// The optimizer as Burn's learner takes it.
pub(super) type RunOptimizer<M, B> = OptimizerAdaptor<GradientDescent, M, B>;

/// The schedule, model and optimizer types of every training.
pub(super) type Components<B> =
    LearningComponentsMarker<B, Schedule, Classifier<B>, RunOptimizer<Classifier<B>, B>>;

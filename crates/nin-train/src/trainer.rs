//! The entry point of a training run.

use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::backend::AutodiffBackend;
use burn::train::Interrupter;
use nin_data::DataSet;
use nin_model::Precision;

use crate::environment::Environment;
use crate::events::Observer;
use crate::fine_tuning::StartingWeights;
use crate::plan::Plan;
use crate::ranks::{Communicator, Ranks};
use crate::recipe::Recipe;
use crate::summary::Summary;
use crate::{TrainError, training};

/// The default run folder.
const FOLDER: &str = "run";

/// Trains a recipe on a data set, and writes metrics and checkpoints into a run folder. A run resumes exactly.
///
/// ```
/// use burn::backend::Autodiff;
/// use burn_flex::{Flex, FlexDevice};
/// use nin_data::{DataSet, Locations};
/// use nin_train::Trainer;
/// use nin_train::recipe::RecipeBuilder;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut recipe = RecipeBuilder::named("quickstart")?;
/// recipe.assign("training.epochs=1")?;
/// let data = DataSet::open("fashion-mnist-sample", None, &Locations::default())?.limited(64);
/// let parent = tempfile::tempdir()?;
/// let summary = Trainer::new(recipe.build()?, data)
///     .folder(parent.path().join("run"))
///     .run::<Autodiff<Flex>>(&FlexDevice)?;
/// assert_eq!(summary.epochs, 1);
/// # Ok(())
/// # }
/// ```
pub struct Trainer {
    plan: Plan,
    observer: Box<dyn Observer>,
}

impl Trainer {
    /// Creates a trainer for a new run in the folder `run`, without data loader threads or an observer.
    ///
    /// `data` is used as it is. The caller applies the recipe's limits, held-out images and splits
    /// ([`DataSet::limited_by`], [`DataSet::held_out_by`], `PictureOptions`).
    pub fn new(recipe: Recipe, data: DataSet) -> Self {
        let plan = Plan {
            recipe,
            folder: FOLDER.into(),
            resume: false,
            data,
            workers: 0,
            starting_weights: None,
            environment: Environment::default(),
            interrupter: Interrupter::new(),
            ranks: Ranks::default(),
        };
        Self { plan, observer: Box::new(()) }
    }

    /// Returns the precision of the recipe.
    pub fn precision(&self) -> Precision {
        self.plan.recipe.training.precision
    }

    /// Sets the run's folder. The folder of a new run must be empty or not exist.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.plan.folder = folder.into();
        self
    }

    /// Resumes the run in the folder from its latest checkpoint instead of starting a new one.
    #[must_use]
    pub fn resume(mut self, resume: bool) -> Self {
        self.plan.resume = resume;
        self
    }

    /// Sets the number of data loader threads; 0 loads on the training thread. Results do not depend on it.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.plan.workers = workers;
        self
    }

    /// Starts a new run from these weights. They are the ones that the recipe's `model.weights` names; without that key
    /// they are not used.
    #[must_use]
    pub fn starting_weights(mut self, weights: Option<StartingWeights>) -> Self {
        self.plan.starting_weights = weights;
        self
    }

    /// Sets the content of `environment.json`.
    #[must_use]
    pub fn environment(mut self, environment: Environment) -> Self {
        self.plan.environment = environment;
        self
    }

    /// Sets the interrupter. When it fires, the training saves its state and stops at the next step.
    #[must_use]
    pub fn interrupter(mut self, interrupter: Interrupter) -> Self {
        self.plan.interrupter = interrupter;
        self
    }

    /// Sets the processes that train this run together; without this, the process is alone. Each of them creates a
    /// trainer with the same recipe, data and folder. Rank 0 writes the folder and calls the observer; the others only
    /// compute. The weights are those of one process, bit for bit, on CPUs with the same instruction set.
    #[must_use]
    pub fn communicator(mut self, communicator: Arc<dyn Communicator>) -> Self {
        self.plan.ranks = Ranks::new(communicator);
        self
    }

    /// Sets the observer, which receives every event and every step.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Box::new(observer);
        self
    }

    /// Trains on a device until the recipe's last epoch, an early stop, a collapse or an interruption.
    ///
    /// # Errors
    /// [`TrainError`] if the run cannot start or continue. Checkpoints that are already written stay valid.
    pub fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<Summary, TrainError> {
        training::train::<B>(&self.plan, self.observer, device)
    }
}

//! A recipe: everything that decides what a training computes.
//!
//! Defaults are overridden by a file, the file by single keys of the command line. Every key is
//! known or refused; the resolved recipe is written into the run.

mod builtin;
mod changes;
mod check;
mod class_weights;
mod error;
mod nearest;
mod network;
mod preprocessing;
mod retired;
mod source;

use std::path::Path;

use nin_data::{Augmentation, ColourJitter, Mixing, OnBadPicture, Selection, Shares};
use nin_model::{Architecture, Block, Initialization};
pub use nin_model::{Fit, Precision};
use serde::{Deserialize, Serialize};

pub use builtin::BuiltinRecipe;
pub use class_weights::ClassWeights;
pub use error::RecipeError;
pub use network::NamedNetwork;
pub use preprocessing::{NormalizationKind, PreprocessingRecipe};
pub use source::RecipeBuilder;

/// A whole recipe; the keys are those of its TOML file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// The network and its initial weights.
    pub model: ModelRecipe,
    /// What it is trained on.
    pub data: DataRecipe,
    /// What becomes of images' values.
    pub preprocessing: PreprocessingRecipe,
    /// How training images are changed at random.
    pub augmentation: AugmentationRecipe,
    /// How gradients become steps.
    pub optimizer: OptimizerRecipe,
    /// The learning rate over the steps.
    pub schedule: ScheduleRecipe,
    /// Length, batches and seed.
    pub training: TrainingRecipe,
    /// When the state is saved, and how many states are kept.
    pub checkpoint: CheckpointRecipe,
}

/// `[model]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelRecipe {
    /// A built-in architecture, or, beside `blocks`, the name of that network.
    pub architecture: String,
    /// `pytorch`, `xavier`, `kaiming`, `gaussian-0.05`, `lsuv` or `lsuv-open`.
    pub initialization: String,
    /// Channels of the images; 0 follows the data.
    pub input_channels: usize,
    /// Number of classes; 0 follows the data.
    pub classes: usize,
    /// The blocks of a network that is not built in.
    pub blocks: Vec<Block>,
    /// The checkpoint that a run begins with, a path or `pretrained:NAME`; empty for none.
    pub weights: String,
    /// How many of the first blocks stay as they are.
    pub freeze_blocks: usize,
}

/// `[data]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataRecipe {
    /// The data set's name.
    pub dataset: String,
    /// Side of the square that images are resized to, in pixels; 0 leaves them as they are.
    pub input_size: usize,
    /// How pictures of other proportions are brought to that size: `stretch`, `crop` or `pad`.
    pub fit: Fit,
    /// Takes N images of each part; 0 takes all.
    pub limit: usize,
    /// Keeps N training images from training, and tests on them in place of the test set: for choosing
    /// a recipe without a look at the test set.
    pub held_out: usize,
    /// Which images `limit` and `held_out` take: the `first` and the last ones, or, `stratified`, of
    /// each class its share.
    pub selection: Selection,
    /// The share of a folder of pictures without parts that is kept for validation.
    pub validation: f64,
    /// The share of a folder of pictures without parts that is kept for testing.
    pub test: f64,
    /// Another seed is another split of a folder of pictures.
    pub split_seed: u64,
    /// What becomes of pictures that cannot be decoded: the training is refused (`stop`), or they are
    /// left out and named (`skip`).
    pub on_bad_picture: OnBadPicture,
}

/// `[augmentation]`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentationRecipe {
    /// Whether left and right change places, every other time.
    pub flip: bool,
    /// Moves an image by up to so many pixels along each axis: of the data set's before the resize, of the
    /// input's where pictures have sizes of their own.
    pub shift: usize,
    /// Probability that a rectangle is erased (arXiv:1708.04896).
    pub erase: f64,
    /// Takes a random part of each image, of at least this share of its area and of proportions from 3:4
    /// to 4:3 (torchvision's `RandomResizedCrop`); 0 for the whole image.
    pub crop: f64,
    /// Turns an image by up to so many degrees, either way (torchvision's `RandomRotation`).
    pub rotation: f64,
    /// Multiplies the brightness by up to so much more or less than 1, as the next three keys
    /// torchvision's `ColorJitter`.
    pub brightness: f64,
    /// Likewise the contrast.
    pub contrast: f64,
    /// Likewise the saturation.
    pub saturation: f64,
    /// Turns the hue by up to this share of the colour circle, 0.5 at most.
    pub hue: f64,
    /// Mixes each image of a batch with another, value by value (arXiv:1710.09412): alpha of the ratio's
    /// Beta(alpha, alpha); 0 for none.
    pub mixup: f64,
    /// Pastes a box of another image into each image of a batch (arXiv:1905.04899): alpha likewise.
    pub cutmix: f64,
}

/// `[optimizer]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerRecipe {
    /// Which optimiser.
    pub kind: OptimizerKind,
    /// The base learning rate, which the schedule multiplies.
    pub learning_rate: f64,
    /// SGD's momentum (dampening 0, as PyTorch's default).
    pub momentum: f64,
    /// SGD: added to the gradient, times the weight. `AdamW`: decoupled.
    pub weight_decay: f64,
    /// Whether biases decay as well, as PyTorch's optimisers have it.
    pub decay_biases: bool,
    /// What the rate of the last 1x1 layer is multiplied by; a tenth in the paper's own files.
    pub last_layer_rate: f64,
    /// What the rate of biases is multiplied by, that of the last layer's too; 2 in the paper's files.
    pub bias_rate: f64,
    /// The norm that all gradients together are scaled down to (arXiv:1211.5063); 0 leaves them.
    pub clip_norm: f64,
    /// `AdamW`: decay of the first moment.
    pub beta_1: f64,
    /// `AdamW`: decay of the second moment.
    pub beta_2: f64,
    /// `AdamW`: added to the root of the second moment.
    pub epsilon: f64,
}

/// The optimisers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Stochastic gradient descent.
    Sgd,
    /// Adam with decoupled weight decay (Loshchilov and Hutter, arXiv:1711.05101).
    AdamW,
}

/// `[schedule]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleRecipe {
    /// Which curve follows the warm-up.
    pub kind: ScheduleKind,
    /// Steps over which the rate climbs linearly to its full height.
    pub warmup_steps: usize,
    /// `step`: epochs between two drops.
    pub step_epochs: usize,
    /// `step`: what the rate is multiplied by at each drop.
    pub step_factor: f64,
    /// `cosine`: the share of the full rate that is left at the end.
    pub final_factor: f64,
}

/// The curves of a learning rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleKind {
    /// The same rate throughout.
    Constant,
    /// Multiplied by a factor every few epochs.
    Step,
    /// Half a cosine over the whole training (Loshchilov and Hutter, arXiv:1608.03983, no restart).
    Cosine,
}

/// `[training]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingRecipe {
    /// Arithmetic of the step.
    pub precision: Precision,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images a step.
    pub batch_size: usize,
    /// From which initial weights, order, augmentation and dropout are drawn.
    pub seed: u64,
    /// How much each class counts in the training loss; printed losses are unweighted.
    pub class_weights: ClassWeights,
    /// Share of a target that is spread over all classes (Szegedy et al., arXiv:1512.00567, section 7).
    pub label_smoothing: f64,
    /// Tests and saves an exponential moving average of the weights with this decay a step, the weights
    /// themselves being trained as ever; 0 for none.
    pub ema_decay: f64,
    /// Stops after this many epochs without a better checkpoint; 0 never stops early.
    pub early_stop_epochs: usize,
    /// What becomes of a step whose loss or gradient is no number.
    pub on_non_finite: OnNonFinite,
    /// What becomes of a run that the sentinel gives up.
    pub on_collapse: OnCollapse,
}

/// What becomes of a step whose loss or gradient is no number; the weights are not touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnNonFinite {
    /// The training stops there.
    #[default]
    Stop,
    /// The step is dropped; many in a row stop the training.
    Skip,
}

impl OnNonFinite {
    /// The name in a recipe.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Skip => "skip",
        }
    }
}

/// What becomes of a run that the sentinel gives up: a network that is dead, or one that has been on
/// a plateau at the loss of a guess for two epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnCollapse {
    /// The training goes on, and says so.
    #[default]
    Warn,
    /// The state is saved, and the training ends there.
    Stop,
    /// The run begins again with another seed, drawn from its own; ten attempts at most.
    Restart,
}

impl OnCollapse {
    /// The name in a recipe.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Stop => "stop",
            Self::Restart => "restart",
        }
    }
}

/// `[checkpoint]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckpointRecipe {
    /// Saves every so many steps besides each epoch's end; 0 only then.
    pub every_steps: usize,
    /// How many of the newest checkpoints are kept, besides the best; 0 keeps all.
    pub keep: usize,
    /// Which figure makes a checkpoint the best.
    pub best_by: BestBy,
}

/// The figure that makes a checkpoint the best, and that early stopping waits for. Of equal accuracies
/// the one with the lower loss is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BestBy {
    /// The share of right answers.
    #[default]
    Accuracy,
    /// The mean recall of the classes.
    BalancedAccuracy,
    /// The mean cross-entropy.
    Loss,
}

impl Default for ModelRecipe {
    fn default() -> Self {
        Self {
            architecture: String::new(),
            initialization: Initialization::Xavier.name().to_owned(),
            input_channels: 0,
            classes: 0,
            blocks: Vec::new(),
            weights: String::new(),
            freeze_blocks: 0,
        }
    }
}

impl Default for DataRecipe {
    fn default() -> Self {
        let Shares { validation, test, seed } = Shares::default();
        Self {
            dataset: "fashion-mnist".to_owned(),
            input_size: 224,
            fit: Fit::Stretch,
            limit: 0,
            held_out: 0,
            selection: Selection::First,
            validation,
            test,
            split_seed: seed,
            on_bad_picture: OnBadPicture::Stop,
        }
    }
}

impl DataRecipe {
    /// What is kept from training where a folder of pictures has no parts.
    pub fn shares(&self) -> Shares {
        Shares { validation: self.validation, test: self.test, seed: self.split_seed }
    }
}

impl AugmentationRecipe {
    /// What may happen to a training image.
    pub fn changes(&self) -> Augmentation {
        let Self {
            flip, shift, erase, crop, rotation, brightness, contrast, saturation, hue, ..
        } = *self;
        Augmentation {
            flip,
            shift,
            erase,
            crop: (crop > 0.0).then_some(crop),
            rotation,
            colour: ColourJitter { brightness, contrast, saturation, hue },
        }
    }

    /// How the images of a training batch are mixed.
    pub fn mixing(&self) -> Mixing {
        let Self { mixup, cutmix, .. } = *self;
        Mixing { mixup, cutmix }
    }
}

impl Default for OptimizerRecipe {
    fn default() -> Self {
        Self {
            kind: OptimizerKind::Sgd,
            learning_rate: 0.1,
            momentum: 0.0,
            weight_decay: 0.0,
            decay_biases: true,
            last_layer_rate: 1.0,
            bias_rate: 1.0,
            clip_norm: 0.0,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
        }
    }
}

impl Default for ScheduleRecipe {
    fn default() -> Self {
        Self {
            kind: ScheduleKind::Constant,
            warmup_steps: 0,
            step_epochs: 5,
            step_factor: 0.1,
            final_factor: 0.0,
        }
    }
}

impl Default for TrainingRecipe {
    fn default() -> Self {
        Self {
            precision: Precision::Fp32,
            epochs: 10,
            batch_size: 128,
            seed: 42,
            class_weights: ClassWeights::None,
            label_smoothing: 0.0,
            ema_decay: 0.0,
            early_stop_epochs: 0,
            on_non_finite: OnNonFinite::Stop,
            on_collapse: OnCollapse::Warn,
        }
    }
}

impl Default for CheckpointRecipe {
    fn default() -> Self {
        Self { every_steps: 0, keep: 3, best_by: BestBy::Accuracy }
    }
}

impl Recipe {
    /// The TOML text that reads back as this recipe.
    ///
    /// # Errors
    /// [`RecipeError::Unwritable`] where a number does not fit into TOML's integers.
    pub fn to_toml(&self) -> Result<String, RecipeError> {
        toml::to_string(self).map_err(|error| RecipeError::Unwritable { reason: error.to_string() })
    }

    /// The recipe of a resolved `recipe.toml`.
    ///
    /// # Errors
    /// As [`RecipeBuilder::build`].
    pub fn from_file(path: &Path) -> Result<Self, RecipeError> {
        RecipeBuilder::from_file(path)?.build()
    }

    /// The network for data of this many channels and classes, where the recipe does not say.
    ///
    /// # Errors
    /// [`RecipeError::Model`] where the architecture is unknown or its values are refused.
    pub fn architecture(
        &self,
        data_channels: usize,
        data_classes: usize,
    ) -> Result<Architecture, RecipeError> {
        let follow = |value, data| if value == 0 { data } else { value };
        let channels = follow(self.model.input_channels, data_channels);
        let classes = follow(self.model.classes, data_classes);
        let architecture = match self.model.network()? {
            NamedNetwork::Builtin(builtin) => builtin.architecture(channels, classes)?,
            NamedNetwork::Blocks { name, blocks } => {
                Architecture::new(name, channels, classes, blocks.to_vec())?
            }
        };
        Ok(architecture)
    }

    /// How the initial weights are drawn.
    ///
    /// # Errors
    /// [`RecipeError::Model`] where there is no initialisation of this name.
    pub fn initialization(&self) -> Result<Initialization, RecipeError> {
        Ok(self.model.initialization.parse::<Initialization>()?)
    }
}

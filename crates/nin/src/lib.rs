//! Network in Network (Lin, Chen and Yan, [arXiv:1312.4400](https://arxiv.org/abs/1312.4400)) image classifiers over
//! [Burn](https://burn.dev): one crate that re-exports the others, and the Burn that they are built on.
//!
//! | module | has |
//! | --- | --- |
//! | [`model`] | architectures, shapes, initial weights, the network over any backend |
//! | [`data`] | data sets in IDX and CIFAR files, folders of pictures, augmentation, the data loader |
//! | [`preprocessing`] | how an image becomes a network's input |
//! | [`train`] | recipes, training runs, checkpoints, evaluation, prediction |
//! | [`exchange`] | ONNX, safetensors and PyTorch |
//! | [`kernels`] | the CPU kernels: their instruction set and their threads |
//! | [`random`] | random numbers as a function of seed, purpose and place |
//! | [`burn`] | Burn itself; its backends are [`flex`], `ndarray` and `wgpu`, by features |
//!
//! [`train::guide`] walks through them. A training run, on the embedded sample:
//!
//! ```
//! use nin::burn::backend::Autodiff;
//! use nin::flex::{Flex, FlexDevice};
//! use nin::prelude::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let parent = tempfile::tempdir()?;
//! # let folder = parent.path().join("run");
//! let mut recipe = RecipeBuilder::named("quickstart")?;
//! recipe.assign("training.epochs=1")?;
//! let data = DataSet::open("fashion-mnist-sample", None, &Locations::default())?.limited(64);
//! let summary = Trainer::new(recipe.build()?, data)
//!     .folder(&folder)
//!     .run::<Autodiff<Flex>>(&FlexDevice)?;
//! assert_eq!(summary.epochs, 1);
//!
//! let (metadata, weights) = load_model(&folder)?; // the best checkpoint
//! let predictor = Predictor::<Flex>::new(&metadata, &weights, &FlexDevice)?;
//! # let _ = predictor;
//! # Ok(())
//! # }
//! ```
//!
//! The network alone, as a Burn module:
//!
//! ```
//! use nin::burn::tensor::Tensor;
//! use nin::flex::{Flex, FlexDevice};
//! use nin::prelude::*;
//!
//! # fn main() -> Result<(), ModelError> {
//! let network = NetworkInNetworkConfig::d2l(10).with_seed(42).init::<Flex>(&FlexDevice)?;
//! let logits = network.forward(Tensor::zeros([1, 1, 224, 224], &FlexDevice)); // [batch, classes]
//! assert_eq!(logits.dims(), [1, 10]);
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//! - `flex` (default) and `ndarray`: Burn's CPU backends, as [`flex`] and `ndarray`, with the fused kernels
//! - `wgpu`: Burn's GPU backend, as `wgpu`
//!
//! # Versions
//! A version of nin is built on exactly one version of Burn; use the re-exported [`burn`], or pin the same one.

pub use burn;
#[cfg(feature = "flex")]
pub use burn_flex as flex;
#[cfg(feature = "ndarray")]
pub use burn_ndarray as ndarray;
#[cfg(feature = "wgpu")]
pub use burn_wgpu as wgpu;
pub use nin_data as data;
pub use nin_exchange as exchange;
pub use nin_kernels as kernels;
pub use nin_model as model;
pub use nin_preprocessing as preprocessing;
pub use nin_random as random;
pub use nin_train as train;

/// What most programs need: `use nin::prelude::*`.
pub mod prelude {
    pub use nin_data::{
        Augmentation, BurnLoader, DataError, DataSet, ImageBatch, ImageDataset, Locations,
        OrderedLoader, Part,
    };
    pub use nin_model::{
        Architecture, Builtin, Initialization, ModelError, ModelMetadata, NetworkInNetwork,
        NetworkInNetworkConfig, Weights,
    };
    pub use nin_preprocessing::{Fit, Preprocessing};
    pub use nin_train::recipe::{Recipe, RecipeBuilder};
    pub use nin_train::{
        Classifier, Evaluation, Event, Observer, Predictor, RunHistory, Summary, TrainError,
        Trainer, load_model,
    };
}

/// Compiles the Rust block of the README as a documentation test.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// Compiles and runs the Rust blocks of the library guide.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/library.md")]
struct LibraryGuide;

//! The Network in Network (Lin, Chen and Yan, [arXiv:1312.4400](https://arxiv.org/abs/1312.4400))
//! over any Burn backend.
//!
//! [`NetworkInNetworkConfig`] makes a network with fresh weights, as other Burn modules do:
//!
//! ```
//! use burn::tensor::Tensor;
//! use burn_flex::{Flex, FlexDevice};
//! use nin_model::{Builtin, NetworkInNetworkConfig};
//!
//! # fn main() -> Result<(), nin_model::ModelError> {
//! let config = NetworkInNetworkConfig::builtin(Builtin::PaperMnist, 1, 10).with_seed(42);
//! let network = config.init::<Flex>(&FlexDevice)?;
//! let images = Tensor::zeros([2, 1, 28, 28], &FlexDevice); // [batch, channels, height, width]
//! assert_eq!(network.forward(images).dims(), [2, 10]); // [batch, classes]
//! # Ok(())
//! # }
//! ```
//!
//! An [`Architecture`] is plain data: a table of the paper, or of a recipe. [`Architecture::shapes`] and
//! [`Initialization::weights`] derive the output shape of every layer and the initial weights from it without creating a
//! tensor; [`NetworkInNetwork::from_weights`] takes both.

mod activations;
mod architecture;
mod block_geometry;
mod builtin;
mod calibration;
mod config;
mod convolution;
mod device;
mod dropout;
mod error;
#[cfg(any(feature = "flex", feature = "ndarray"))]
mod fused;
#[cfg(feature = "wgpu")]
mod gpu;
mod hint;
mod host_tensor;
mod inference;
mod initialization;
mod int8;
mod loss;
mod many;
mod memory;
mod metadata;
mod mlpconv;
mod network;
#[cfg(any(feature = "flex", feature = "ndarray", feature = "wgpu", test))]
mod operation;
mod parameters;
mod pooling;
mod precision;
mod preprocessing;
mod quantization;
mod receptive;
mod shapes;
mod trainable;
#[cfg(any(feature = "wgpu", test))]
mod unfolded;
mod update;
mod weights;

pub use architecture::{Architecture, Block, ClassesKeyword, Pool, Width};
pub use builtin::Builtin;
pub use calibration::Calibration;
pub use config::NetworkInNetworkConfig;
pub use device::{check_device, device_failure, report_device_failure};
pub use dropout::DropoutKey;
pub use error::ModelError;
#[cfg(feature = "wgpu")]
pub use gpu::{GpuLayer, GpuPath, gpu_layers, gpu_path, set_gpu_path};
pub use host_tensor::HostTensor;
pub use inference::InferencePlan;
pub use initialization::{Initialization, LayerPart, LayerScale};
pub use loss::fused_cross_entropy;
pub use many::{TensorSums, fused_scaled, fused_sums, has_gpu_kernels};
pub use memory::{BATCH_BYTES, check_confusion_matrix, confusion_matrix};
pub use metadata::{LARGEST_SIDE, ModelMetadata};
pub use mlpconv::MlpConv;
pub use network::NetworkInNetwork;
#[cfg(feature = "wgpu")]
pub use nin_gpu::Cost as GpuCost;
pub use nin_preprocessing::{Fit, Normalization, Preprocessing, Whitening};
pub use parameters::{ParameterVisitor, visit_parameters};
pub use precision::Precision;
pub use receptive::MapGeometry;
pub use shapes::{LayerKind, LayerShape, NetworkShapes};
pub use trainable::check_precision;
pub use update::{AdamWStep, SgdStep, update_together};
pub use weights::Weights;

//! Exports networks to ONNX, and exports and imports weights under PyTorch's names.
//!
//! ```
//! use nin_exchange::{onnx, pytorch};
//! use nin_model::{Builtin, Initialization, ModelMetadata, Precision, Preprocessing};
//!
//! # fn main() -> Result<(), nin_exchange::ExchangeError> {
//! let architecture = Builtin::PaperMnist.architecture(1, 10)?;
//! let weights = Initialization::Xavier.weights(&architecture, 42);
//! let metadata = ModelMetadata {
//!     classes: (0..10).map(|digit| digit.to_string()).collect(),
//!     dataset: "mnist".to_owned(),
//!     preprocessing: Preprocessing::resized([28, 28]),
//!     precision: Precision::Fp32,
//!     architecture,
//! };
//! let model = onnx::encode(&metadata, &weights)?;
//! assert!(model.len() > 349_674 * 4); // the parameters, the graph and the metadata
//!
//! let named = pytorch::from_ours(&metadata.architecture, &weights)?;
//! assert!(named.get("0.0.weight").is_some()); // the first convolution in an nn.Sequential
//! assert_eq!(pytorch::to_ours(&metadata.architecture, &named)?, weights);
//! # Ok(())
//! # }
//! ```

mod error;
pub mod onnx;
pub mod pytorch;

pub use error::ExchangeError;

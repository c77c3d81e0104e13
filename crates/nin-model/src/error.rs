//! The errors of this crate.

use thiserror::Error;

/// An error of this crate.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A value of an architecture is out of its range.
    #[error("{place}: {what} is `{found}`, expected {expected}")]
    Architecture {
        /// The section: `model`, or `block 2`, counted from one.
        place: String,
        /// The key in a recipe.
        what: &'static str,
        /// The valid values.
        expected: String,
        /// The value.
        found: String,
    },
    /// No built-in architecture has this name.
    #[error("unknown architecture `{name}`")]
    UnknownArchitecture {
        /// The name.
        name: String,
    },
    /// No initialization has this name.
    #[error("unknown initialization `{name}`")]
    UnknownInitialization {
        /// The name.
        name: String,
    },
    /// The input is too small for a layer.
    #[error(
        "input {}x{}x{} is too small: nothing is left for {layer}",
        input[0], input[1], input[2]
    )]
    InputTooSmall {
        /// The first layer without output.
        layer: String,
        /// The size of the input, `[channels, height, width]`.
        input: [usize; 3],
        /// The side of the smallest square input that works, if there is one.
        smallest: Option<usize>,
    },
    /// The input has the wrong number of channels.
    #[error("input has {found} channels, the network expects {expected}")]
    InputChannels {
        /// The input channels of the network.
        expected: usize,
        /// The channels of the input.
        found: usize,
    },
    /// The network on this input is too large to count or to store.
    #[error("{layer} is too large: {what} overflow")]
    TooLarge {
        /// The layer.
        layer: String,
        /// The count that overflows: `activations`, `parameters` or `multiply-accumulates`.
        what: &'static str,
    },
    /// One image takes more memory in the network than a batch may.
    #[error(
        "an image of {}x{}x{} takes {} in the network, a batch may take {}",
        input[0], input[1], input[2], gibibytes(*bytes), gibibytes(*limit)
    )]
    Memory {
        /// The size of the image, `[channels, height, width]`.
        input: [usize; 3],
        /// An upper bound of its memory, in bytes.
        bytes: u64,
        /// The largest memory of a batch, in bytes.
        limit: u64,
    },
    /// There are too many classes for a confusion matrix.
    #[error(
        "a confusion matrix of {classes} classes takes {}, the limit is {}",
        gibibytes(*bytes), gibibytes(*limit)
    )]
    ConfusionMatrix {
        /// The number of classes.
        classes: usize,
        /// The memory of the matrix, in bytes.
        bytes: u64,
        /// The largest memory of a matrix, in bytes.
        limit: u64,
    },
    /// The weights lack a tensor of the architecture.
    #[error("tensor `{name}` is missing")]
    MissingTensor {
        /// The name of the tensor.
        name: String,
    },
    /// A backward pass gave no gradient for a trained parameter.
    #[error("the backward pass gave no gradient for `{name}`")]
    MissingGradient {
        /// The name of the parameter.
        name: String,
    },
    /// The weights have a tensor that belongs to no layer.
    #[error("tensor `{name}` belongs to no layer of the architecture `{architecture}`")]
    ExtraTensor {
        /// The name of the tensor.
        name: String,
        /// The name of the architecture.
        architecture: String,
    },
    /// A tensor has the wrong shape for the architecture.
    #[error("tensor `{name}` has shape {found:?}, expected {expected:?}")]
    TensorShape {
        /// The name of the tensor.
        name: String,
        /// The shape in the architecture.
        expected: Vec<usize>,
        /// The shape in the weights.
        found: Vec<usize>,
    },
    /// A tensor does not hold floats of 32 or 16 bits.
    #[error("tensor `{name}` holds {found}, expected F32, BF16 or F16")]
    TensorType {
        /// The name of the tensor.
        name: String,
        /// The type in the weights.
        found: String,
    },
    /// A weight is NaN or infinite.
    #[error("tensor `{name}` holds {value} at position {position}, expected finite numbers")]
    NonFinite {
        /// The name of the tensor.
        name: String,
        /// The first such position, in row-major order.
        position: usize,
        /// `NaN`, `inf` or `-inf`.
        value: String,
    },
    /// A scale of a quantized layer is not a positive number.
    #[error("tensor `{name}` holds {value} at position {position}, expected positive numbers")]
    Scale {
        /// The name of the tensor.
        name: String,
        /// The first such position.
        position: usize,
        /// The value.
        value: String,
    },
    /// The network answers images with values that are not finite.
    #[error("the network answers {found} of {images} images with NaN or infinity")]
    NonFiniteAnswers {
        /// The number of images with such answers.
        found: usize,
        /// The number of all images.
        images: usize,
    },
    /// A tensor cannot be read from the device.
    #[error("tensor `{name}` cannot be read from the device: {reason}")]
    Device {
        /// The name of the tensor.
        name: String,
        /// The message of the backend.
        reason: String,
    },
    /// The device failed: out of memory, lost, or unable to run a kernel. Nothing that it computed since is of use.
    #[error("the device failed: {reason}")]
    DeviceFailed {
        /// The message of the backend.
        reason: String,
    },
    /// The device cannot train in 16-bit floats.
    #[error("`training.precision` is `f16`, which needs {missing}")]
    NoF16 {
        /// What it lacks.
        missing: &'static str,
    },
    /// The CPU kernels reject an instruction set, sizes or threads.
    #[error("the CPU kernels cannot run: {source}")]
    Kernel {
        /// The error of the kernels.
        #[from]
        source: nin_kernels::Error,
    },
    /// The bytes are not a safetensors file.
    #[error("not a safetensors file: expected {expected}, found {found}")]
    NotSafetensors {
        /// What a safetensors file has there.
        expected: String,
        /// What these bytes have there.
        found: String,
    },
    /// The bytes are a file of `torch.save`.
    #[error("a PyTorch pickle, expected a safetensors file")]
    Pickle,
    /// The bytes are an ONNX model.
    #[error("an ONNX model, expected a safetensors file")]
    Onnx,
    /// The metadata of the file are invalid.
    #[error("metadata `{key}` of the weights is unusable: {reason}")]
    Metadata {
        /// The key of the safetensors metadata.
        key: &'static str,
        /// What is wrong with them.
        reason: String,
    },
}

fn gibibytes(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

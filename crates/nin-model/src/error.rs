//! What can be wrong with an architecture, an input or a set of weights.

use thiserror::Error;

/// An error of this crate.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A value of an architecture is out of its range.
    #[error("{place}: {what} is `{found}`, expected {expected}")]
    Architecture {
        /// Where it stands: `model`, or `block 2` counted from one.
        place: String,
        /// The key, as a recipe spells it.
        what: &'static str,
        /// What the key may be.
        expected: String,
        /// What it was.
        found: String,
    },
    /// No built-in architecture has this name.
    #[error("unknown architecture `{name}`")]
    UnknownArchitecture {
        /// The name asked for.
        name: String,
    },
    /// No initialisation has this name.
    #[error("unknown initialization `{name}`")]
    UnknownInitialization {
        /// The name asked for.
        name: String,
    },
    /// The input has shrunk to nothing before the last layer.
    #[error(
        "input {}x{}x{} is too small: nothing is left for {layer}",
        input[0], input[1], input[2]
    )]
    InputTooSmall {
        /// The first layer that has no output left.
        layer: String,
        /// `[channels, height, width]` of the input.
        input: [usize; 3],
        /// The side of the smallest square input that works, where one was found.
        smallest: Option<usize>,
    },
    /// The input has other channels than the network.
    #[error("input has {found} channels, the network expects {expected}")]
    InputChannels {
        /// The network's input channels.
        expected: usize,
        /// The input's.
        found: usize,
    },
    /// The network on this input has more elements than can be counted or stored.
    #[error("{layer} is too large: {what} overflow")]
    TooLarge {
        /// The layer.
        layer: String,
        /// What was counted: `activations`, `parameters` or `multiply-accumulates`.
        what: &'static str,
    },
    /// One image takes more memory on its way through the network than a batch may.
    #[error(
        "an image of {}x{}x{} takes {} in the network, a batch may take {}",
        input[0], input[1], input[2], gibibytes(*bytes), gibibytes(*limit)
    )]
    Memory {
        /// `[channels, height, width]` of the image.
        input: [usize; 3],
        /// What it takes, in bytes, estimated from above.
        bytes: u64,
        /// What a batch may take, in bytes.
        limit: u64,
    },
    /// There are too many classes to count each answer for each label.
    #[error(
        "a confusion matrix of {classes} classes takes {}, at most {} are taken",
        gibibytes(*bytes), gibibytes(*limit)
    )]
    ConfusionMatrix {
        /// The number of classes.
        classes: usize,
        /// What the matrix takes, in bytes.
        bytes: u64,
        /// What it may take, in bytes.
        limit: u64,
    },
    /// A tensor that the architecture has is not among the weights.
    #[error("tensor `{name}` is missing")]
    MissingTensor {
        /// Its name.
        name: String,
    },
    /// A tensor among the weights belongs to no layer.
    #[error("tensor `{name}` belongs to no layer of the architecture `{architecture}`")]
    ExtraTensor {
        /// Its name.
        name: String,
        /// The architecture's name.
        architecture: String,
    },
    /// A tensor has another shape than the architecture asks for.
    #[error("tensor `{name}` has shape {found:?}, expected {expected:?}")]
    TensorShape {
        /// Its name.
        name: String,
        /// The architecture's shape.
        expected: Vec<usize>,
        /// The shape found.
        found: Vec<usize>,
    },
    /// A tensor holds another type than floats of 32 or 16 bits.
    #[error("tensor `{name}` holds {found}, expected F32, BF16 or F16")]
    TensorType {
        /// Its name.
        name: String,
        /// The type found.
        found: String,
    },
    /// A weight is NaN or infinite.
    #[error("tensor `{name}` holds {value} at position {position}, expected finite numbers")]
    NonFinite {
        /// The tensor's name.
        name: String,
        /// The first such position, in row-major order.
        position: usize,
        /// `NaN`, `inf` or `-inf`.
        value: String,
    },
    /// The network answers images with values that are no finite numbers.
    #[error("the network answers {found} of {images} images with NaN or infinity")]
    NonFiniteAnswers {
        /// Images with such answers.
        found: usize,
        /// All images that it answered.
        images: usize,
    },
    /// The device did not give a tensor back.
    #[error("tensor `{name}` cannot be read from the device: {reason}")]
    Device {
        /// The tensor's name.
        name: String,
        /// What the backend said.
        reason: String,
    },
    /// The CPU kernels refuse what they were asked to compute.
    #[error("the CPU kernels refuse this: {source}")]
    Kernel {
        /// Why.
        #[from]
        source: nin_kernels::Error,
    },
    /// The bytes are not a safetensors file.
    #[error("not a safetensors file: expected {expected}, found {found}")]
    NotSafetensors {
        /// What such a file has there.
        expected: String,
        /// What these bytes have.
        found: String,
    },
    /// The bytes are what `torch.save` writes.
    #[error("a PyTorch pickle, expected a safetensors file")]
    Pickle,
    /// The bytes are an ONNX model.
    #[error("an ONNX model, expected a safetensors file")]
    Onnx,
    /// The file's metadata is not what this program writes.
    #[error("metadata `{key}` of the weights is unusable: {reason}")]
    Metadata {
        /// The key of the safetensors metadata.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl ModelError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Architecture { .. } => {
                "`nin-cli shapes --config NAME` shows a built-in architecture in full".to_owned()
            }
            Self::UnknownArchitecture { .. } => {
                format!("built-in architectures: {}", crate::Builtin::names().join(", "))
            }
            Self::UnknownInitialization { .. } => {
                format!("initializations: {}", crate::Initialization::names().join(", "))
            }
            Self::InputTooSmall { smallest: Some(side), .. } => {
                format!("the smallest square input that works is {side}x{side}")
            }
            Self::InputTooSmall { smallest: None, .. } => {
                "give larger images, or smaller kernels and strides".to_owned()
            }
            Self::InputChannels { .. } => {
                "use images of as many channels, or an architecture made for these".to_owned()
            }
            Self::TooLarge { .. } => "give smaller widths or a smaller input".to_owned(),
            Self::Memory { .. } => "take a checkpoint of smaller images".to_owned(),
            Self::ConfusionMatrix { .. } => "take a checkpoint of fewer classes".to_owned(),
            Self::MissingTensor { .. } | Self::ExtraTensor { .. } | Self::TensorShape { .. } => {
                "the weights are of another architecture".to_owned()
            }
            Self::TensorType { .. } => {
                "save it in 32-bit floats: net.float() in PyTorch".to_owned()
            }
            Self::NonFinite { .. } => {
                "the training that wrote it had diverged: take an earlier checkpoint".to_owned()
            }
            Self::NonFiniteAnswers { .. } => {
                "its weights or its preprocessing overflow: take another checkpoint".to_owned()
            }
            Self::Kernel { .. } => {
                "set NIN_CPU=portable, or take another initialization or architecture".to_owned()
            }
            Self::Device { .. } => "try another backend".to_owned(),
            Self::NotSafetensors { .. } => {
                "name a run folder, a checkpoint folder or a model.safetensors file".to_owned()
            }
            Self::Pickle => "save it in PyTorch as safetensors: \
                             safetensors.torch.save_file(net.state_dict(), \"net.safetensors\")"
                .to_owned(),
            Self::Onnx => {
                "ONNX files are written and not read: name the checkpoint that it was exported \
                           from"
                    .to_owned()
            }
            Self::Metadata { .. } => {
                "a file of other software has no `nin` metadata: bring it in with its architecture"
                    .to_owned()
            }
        }
    }
}

fn gibibytes(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

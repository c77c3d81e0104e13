//! What to do about each error.

use crate::{Builtin, Initialization, ModelError};

impl ModelError {
    /// Returns what to do about the error.
    pub fn hint(&self) -> String {
        match self {
            Self::Architecture { .. } => {
                "`nin-cli shapes --config NAME` shows a built-in architecture in full".to_owned()
            }
            Self::UnknownArchitecture { .. } => {
                format!("built-in architectures: {}", Builtin::names().join(", "))
            }
            Self::UnknownInitialization { .. } => {
                format!("initializations: {}", Initialization::names().join(", "))
            }
            Self::InputTooSmall { smallest: Some(side), .. } => {
                format!("the smallest square input that works is {side}x{side}")
            }
            Self::InputTooSmall { smallest: None, .. } => {
                "use larger images, or smaller kernels and strides".to_owned()
            }
            Self::InputChannels { .. } => {
                "use images with that many channels, or an architecture for these".to_owned()
            }
            Self::TooLarge { .. } => "use smaller widths or a smaller input".to_owned(),
            Self::Memory { .. } => "use a checkpoint for smaller images".to_owned(),
            Self::ConfusionMatrix { .. } => "use a checkpoint with fewer classes".to_owned(),
            Self::MissingTensor { .. } | Self::ExtraTensor { .. } | Self::TensorShape { .. } => {
                "the weights are of another architecture".to_owned()
            }
            Self::MissingGradient { .. } => {
                "this is a bug of nin: please report it".to_owned()
            }
            Self::TensorType { .. } => {
                "save it as 32-bit floats: net.float() in PyTorch".to_owned()
            }
            Self::NonFinite { .. } => {
                "training diverged before this checkpoint: use an earlier one".to_owned()
            }
            Self::Scale { .. } => "make it again from its checkpoint: nin-cli quantize".to_owned(),
            Self::NonFiniteAnswers { .. } => {
                "its weights or its preprocessing overflow: use another checkpoint".to_owned()
            }
            Self::Kernel { source: nin_kernels::Error::Threads { .. } } => {
                "use fewer threads".to_owned()
            }
            Self::Kernel { .. } => "use another initialization or architecture".to_owned(),
            Self::Device { .. } => "try another backend".to_owned(),
            Self::NoF16 { .. } => {
                "use `training.precision = \"fp32\"`, or `\"bf16\"` on a CPU. A run keeps its precision: resume it where \
                 there is f16, or start another one from its weights"
                    .to_owned()
            }
            Self::DeviceFailed { reason } => hint_of_failure(reason).to_owned(),
            Self::NotSafetensors { .. } => {
                "name a run folder, a checkpoint folder or a model.safetensors file".to_owned()
            }
            Self::Pickle => "save it in PyTorch as safetensors: \
                             safetensors.torch.save_file(net.state_dict(), \"net.safetensors\")"
                .to_owned(),
            Self::Onnx => {
                "ONNX models can only be exported: name the checkpoint that this one was exported \
                           from"
                    .to_owned()
            }
            Self::Metadata { .. } => {
                "files of other software have no `nin` metadata: import them with `nin-cli import`"
                    .to_owned()
            }
        }
    }
}

/// Returns what to do about a failure of a device, by what its message mentions.
fn hint_of_failure(reason: &str) -> &'static str {
    let reason = reason.to_lowercase();
    let mentions = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if mentions(&["allocate", "out of memory", "outofmemory"]) {
        "the device has too little memory for this batch: use a smaller `training.batch_size`, or compute on the CPU"
    } else if mentions(&["shared memory", "unit count", "cube dim"]) {
        "the device cannot run a kernel of this size: choose another device, or compute on the CPU"
    } else {
        "update the driver of the device, choose another device, or compute on the CPU; the last checkpoint of a run is \
         not affected"
    }
}

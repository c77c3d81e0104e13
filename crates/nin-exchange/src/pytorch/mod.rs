//! Converts weights to and from PyTorch's names, and generates a PyTorch module that loads them.
//!
//! The names are those of the book's `nn.Sequential` (d2l.ai, section 8.3). Blocks, pools and dropouts are
//! numbered together. The three convolutions of a block are at 0, 2 and 4, each followed by a ReLU:
//! `0.0.weight`, `0.0.bias`, `0.2.weight` and so on. The book's second block is `2`, its last `7`.

mod module;

use std::collections::BTreeMap;

use nin_model::{Architecture, ModelError, Weights};

use crate::ExchangeError;
use crate::error::refuse_int8;

pub use module::{GENERATED, loaded_by, module};

/// Prefixes that a wrapper adds to every name: the attribute `net` in later editions of the book,
/// `DataParallel` and `DistributedDataParallel`, and `torch.compile`.
const WRAPPERS: [&str; 3] = ["net.", "module.", "_orig_mod."];

/// Returns the pair of our name and PyTorch's name for each tensor, from the first layer to the last.
pub fn names(architecture: &Architecture) -> Vec<(String, String)> {
    let mut names = Vec::new();
    let mut place = 0;
    for (index, block) in architecture.blocks().iter().enumerate() {
        for (layer, position) in [("convolution", 0), ("cccp1", 2), ("cccp2", 4)] {
            for kind in ["weight", "bias"] {
                names.push((
                    format!("blocks.{index}.{layer}.{kind}"),
                    format!("{place}.{position}.{kind}"),
                ));
            }
        }
        place += 1 + usize::from(block.pool.is_some()) + usize::from(block.dropout > 0.0);
    }
    names
}

/// Renames weights from our names to PyTorch's.
///
/// # Errors
/// Returns [`ExchangeError::Model`] if the weights do not match the architecture, and [`ExchangeError::Int8`] for int8 weights.
pub fn from_ours(architecture: &Architecture, weights: &Weights) -> Result<Weights, ExchangeError> {
    refuse_int8(weights)?;
    weights.check(architecture)?;
    let tensors = names(architecture).into_iter().filter_map(|(ours, theirs)| {
        let tensor = weights.get(&ours)?;
        Some((theirs, tensor.clone()))
    });
    Ok(tensors.collect())
}

/// Renames weights to our names, from PyTorch's names or from ours. Strips the prefixes that
/// `torch.compile`, `DataParallel` and the book add to every name.
///
/// # Errors
/// Returns [`ExchangeError::Model`] if a tensor is missing, unexpected, of another shape or not finite. The
/// error has the name of the tensor in the file. Returns [`ExchangeError::Int8`] for int8 weights.
pub fn to_ours(architecture: &Architecture, weights: &Weights) -> Result<Weights, ExchangeError> {
    refuse_int8(weights)?;
    let prefix = prefix(weights);
    let plain = |name: &str| name.get(prefix.len()..).unwrap_or_default().to_owned();
    let are_ours = weights.iter().any(|(name, _)| plain(name).starts_with("blocks."));
    let shapes: BTreeMap<_, _> = architecture.parameter_shapes().into_iter().collect();
    let mut unused: BTreeMap<_, _> = weights.iter().collect();
    let mut renamed = Weights::new();
    for (ours, theirs) in names(architecture) {
        let theirs = format!("{prefix}{}", if are_ours { &ours } else { &theirs });
        let Some(tensor) = unused.remove(theirs.as_str()) else {
            return Err(ModelError::MissingTensor { name: theirs }.into());
        };
        let expected = shapes.get(&ours).cloned().unwrap_or_default();
        if tensor.shape != expected {
            let found = tensor.shape.clone();
            return Err(ModelError::TensorShape { name: theirs, expected, found }.into());
        }
        if let Some(position) = tensor.values.iter().position(|value| !value.is_finite()) {
            let value = tensor.values[position].to_string();
            return Err(ModelError::NonFinite { name: theirs, position, value }.into());
        }
        renamed.insert(ours, tensor.clone());
    }
    if let Some(extra) = unused.keys().next() {
        return Err(ModelError::ExtraTensor {
            name: (*extra).to_owned(),
            architecture: architecture.name().to_owned(),
        }
        .into());
    }
    renamed.check(architecture)?;
    Ok(renamed)
}

/// Returns the prefix that all names share, which may combine several wrappers.
fn prefix(weights: &Weights) -> String {
    let mut prefix = String::new();
    while let Some(wrapper) = WRAPPERS.into_iter().find(|wrapper| {
        let begins =
            |name: &str| name.get(prefix.len()..).is_some_and(|rest| rest.starts_with(wrapper));
        !weights.is_empty() && weights.iter().all(|(name, _)| begins(name))
    }) {
        prefix.push_str(wrapper);
    }
    prefix
}

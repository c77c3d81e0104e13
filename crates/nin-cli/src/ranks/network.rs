//! What processes that evaluate a network must have in common.

use nin_data::sha256;
use nin_model::{ModelMetadata, Weights};

use crate::backend::cpu_features;

/// Returns names and values of what the answers of a network depend on.
///
/// # Errors
/// Weights that cannot be written.
pub fn network_fingerprint(
    metadata: &ModelMetadata,
    weights: &Weights,
) -> anyhow::Result<Vec<(String, String)>> {
    let network = weights.to_safetensors("metadata", &serde_json::to_string(metadata)?)?;
    Ok(vec![
        ("the program's version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("the CPU's features".to_owned(), cpu_features().join(" ")),
        ("the SHA-256 of the network".to_owned(), sha256(&network)),
    ])
}

//! What the page shows of a network.

use nin_model::ModelMetadata;
use nin_prediction::Threshold;
use serde_json::{Value, json};

use super::Gallery;

/// Where the network of a page runs.
pub struct Place<'a> {
    /// The name of the backend.
    pub backend: &'a str,
    /// The device in words.
    pub device: &'a str,
}

/// Returns the description, as a JSON object.
pub fn description(
    metadata: &ModelMetadata,
    gallery: &Gallery,
    threshold: Option<Threshold>,
    place: &Place<'_>,
) -> Value {
    let parameters =
        metadata.architecture.shapes(metadata.input()).map_or(0, |shapes| shapes.parameters());
    json!({
        "architecture": metadata.architecture.name(),
        "parameters": parameters,
        "dataset": metadata.dataset,
        "classes": metadata.classes,
        "input": metadata.input(),
        "backend": place.backend,
        "device": place.device,
        "version": env!("CARGO_PKG_VERSION"),
        "threshold": threshold.map(Threshold::probability),
        "fit": metadata.preprocessing.fit,
        "gallery": gallery.labels(),
    })
}

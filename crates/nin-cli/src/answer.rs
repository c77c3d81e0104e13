//! The answer for one picture, and its JSON: what `predict` prints and `serve` sends.

use nin_model::ModelMetadata;
use serde_json::{Value, json};

use crate::prediction::Prediction;

/// A picture's name for one that came without a file.
pub const NO_FILE: &str = "-";

/// A picture that was answered.
pub struct Answer {
    /// The path as it was given; [`NO_FILE`] where there was none.
    pub name: String,
    /// `[height, width]` that it came with, upright.
    pub size: [usize; 2],
    /// Whether light and dark have changed places.
    pub inverted: bool,
    /// What the network said.
    pub prediction: Prediction,
}

impl Answer {
    /// One entry of `images`: so many of the likeliest classes, each with its map.
    pub fn as_json(&self, metadata: &ModelMetadata, top: usize) -> Value {
        let Self { name, size, inverted, prediction } = self;
        let geometry = metadata.architecture.map_geometry();
        let top = prediction.top(top);
        let entry = |&class: &usize| {
            json!({
                "class": metadata.classes[class],
                "probability": prediction.probabilities[class],
                "logit": prediction.logits[class],
            })
        };
        let map = |&class: &usize| json!({ "class": metadata.classes[class], "values": prediction.map(class) });
        json!({
            "path": name,
            "size": size,
            "inverted": inverted,
            "top": top.iter().map(entry).collect::<Vec<_>>(),
            "maps": top.iter().map(map).collect::<Vec<_>>(),
            "map_geometry": {
                "first": geometry.first,
                "step": geometry.step,
                "field": geometry.field,
            },
        })
    }
}

/// The whole object: pictures that were answered, and those that were not.
pub fn answers(images: &[Value], refused: &[Value]) -> Value {
    json!({ "images": images, "refused": refused })
}

//! The answer for one picture, and its JSON, which `predict` prints, `serve` sends and web pages show.

use nin_model::ModelMetadata;
use serde_json::{Value, json};

use crate::Prediction;

/// The name of a picture that has no file.
pub const NO_FILE: &str = "-";
/// The class of a picture whose most probable class is below the threshold.
pub const UNKNOWN: &str = "unknown";

/// The lowest probability at which a class is the answer, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold(f64);

impl Threshold {
    /// Returns a threshold, or `None` for a number outside 0 to 1.
    pub fn new(probability: f64) -> Option<Self> {
        (0.0..=1.0).contains(&probability).then_some(Self(probability))
    }

    /// Returns the probability.
    pub fn probability(self) -> f64 {
        self.0
    }
}

/// A classified picture.
pub struct Answer {
    /// The path as given, or [`NO_FILE`].
    pub name: String,
    /// The original `[height, width]`, upright.
    pub size: [usize; 2],
    /// Whether light and dark were inverted.
    pub inverted: bool,
    /// The network's prediction.
    pub prediction: Prediction,
}

impl Answer {
    /// Returns the most probable class, unless its probability is below the threshold.
    pub fn class(&self, threshold: Option<Threshold>) -> Option<usize> {
        let class = self.prediction.top(1).first().copied()?;
        let least = threshold.map_or(0.0, Threshold::probability);
        (self.prediction.probabilities[class] >= least).then_some(class)
    }

    /// Returns the name of that class, or [`UNKNOWN`].
    pub fn class_name<'a>(&self, classes: &'a [String], threshold: Option<Threshold>) -> &'a str {
        self.class(threshold).map_or(UNKNOWN, |class| &classes[class])
    }

    /// Returns an entry of `images`: the `top` most probable classes, each with its map.
    pub fn as_json(
        &self,
        metadata: &ModelMetadata,
        top: usize,
        threshold: Option<Threshold>,
    ) -> Value {
        let Self { name, size, inverted, prediction } = self;
        let geometry = metadata.architecture.map_geometry();
        let map = |class: usize| json!({ "class": metadata.classes[class], "values": prediction.map(class) });
        json!({
            "path": name,
            "size": size,
            "inverted": inverted,
            "class": self.class_name(&metadata.classes, threshold),
            "top": self.top_as_json(&metadata.classes, top),
            "maps": prediction.top(top).into_iter().map(map).collect::<Vec<_>>(),
            "map_geometry": {
                "first": geometry.first,
                "step": geometry.step,
                "field": geometry.field,
            },
        })
    }

    /// Returns the same without maps, as a line of `jsonl`.
    pub fn as_json_line(
        &self,
        classes: &[String],
        top: usize,
        threshold: Option<Threshold>,
    ) -> Value {
        json!({
            "path": self.name,
            "size": self.size,
            "inverted": self.inverted,
            "class": self.class_name(classes, threshold),
            "top": self.top_as_json(classes, top),
        })
    }

    fn top_as_json(&self, classes: &[String], top: usize) -> Vec<Value> {
        let entry = |class: usize| {
            json!({
                "class": classes[class],
                "probability": self.prediction.probabilities[class],
                "logit": self.prediction.logits[class],
            })
        };
        self.prediction.top(top).into_iter().map(entry).collect()
    }
}

/// Returns the whole object: classified pictures, and refused ones.
pub fn answers(images: &[Value], refused: &[Value]) -> Value {
    json!({ "images": images, "refused": refused })
}

//! The answer for one picture, and its JSON: what `predict` prints and `serve` sends.

use nin_model::ModelMetadata;
use nin_train::Prediction;
use serde_json::{Value, json};

use crate::error::CommandError;

/// A picture's name for one that came without a file.
pub const NO_FILE: &str = "-";
/// The class of a picture whose likeliest class is below the threshold.
pub const UNKNOWN: &str = "unknown";

/// The least probability with which a class is the answer: a number from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold(f64);

impl Threshold {
    /// `None` for a number outside 0 to 1.
    pub fn new(probability: f64) -> Option<Self> {
        (0.0..=1.0).contains(&probability).then_some(Self(probability))
    }

    /// The same with an error that says what to give.
    pub fn checked(probability: f64) -> anyhow::Result<Self> {
        Self::new(probability).ok_or_else(|| {
            CommandError::new(
                format!("a threshold of {probability} is no probability"),
                "give a number from 0 to 1, such as --threshold 0.8",
            )
            .into()
        })
    }

    /// The probability.
    pub fn probability(self) -> f64 {
        self.0
    }
}

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
    /// The likeliest class, unless it is less likely than the threshold.
    pub fn class(&self, threshold: Option<Threshold>) -> Option<usize> {
        let class = self.prediction.top(1).first().copied()?;
        let least = threshold.map_or(0.0, Threshold::probability);
        (self.prediction.probabilities[class] >= least).then_some(class)
    }

    /// The same as a name: [`UNKNOWN`] below the threshold.
    pub fn class_name<'a>(&self, classes: &'a [String], threshold: Option<Threshold>) -> &'a str {
        self.class(threshold).map_or(UNKNOWN, |class| &classes[class])
    }

    /// One entry of `images`: so many of the likeliest classes, each with its map.
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

    /// The same without maps: a line of `jsonl`.
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

/// The whole object: pictures that were answered, and those that were not.
pub fn answers(images: &[Value], refused: &[Value]) -> Value {
    json!({ "images": images, "refused": refused })
}

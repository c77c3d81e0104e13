//! `training.class_weights`: the weight of each class in the training loss.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const NONE: &str = "none";
const BALANCED: &str = "balanced";

/// The weight of each class in the training loss.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ClassWeights {
    /// Equal weights.
    #[default]
    None,
    /// Inversely proportional to the number of training images: images / (classes × images of the class).
    Balanced,
    /// One weight per class, in class order.
    List(Vec<f64>),
}

impl Serialize for ClassWeights {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_str(NONE),
            Self::Balanced => serializer.serialize_str(BALANCED),
            Self::List(weights) => weights.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ClassWeights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NameOrList)
    }
}

struct NameOrList;

impl<'de> Visitor<'de> for NameOrList {
    type Value = ClassWeights;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("\"none\", \"balanced\" or a list of numbers")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<ClassWeights, E> {
        match name {
            NONE => Ok(ClassWeights::None),
            BALANCED => Ok(ClassWeights::Balanced),
            other => Err(E::unknown_variant(other, &[NONE, BALANCED])),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ClassWeights, A::Error> {
        let mut weights = Vec::new();
        while let Some(weight) = list.next_element()? {
            weights.push(weight);
        }
        Ok(ClassWeights::List(weights))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Recipe, RecipeBuilder, RecipeError};
    use super::*;

    fn parse(value: &str) -> Result<Recipe, RecipeError> {
        let mut builder = RecipeBuilder::from_text("test", "test", "")?;
        builder.assign(&format!("training.class_weights={value}"))?;
        builder.build()
    }

    #[test]
    fn names_and_lists_read_back_as_they_were_written() {
        for (text, expected) in [
            ("none", ClassWeights::None),
            ("\"balanced\"", ClassWeights::Balanced),
            ("[1, 0, 2.5]", ClassWeights::List(vec![1.0, 0.0, 2.5])),
        ] {
            let recipe = parse(text).unwrap();
            assert_eq!(recipe.training.class_weights, expected);
            let again = RecipeBuilder::from_text("again", "again", &recipe.to_toml().unwrap());
            assert_eq!(again.unwrap().build().unwrap(), recipe);
        }
    }

    #[test]
    fn weights_that_weigh_nothing_are_refused() {
        for (text, expected) in [
            ("[]", "expected numbers of 0 or more, one of them above 0"),
            ("[0, 0]", "expected numbers of 0 or more, one of them above 0"),
            ("[1, -1]", "expected numbers of 0 or more, one of them above 0"),
            ("[1, nan]", "expected numbers of 0 or more, one of them above 0"),
            ("[1, inf]", "expected numbers of 0 or more, one of them above 0"),
            ("[1, 1e39]", "expected numbers of 0 or more, one of them above 0"),
            ("[1, \"two\"]", "expected a number"),
            ("3", "expected a string or an array"),
            ("heavy", "expected `none` or `balanced`"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}

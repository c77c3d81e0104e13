//! Checks the values of a recipe.

use std::fmt::Display;

use nin_model::Builtin;
use nin_optimizer::OptimizerKind;
use toml::{Table, Value};

use super::class_weights::ClassWeights;
use super::document::Recipe;
use super::error::RecipeError;
use super::model::NetworkRecipe;

/// The allowed range of a number.
#[derive(Clone, Copy)]
enum Bound {
    /// A whole number, with both ends included.
    Whole { least: i64, most: i64 },
    /// Above 0 and finite.
    Positive,
    /// At least 0 and less than 1.
    Share,
    /// A number, with both ends included.
    Within(f64, f64),
}

/// Largest number of micro-batches, that of images in a batch.
const MOST_MICRO_BATCHES: usize = 65_536;

/// The bounds of all numbers that have tighter ones than their type.
const BOUNDS: [(&str, Bound); 32] = {
    use Bound::{Positive, Share, Whole, Within};
    const SIDE: i64 = nin_model::LARGEST_SIDE as i64;
    [
        ("data.input_size", Whole { least: 0, most: SIDE }),
        // With both at their maximum, 10 % is left to train on.
        ("data.validation", Within(0.0, 0.45)),
        ("data.test", Within(0.0, 0.45)),
        ("preprocessing.contrast_scale", Within(1e-3, 1e6)),
        ("preprocessing.whitening_bias", Within(1e-6, 1e6)),
        ("augmentation.shift", Whole { least: 0, most: SIDE }),
        ("augmentation.erase", Within(0.0, 1.0)),
        ("augmentation.crop", Share),
        ("augmentation.rotation", Within(0.0, 180.0)),
        ("augmentation.brightness", Within(0.0, 10.0)),
        ("augmentation.contrast", Within(0.0, 10.0)),
        ("augmentation.saturation", Within(0.0, 10.0)),
        ("augmentation.hue", Within(0.0, 0.5)),
        ("augmentation.mixup", Within(0.0, 100.0)),
        ("augmentation.cutmix", Within(0.0, 100.0)),
        ("optimizer.learning_rate", Positive),
        ("optimizer.momentum", Share),
        ("optimizer.weight_decay", Within(0.0, 1.0)),
        ("optimizer.last_layer_rate", Positive),
        ("optimizer.bias_rate", Positive),
        ("optimizer.clip_norm", Within(0.0, f32::MAX as f64)),
        ("optimizer.beta_1", Share),
        ("optimizer.beta_2", Share),
        ("optimizer.epsilon", Positive),
        ("schedule.step_epochs", Whole { least: 1, most: i64::MAX }),
        ("schedule.step_factor", Positive),
        ("schedule.final_factor", Within(0.0, 1.0)),
        ("training.epochs", Whole { least: 1, most: 1_000_000 }),
        ("training.batch_size", Whole { least: 1, most: 65_536 }),
        ("training.micro_batches", Whole { least: 1, most: MOST_MICRO_BATCHES as i64 }),
        ("training.label_smoothing", Within(0.0, 1.0)),
        ("training.ema_decay", Share),
    ]
};

impl Bound {
    /// Returns the expected range if the number is out of bounds.
    fn violated_by(self, value: f64) -> Option<String> {
        match self {
            Self::Whole { least, .. } if value < least as f64 => Some(format!("at least {least}")),
            Self::Whole { most, .. } if value > most as f64 => Some(format!("at most {most}")),
            Self::Positive if !(value > 0.0 && value.is_finite()) => {
                Some("a finite number above 0".to_owned())
            }
            Self::Share if !(0.0..1.0).contains(&value) => {
                Some("at least 0 and less than 1".to_owned())
            }
            Self::Within(low, high) if !(low..=high).contains(&value) => {
                Some(format!("{low} to {high}"))
            }
            _ => None,
        }
    }
}

/// Checks the numbers of these sections against their bounds, including keys without effect.
pub(super) fn bounds(sections: &Table) -> Result<(), RecipeError> {
    for (key, bound) in BOUNDS {
        let value =
            key.split_once('.').and_then(|(section, name)| sections.get(section)?.get(name));
        let Some((value, number)) = value.and_then(|value| Some((value, number(value)?))) else {
            continue;
        };
        if let Some(expected) = bound.violated_by(number) {
            // An integer of 64 bits would lose digits as a float.
            return Err(match value.as_integer() {
                Some(whole) => refused(key, &expected, &whole),
                None => refused(key, &expected, &number),
            });
        }
    }
    Ok(())
}

fn number(value: &Value) -> Option<f64> {
    value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64))
}

/// Checks that no whole number of these sections is negative. No key takes a negative one.
pub(super) fn whole_numbers(sections: &Table, known: &Table) -> Result<(), RecipeError> {
    for (section, keys) in sections {
        for (name, value) in keys.as_table().into_iter().flatten() {
            let is_whole =
                known.get(section).and_then(|keys| keys.get(name)?.as_integer()).is_some();
            let Some(number) = value.as_integer().filter(|&number| is_whole && number < 0) else {
                continue;
            };
            let key = format!("{section}.{name}");
            let bound = BOUNDS.iter().find(|(name, _)| *name == key);
            let least = match bound {
                Some((_, Bound::Whole { least, .. })) => *least,
                _ => 0,
            };
            let expected = format!("a whole number, {least} or more");
            return Err(RecipeError::Refused { key, expected, found: number.to_string() });
        }
    }
    Ok(())
}

/// Replaces the names of Rust types in serde's message by words.
pub(super) fn in_words(reason: &str) -> String {
    reason
        .trim()
        .replace('\n', " ")
        .replace("expected usize", "expected a whole number, 0 or more")
        .replace("expected u64", "expected a whole number, 0 or more")
        .replace("expected f64", "expected a number")
        .replace("expected struct Pool", "expected a table such as { kernel = 3, stride = 2 }")
        .replace(
            "expected struct Block",
            "expected a table such as { kernel = 3, widths = [8, 8, 8] }",
        )
}

impl Recipe {
    /// Checks each value. What depends on the data, such as whether the network fits the images, is checked by
    /// [`model_metadata`](crate::model_metadata).
    ///
    /// # Errors
    /// [`RecipeError::Refused`] names the key, its value and the allowed values. [`RecipeError::Model`] if the network
    /// is invalid.
    pub fn validate(&self) -> Result<(), RecipeError> {
        self.validate_representable()?;
        bounds(&self.to_table()?)?;
        class_weights(&self.training.class_weights)?;
        let micro_batches = self.training.micro_batches;
        if !micro_batches.is_power_of_two() {
            return Err(refused("training.micro_batches", "a power of two", &micro_batches));
        }
        // An optimizer section that was written for another kind has `momentum = 0.0`.
        if matches!(self.optimizer.kind, OptimizerKind::Muon { momentum: 0.0, .. }) {
            let expected = "above 0 with `optimizer.kind = \"muon\"`; PyTorch's default is 0.95";
            return Err(refused("optimizer.momentum", expected, &0.0));
        }
        // Any channels and classes do: the number of blocks does not depend on them.
        let blocks = self.architecture(1, 10)?.blocks().len();
        if self.model.freeze_blocks >= blocks {
            let expected = format!("less than the number of blocks, {blocks}");
            return Err(refused("model.freeze_blocks", &expected, &self.model.freeze_blocks));
        }
        Ok(())
    }

    /// Checks that the recipe reads back from its file as it is: seeds fit into TOML's signed integers, no
    /// `Some(0)` stands where 0 means none, and blocks have a name of their own.
    fn validate_representable(&self) -> Result<(), RecipeError> {
        let Self { model, data, augmentation, optimizer, training, checkpoint, .. } = self;
        for (key, seed) in [("training.seed", training.seed), ("data.split_seed", data.split_seed)]
        {
            if i64::try_from(seed).is_err() {
                return Err(refused(key, "less than 2^63", &seed));
            }
        }
        for (key, value) in [
            ("model.input_channels", model.input_channels),
            ("model.classes", model.classes),
            ("data.input_size", data.input_size),
            ("data.limit", data.limit),
            ("training.early_stop_epochs", training.early_stop_epochs),
            ("checkpoint.every_steps", checkpoint.every_steps),
            ("checkpoint.keep", checkpoint.keep),
        ] {
            if value == Some(0) {
                return Err(refused(key, "`None` or at least 1", &"Some(0)"));
            }
        }
        for (key, value) in [
            ("augmentation.crop", augmentation.crop),
            ("augmentation.mixup", augmentation.mixup),
            ("augmentation.cutmix", augmentation.cutmix),
            ("optimizer.clip_norm", optimizer.clip_norm),
            ("training.ema_decay", training.ema_decay),
        ] {
            if value == Some(0.0) {
                return Err(refused(key, "`None` or a number above 0", &"Some(0.0)"));
            }
        }
        if let NetworkRecipe::Blocks { name, .. } = &model.network
            && (name.is_empty() || name.parse::<Builtin>().is_ok())
        {
            return Err(refused("model.architecture", "a name of its own for `blocks`", name));
        }
        Ok(())
    }
}

fn class_weights(weights: &ClassWeights) -> Result<(), RecipeError> {
    let ClassWeights::List(weights) = weights else { return Ok(()) };
    let is_weight = |weight: &f64| (0.0..=f64::from(f32::MAX)).contains(weight);
    if weights.iter().all(is_weight) && weights.iter().any(|&weight| weight > 0.0) {
        return Ok(());
    }
    let expected = "numbers of 0 or more, one of them above 0";
    Err(refused("training.class_weights", expected, &format!("{weights:?}")))
}

fn refused(key: &'static str, expected: &str, found: &dyn Display) -> RecipeError {
    RecipeError::Refused {
        key: key.to_owned(),
        expected: expected.to_owned(),
        found: found.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{NetworkRecipe, Recipe, RecipeBuilder, RecipeError};
    use super::Table;
    use nin_model::Builtin;

    fn parse(text: &str) -> Result<Recipe, RecipeError> {
        RecipeBuilder::from_text("test", "test.toml", text)?.build()
    }

    #[test]
    fn values_that_parse_but_make_no_sense_are_refused() {
        for text in [
            "[training]\nepochs = 0",
            "[training]\nbatch_size = 0",
            "[training]\nmicro_batches = 0",
            "[training]\nmicro_batches = 3",
            "[training]\nmicro_batches = 131072",
            "[training]\nseed = -1",
            "[training]\nprecision = \"fp64\"",
            "[optimizer]\nlearning_rate = 0",
            "[optimizer]\nlearning_rate = -0.1",
            "[optimizer]\nlearning_rate = nan",
            "[optimizer]\nlearning_rate = inf",
            "[optimizer]\nmomentum = 1.0",
            "[optimizer]\nkind = \"adam\"",
            "[model]\narchitecture = \"resnet\"",
            "[model]\ninitialization = \"zeros\"",
            "[augmentation]\nerase = 1.5",
            "[augmentation]\nmixup = -0.2",
            "[augmentation]\ncutmix = nan",
            "[optimizer]\nbias_rate = 0",
            "[optimizer]\nlast_layer_rate = -0.1",
            "[optimizer]\nclip_norm = nan",
            "[training]\nema_decay = 1.0",
            "[preprocessing]\nnormalization = \"pixels\"",
            "[preprocessing]\nwhitening_bias = 0",
            "[preprocessing]\ncontrast_scale = inf",
            "[augmentation]\nshift = 5000",
            "[training]\nlabel_smoothing = -0.1",
            "[data]\nlimit = -3",
            "[data]\ninput_size = 1000000",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_would_read_back_as_another_recipe_is_refused() {
        let changes: [fn(&mut Recipe); 6] = [
            |recipe| recipe.training.seed = 1 << 63,
            |recipe| recipe.data.limit = Some(0),
            |recipe| recipe.checkpoint.keep = Some(0),
            |recipe| recipe.optimizer.clip_norm = Some(0.0),
            |recipe| recipe.training.early_stop_epochs = Some(0),
            |recipe| {
                let blocks = Builtin::D2l.blocks().to_vec();
                recipe.model.network = NetworkRecipe::Blocks { name: "d2l".to_owned(), blocks };
            },
        ];
        for (at, change) in changes.into_iter().enumerate() {
            let mut recipe = Recipe::default();
            recipe.validate().unwrap();
            change(&mut recipe);
            let error = recipe.validate().unwrap_err();
            assert!(matches!(error, RecipeError::Refused { .. }), "{at}: {error}");
        }
    }

    #[test]
    fn a_negative_whole_number_is_told_what_the_key_takes() {
        let mut counted = 0;
        for (section, keys) in Table::try_from(Recipe::default()).unwrap() {
            for (name, _) in keys.as_table().unwrap().iter().filter(|(_, value)| value.is_integer())
            {
                let zero_is_refused = parse(&format!("[{section}]\n{name} = 0")).is_err();
                let least = u8::from(zero_is_refused);
                let error = parse(&format!("[{section}]\n{name} = -1")).unwrap_err();
                let expected =
                    format!("`{section}.{name}` is `-1`, expected a whole number, {least} or more");
                assert_eq!(error.to_string(), expected);
                counted += 1;
            }
        }
        assert!(counted > 10, "{counted}");
    }

    #[test]
    fn no_error_speaks_of_types_of_rust() {
        for inside in [
            "kernel = -1, widths = [4, 4, \"classes\"]",
            "kernel = 1.5, widths = [4, 4, \"classes\"]",
            "kernel = 3, widths = [4, -4, \"classes\"]",
            "kernel = 3, widths = [4, 4, \"class\"]",
            "kernel = 3, widths = [4, 4]",
            "kernel = 3, widths = 4",
            "kernel = 3, dropout = \"half\", widths = [4, 4, 4]",
            "kernel = 3, widths = [4, 4, 4], pool = 3",
            "kernel = 3, widths = [4, 4, 4], pool = { kernel = 3, stride = -1 }",
            "kernel = 3",
        ] {
            let text = format!("[model]\nblocks = [{{{inside}}}]");
            let error = parse(&text).unwrap_err().to_string();
            for word in ["usize", "u64", "f64", "struct", "enum", "variant", "Width"] {
                assert!(!error.contains(word), "{inside}: {error}");
            }
        }
        assert!(
            parse("[model]\nblocks = [3]")
                .is_err_and(|error| !error.to_string().contains("struct"))
        );
    }
}

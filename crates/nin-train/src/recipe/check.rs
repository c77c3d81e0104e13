//! That each value of a recipe is one that a training can use.

use std::fmt::Display;

use toml::Table;

use super::{ClassWeights, Recipe, RecipeError};

/// The whole numbers that cannot be 0.
const AT_LEAST_ONE: [&str; 3] = ["training.epochs", "training.batch_size", "schedule.step_epochs"];

/// That no whole number of these sections is negative: no key of ours takes one.
pub(super) fn whole_numbers(sections: &Table, known: &Table) -> Result<(), RecipeError> {
    for (section, keys) in sections {
        for (name, value) in keys.as_table().into_iter().flatten() {
            let is_whole =
                known.get(section).and_then(|keys| keys.get(name)?.as_integer()).is_some();
            let Some(number) = value.as_integer().filter(|&number| is_whole && number < 0) else {
                continue;
            };
            let key = format!("{section}.{name}");
            let least = u8::from(AT_LEAST_ONE.contains(&key.as_str()));
            let expected = format!("a whole number, {least} or more");
            return Err(RecipeError::Refused { key, expected, found: number.to_string() });
        }
    }
    Ok(())
}

/// What serde says of a value, without the names that Rust has for types.
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
    /// That each value is one that a training can use.
    pub(super) fn check(&self) -> Result<(), RecipeError> {
        let Self { data, preprocessing, augmentation, optimizer, schedule, training, .. } = self;
        at_least_one("training.epochs", training.epochs)?;
        at_least_one("training.batch_size", training.batch_size)?;
        at_least_one("schedule.step_epochs", schedule.step_epochs)?;
        positive("optimizer.learning_rate", optimizer.learning_rate)?;
        positive("optimizer.epsilon", optimizer.epsilon)?;
        positive("schedule.step_factor", schedule.step_factor)?;
        share("optimizer.momentum", optimizer.momentum)?;
        positive("optimizer.last_layer_rate", optimizer.last_layer_rate)?;
        positive("optimizer.bias_rate", optimizer.bias_rate)?;
        in_range("optimizer.clip_norm", optimizer.clip_norm, 0.0, f64::from(f32::MAX))?;
        share("training.ema_decay", training.ema_decay)?;
        in_range("preprocessing.contrast_scale", preprocessing.contrast_scale, 1e-3, 1e6)?;
        in_range("preprocessing.whitening_bias", preprocessing.whitening_bias, 1e-6, 1e6)?;
        share("optimizer.beta_1", optimizer.beta_1)?;
        share("optimizer.beta_2", optimizer.beta_2)?;
        in_range("optimizer.weight_decay", optimizer.weight_decay, 0.0, 1.0)?;
        in_range("schedule.final_factor", schedule.final_factor, 0.0, 1.0)?;
        at_most("training.epochs", training.epochs, 1_000_000)?;
        at_most("training.batch_size", training.batch_size, 65_536)?;
        in_range("training.label_smoothing", training.label_smoothing, 0.0, 1.0)?;
        class_weights(&training.class_weights)?;
        in_range("augmentation.erase", augmentation.erase, 0.0, 1.0)?;
        in_range("augmentation.mixup", augmentation.mixup, 0.0, 100.0)?;
        in_range("augmentation.cutmix", augmentation.cutmix, 0.0, 100.0)?;
        share("augmentation.crop", augmentation.crop)?;
        in_range("augmentation.rotation", augmentation.rotation, 0.0, 180.0)?;
        in_range("augmentation.brightness", augmentation.brightness, 0.0, 10.0)?;
        in_range("augmentation.contrast", augmentation.contrast, 0.0, 10.0)?;
        in_range("augmentation.saturation", augmentation.saturation, 0.0, 10.0)?;
        in_range("augmentation.hue", augmentation.hue, 0.0, 0.5)?;
        // Together they leave something to train on.
        in_range("data.validation", data.validation, 0.0, 0.45)?;
        in_range("data.test", data.test, 0.0, 0.45)?;
        if i64::try_from(data.split_seed).is_err() {
            return Err(refused("data.split_seed", "less than 2^63", &data.split_seed));
        }
        at_most("augmentation.shift", augmentation.shift, nin_model::LARGEST_SIDE)?;
        at_most("data.input_size", data.input_size, nin_model::LARGEST_SIDE)?;
        if i64::try_from(training.seed).is_err() {
            return Err(refused("training.seed", "less than 2^63", &training.seed));
        }
        self.initialization()?;
        // With the data's numbers unknown, those that the check of the network needs least of.
        let blocks = self.architecture(1, 10)?.blocks().len();
        if self.model.freeze_blocks >= blocks {
            let expected = format!("less than the number of blocks, {blocks}");
            return Err(refused("model.freeze_blocks", &expected, &self.model.freeze_blocks));
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

fn at_least_one(key: &'static str, value: usize) -> Result<(), RecipeError> {
    if value > 0 { Ok(()) } else { Err(refused(key, "at least 1", &value)) }
}

fn at_most(key: &'static str, value: usize, most: usize) -> Result<(), RecipeError> {
    if value <= most { Ok(()) } else { Err(refused(key, &format!("at most {most}"), &value)) }
}

fn positive(key: &'static str, value: f64) -> Result<(), RecipeError> {
    if value > 0.0 && value.is_finite() {
        Ok(())
    } else {
        Err(refused(key, "a finite number above 0", &value))
    }
}

fn share(key: &'static str, value: f64) -> Result<(), RecipeError> {
    if (0.0..1.0).contains(&value) {
        Ok(())
    } else {
        Err(refused(key, "at least 0 and less than 1", &value))
    }
}

fn in_range(key: &'static str, value: f64, low: f64, high: f64) -> Result<(), RecipeError> {
    if (low..=high).contains(&value) {
        Ok(())
    } else {
        Err(refused(key, &format!("{low} to {high}"), &value))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Recipe, RecipeBuilder, RecipeError};
    use super::Table;

    fn parse(text: &str) -> Result<Recipe, RecipeError> {
        RecipeBuilder::from_text("test", "test.toml", text)?.build()
    }

    #[test]
    fn values_that_parse_but_make_no_sense_are_refused() {
        for text in [
            "[training]\nepochs = 0",
            "[training]\nbatch_size = 0",
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

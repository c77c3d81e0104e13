//! Keys that were removed. Recipes of earlier versions are still read.

use toml::Table;

use super::error::RecipeError;

/// Section, key, and the value that switched it off.
const RETIRED: [(&str, &str, f64); 1] = [("training", "closed_slope", 0.0)];

/// Drops removed keys with the value that switched them off. Refuses any other value: it asks for a training that
/// this version cannot reproduce.
pub(super) fn drop_retired(table: &mut Table, origin: &str) -> Result<(), RecipeError> {
    for (section, key, off) in RETIRED {
        let Some(keys) = table.get_mut(section).and_then(toml::Value::as_table_mut) else {
            continue;
        };
        let Some(value) = keys.remove(key) else { continue };
        let number = value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64));
        if number != Some(off) {
            return Err(RecipeError::Retired {
                key: format!("{section}.{key}"),
                origin: origin.to_owned(),
                off,
                found: value.to_string(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{Recipe, RecipeBuilder};

    #[test]
    fn a_retired_key_that_was_off_is_read_and_another_value_is_refused() {
        let parse = |value: &str| {
            let text = format!("[training]\nclosed_slope = {value}\nseed = 3");
            RecipeBuilder::from_text("old", "old.toml", &text)?.build()
        };
        for off in ["0.0", "0"] {
            let recipe = parse(off).unwrap();
            assert_eq!(recipe.training.seed, 3);
            assert!(!recipe.to_toml().unwrap().contains("closed_slope"));
        }
        for on in ["0.1", "true"] {
            let error = parse(on).unwrap_err();
            let expected =
                format!("`training.closed_slope` in `old.toml` is {on}: this key was removed");
            assert_eq!(error.to_string(), expected);
            assert_eq!(error.hint(), "remove it, or set it to 0, which has no effect");
        }
        assert!(Recipe::default().entries().unwrap().keys().all(|key| !key.contains("slope")));
    }
}

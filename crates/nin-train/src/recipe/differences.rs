//! Compares the recipe of a run with the one it resumes with.

use std::collections::BTreeMap;

use nin_optimizer::ScheduleKind;
use toml::{Table, Value};

use super::document::Recipe;
use super::error::RecipeError;

impl Recipe {
    /// Returns the keys that a resumed run may not change but that differ in `resumed`, each with both values.
    ///
    /// A resumed run may change `checkpoint`, `training.early_stop_epochs`, `training.on_non_finite` and
    /// `training.on_collapse`. It may raise `training.epochs` unless the schedule depends on it.
    ///
    /// # Errors
    /// [`RecipeError::Unwritable`] if a number exceeds TOML's integers.
    pub fn changes_that_matter(&self, resumed: &Self) -> Result<Vec<String>, RecipeError> {
        let mut wanted = resumed.clone();
        wanted.checkpoint = self.checkpoint.clone();
        wanted.training.early_stop_epochs = self.training.early_stop_epochs;
        wanted.training.on_non_finite = self.training.on_non_finite;
        wanted.training.on_collapse = self.training.on_collapse;
        let ends_with_epochs = matches!(self.schedule.kind, ScheduleKind::Cosine { .. });
        if !ends_with_epochs && wanted.training.epochs > self.training.epochs {
            wanted.training.epochs = self.training.epochs;
        }
        let mut keys = Vec::new();
        differences(&self.to_table()?, &wanted.to_table()?, "", &mut keys);
        Ok(keys)
    }
}

impl Recipe {
    /// Returns every key with its value as TOML, such as `training.seed` and `42`.
    ///
    /// # Errors
    /// [`RecipeError::Unwritable`] if a number exceeds TOML's integers.
    pub fn entries(&self) -> Result<BTreeMap<String, String>, RecipeError> {
        let mut entries = BTreeMap::new();
        for (section, value) in self.to_table()? {
            match value {
                Value::Table(keys) => entries.extend(
                    keys.into_iter()
                        .map(|(key, value)| (format!("{section}.{key}"), value.to_string())),
                ),
                value => {
                    entries.insert(section, value.to_string());
                }
            }
        }
        Ok(entries)
    }
}

fn differences(old: &Table, new: &Table, prefix: &str, keys: &mut Vec<String>) {
    for (name, old) in old {
        match (old, new.get(name)) {
            (Value::Table(old), Some(Value::Table(new))) => {
                differences(old, new, &format!("{prefix}{name}."), keys);
            }
            (old, Some(new)) if old == new => {}
            (old, new) => {
                let new = new.map_or_else(|| "absent".to_owned(), ToString::to_string);
                keys.push(format!("`{prefix}{name}` ({old}, now {new})"));
            }
        }
    }
    for (name, new) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
        keys.push(format!("`{prefix}{name}` (absent, now {new})"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::OptimizerKind;

    #[test]
    fn what_changes_the_mathematics_is_named() {
        let old = Recipe::default();
        let mut new = old.clone();
        new.training.batch_size = 64;
        new.optimizer.kind = OptimizerKind::Sgd { momentum: 0.9 };
        assert_eq!(
            old.changes_that_matter(&new).unwrap(),
            ["`optimizer.momentum` (0.0, now 0.9)", "`training.batch_size` (128, now 64)"]
        );
    }

    #[test]
    fn more_epochs_and_other_checkpoints_are_allowed() {
        let old = Recipe::default();
        let mut new = old.clone();
        new.training.epochs += 5;
        new.checkpoint.every_steps = Some(7);
        new.training.on_non_finite = super::super::OnNonFinite::Skip;
        new.training.on_collapse = super::super::OnCollapse::Restart;
        assert!(old.changes_that_matter(&new).unwrap().is_empty());
        new.training.epochs = old.training.epochs - 1;
        assert_eq!(old.changes_that_matter(&new).unwrap().len(), 1);
    }

    #[test]
    fn a_key_that_only_one_of_them_has_is_named() {
        let old = "[model]\nwidth = 3\n".parse::<Table>().unwrap();
        let new = "[model]\nheight = 4\n".parse::<Table>().unwrap();
        let mut keys = Vec::new();
        differences(&old, &new, "", &mut keys);
        assert_eq!(keys, ["`model.width` (3, now absent)", "`model.height` (absent, now 4)"]);
    }

    #[test]
    fn a_cosine_that_ends_elsewhere_is_another_training() {
        let mut old = Recipe::default();
        old.schedule.kind = ScheduleKind::COSINE;
        let mut new = old.clone();
        new.training.epochs += 5;
        assert_eq!(old.changes_that_matter(&new).unwrap().len(), 1);
    }
}

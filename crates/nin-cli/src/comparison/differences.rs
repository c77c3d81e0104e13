//! The keys in which the recipes of several runs differ.

use std::collections::BTreeSet;

use nin_train::{RunHistory, TrainError};
use serde::Serialize;

/// A key of the recipe in which the runs differ, with the value of each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Such as `training.seed`.
    pub key: String,
    /// In the order of the runs; null if a recipe lacks the key.
    pub values: Vec<Option<String>>,
}

/// Returns the keys in which the recipes of these runs differ.
pub(super) fn differences(histories: &[RunHistory]) -> anyhow::Result<Vec<Difference>> {
    let entries: Vec<_> = histories
        .iter()
        .map(|history| history.recipe.entries())
        .collect::<Result<_, _>>()
        .map_err(TrainError::from)?;
    let keys: BTreeSet<&String> = entries.iter().flat_map(|entries| entries.keys()).collect();
    let differences = keys.into_iter().filter_map(|key| {
        let values: Vec<_> = entries.iter().map(|entries| entries.get(key).cloned()).collect();
        let differ = values.windows(2).any(|pair| pair[0] != pair[1]);
        differ.then(|| Difference { key: key.clone(), values })
    });
    Ok(differences.collect())
}

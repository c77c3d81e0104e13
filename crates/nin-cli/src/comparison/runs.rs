//! A comparison of several runs: their figures, spread, and differing recipe keys.

use std::collections::BTreeSet;

use nin_train::RunHistory;
use serde::Serialize;

use super::differences::{Difference, differences};
use super::published::{PUBLISHED, Published, trains_the_books_network};
use super::row::Row;
use super::spread::Spread;
use crate::curves::Curves;

/// A comparison of several runs.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// One row per run.
    pub runs: Vec<Row>,
    /// The spread of the runs that have ended.
    pub spread: Spread,
    /// The keys in which the recipes differ.
    pub differences: Vec<Difference>,
    /// The book's published runs, if all of these train the book's network on its data.
    pub published: Option<Published>,
    #[serde(skip)]
    pub(super) curves: Vec<Curves>,
}

impl Comparison {
    /// Compares runs, in this order.
    pub fn of(histories: &[RunHistory]) -> anyhow::Result<Self> {
        let runs: Vec<Row> = histories
            .iter()
            .zip(names(histories))
            .map(|(history, name)| Row::of(history, name))
            .collect();
        let is_the_books = !histories.is_empty()
            && histories.iter().all(|history| trains_the_books_network(&history.recipe));
        Ok(Self {
            spread: Spread::of(&runs),
            differences: differences(histories)?,
            published: is_the_books.then_some(PUBLISHED),
            curves: histories.iter().map(|history| Curves::of(history.attempt())).collect(),
            runs,
        })
    }
}

/// Returns the names of the folders, or their paths if two have the same name.
fn names(histories: &[RunHistory]) -> Vec<String> {
    let names: Vec<String> = histories.iter().map(RunHistory::name).collect();
    let unique: BTreeSet<&String> = names.iter().collect();
    if unique.len() == names.len() {
        return names;
    }
    histories.iter().map(|history| history.path.display().to_string()).collect()
}

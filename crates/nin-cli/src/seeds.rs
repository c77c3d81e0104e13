//! `--seeds`: a folder with one run per seed, `seed-7` and so on, and `seeds.toml` with the list of seeds and the
//! recipe.

use std::path::{Path, PathBuf};

use nin_train::recipe::{Recipe, RecipeBuilder};
use nin_train::{RunFolder, TrainError};
use serde::{Deserialize, Serialize};

use crate::series;

/// More seeds than anyone would wait for.
const MOST_SEEDS: usize = 10_000;

/// The requested seeds in order, each once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seeds(pub Vec<u64>);

/// Parses `20` as 1 to 20, `3,7,42` as a list, and `42,` as a list of one.
impl std::str::FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            let number = text.trim().parse::<u64>().ok();
            let fits = number.filter(|number| i64::try_from(*number).is_ok());
            fits.ok_or_else(|| format!("`{text}` is not a whole number from 0 to 2^63 - 1"))
        };
        let Some((_, _)) = text.split_once(',') else {
            return match number(text)? {
                count if (1..=MOST_SEEDS as u64).contains(&count) => {
                    Ok(Self((1..=count).collect()))
                }
                _ => Err(format!("expected 1 to {MOST_SEEDS} seeds, or a list such as `3,7,42`")),
            };
        };
        let parts = text.strip_suffix(',').unwrap_or(text).split(',');
        let mut seeds = Vec::new();
        for seed in parts.map(number) {
            let seed = seed?;
            if seeds.contains(&seed) {
                return Err(format!("the seed {seed} is listed twice"));
            }
            seeds.push(seed);
        }
        if seeds.len() > MOST_SEEDS {
            return Err(format!("expected at most {MOST_SEEDS} seeds, found {}", seeds.len()));
        }
        Ok(Self(seeds))
    }
}

/// The content of `seeds.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    seeds: Seeds,
    /// The recipe of every run, which replaces the seed.
    recipe: Recipe,
}

/// A folder of runs that differ in their seeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedsFolder {
    path: PathBuf,
}

impl SeedsFolder {
    /// Returns whether a path is such a folder.
    pub fn is_one(path: &Path) -> bool {
        plan_path(path).is_file()
    }

    /// Returns the folder that contains a run, if it is such a folder.
    pub fn around(run: &Path) -> Option<PathBuf> {
        // A run named `.` has a parent, too.
        let full = std::fs::canonicalize(run).ok()?;
        let parent = full.parent().filter(|parent| Self::is_one(parent))?.to_owned();
        // The path as given, if it contains the parent.
        let written = run.parent().filter(|written| Self::is_one(written));
        Some(written.map_or(parent, Path::to_owned))
    }

    /// Prepares a new folder. Writes nothing before [`SeedsFolder::write`].
    pub fn new(path: &Path) -> anyhow::Result<Self> {
        series::check_unused(path, Self::is_one(path))?;
        Ok(Self { path: path.to_owned() })
    }

    /// Opens an existing folder and returns its seeds and recipe.
    pub fn open(path: &Path) -> anyhow::Result<(Self, Seeds, Recipe)> {
        let Plan { seeds, recipe } = series::read_plan(&plan_path(path), "train --seeds")?;
        Ok((Self { path: path.to_owned() }, seeds, recipe))
    }

    /// Writes `seeds.toml` and creates the folder if necessary.
    pub fn write(&self, seeds: &Seeds, recipe: &Recipe) -> anyhow::Result<()> {
        let plan = Plan { seeds: seeds.clone(), recipe: recipe.clone() };
        series::write_plan(&plan_path(&self.path), &plan)
    }

    /// Returns the run folder of a seed.
    pub fn run(&self, seed: u64) -> PathBuf {
        self.path.join(format!("seed-{seed}"))
    }

    /// Returns the existing runs, in the order of these seeds.
    pub fn runs(&self, seeds: &Seeds) -> Vec<PathBuf> {
        let runs = seeds.0.iter().map(|seed| self.run(*seed));
        runs.filter(|run| RunFolder::is_run(run)).collect()
    }

    /// Returns the path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Checks that a recipe matches the stored one in everything but the seed.
pub fn check_recipe(path: &Path, stored: &Recipe, wanted: &Recipe) -> Result<(), TrainError> {
    let mut wanted = wanted.clone();
    wanted.training.seed = stored.training.seed;
    let keys = stored.changes_that_matter(&wanted)?;
    if keys.is_empty() {
        return Ok(());
    }
    Err(TrainError::RecipeChanged { path: path.to_owned(), keys })
}

/// Returns a builder that starts from a stored recipe.
pub fn builder(name: &str, recipe: &Recipe) -> anyhow::Result<RecipeBuilder> {
    let text = recipe.to_toml().map_err(TrainError::from)?;
    Ok(RecipeBuilder::from_text(name, "seeds.toml", &text).map_err(TrainError::from)?)
}

fn plan_path(folder: &Path) -> PathBuf {
    folder.join("seeds.toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_count_or_a_list() {
        let seeds = |text: &str| text.parse::<Seeds>().map(|seeds| seeds.0);
        assert_eq!(seeds("3"), Ok(vec![1, 2, 3]));
        assert_eq!(seeds("3,7,42"), Ok(vec![3, 7, 42]));
        assert_eq!(seeds("42,"), Ok(vec![42]));
        for wrong in ["", "0", "-1", "a", "1,1", "1,,2", "1.5", "100000", "9223372036854775808,"] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_folder_can_be_opened_but_not_overwritten() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("runs");
        let (seeds, recipe) = (Seeds(vec![7, 3]), Recipe::default());
        let folder = SeedsFolder::new(&path).unwrap();
        assert!(!path.exists(), "nothing is written before it is asked for");
        folder.write(&seeds, &recipe).unwrap();
        assert_eq!(
            SeedsFolder::open(&path).unwrap(),
            (folder.clone(), seeds.clone(), recipe.clone())
        );
        assert!(SeedsFolder::new(&path).is_err());
        std::fs::create_dir(folder.run(7)).unwrap();
        assert_eq!(SeedsFolder::around(&folder.run(7)), Some(path.clone()));
        assert_eq!(SeedsFolder::around(&path), None);
        std::fs::write(path.join("seeds.toml"), "seeds = 3").unwrap();
        assert!(SeedsFolder::open(&path).is_err());
    }
}

//! The runs to train: of a new series, or of one to resume.

use std::path::PathBuf;

use anyhow::Context;
use nin_train::RunFolder;
use nin_train::recipe::Recipe;

use crate::arguments::TrainArguments;
use crate::fine_tuning::starting_weights;
use crate::seeds::{self, Seeds, SeedsFolder};
use crate::series;
use crate::settings::{Sources, copy_of_start, free_run, latest_run, named_recipe, with_flags};

/// The runs to train.
pub struct Series {
    pub folder: SeedsFolder,
    pub seeds: Seeds,
    /// The recipe of every run, which replaces the seed.
    pub recipe: Recipe,
    /// The name, if the series takes the first free folder of this name.
    pub claims: Option<String>,
    /// Whether `data.selection` is unset, so that it may follow the data.
    selection_is_free: bool,
}

impl Series {
    /// Resolves a new series, or an existing one to resume. `--seeds` then adds seeds to it.
    pub fn resolve(arguments: &TrainArguments) -> anyhow::Result<Self> {
        let named = named_recipe(arguments)?;
        let name = format!("{}-seeds", named.name());
        let asked = arguments.seeds.as_ref();
        if arguments.resume {
            let path = match &arguments.run {
                Some(path) => path.clone(),
                None => latest_run(&name, SeedsFolder::is_one)?,
            };
            let (folder, mut seeds, stored) = SeedsFolder::open(&path)?;
            let builder = match arguments.config {
                Some(_) => named,
                None => seeds::builder(&name, &stored)?,
            };
            let (mut recipe, is_named) = with_flags(
                builder,
                arguments,
                copy_of_start(&all_runs(&folder, &seeds)).as_deref(),
            )?;
            if !is_named {
                recipe.data.selection = stored.data.selection;
            }
            seeds::check_recipe(&path, &stored, &recipe)?;
            let more = asked.into_iter().flat_map(|asked| &asked.0);
            let more: Vec<u64> = more.filter(|seed| !seeds.0.contains(seed)).copied().collect();
            seeds.0.extend(more);
            return Ok(Self { folder, seeds, recipe, claims: None, selection_is_free: false });
        }
        let seeds = asked.cloned().context("no seeds given")?;
        let (recipe, is_named) = with_flags(named, arguments, None)?;
        let path = arguments.run.clone().unwrap_or_else(|| free_run(&name));
        let claims = arguments.run.is_none().then_some(name);
        let folder = SeedsFolder::new(&path)?;
        Ok(Self { folder, seeds, recipe, claims, selection_is_free: !is_named })
    }

    /// Opens what the runs share besides their recipe.
    pub fn sources(&self, arguments: &TrainArguments) -> anyhow::Result<Sources> {
        let runs = all_runs(&self.folder, &self.seeds);
        series::check_runs(&runs)?;
        let are_all_begun = runs.iter().all(|run| RunFolder::is_run(run));
        let start = if are_all_begun {
            None
        } else {
            starting_weights(&self.recipe, copy_of_start(&runs).as_deref())?
        };
        let data = arguments.data.as_deref();
        Ok(Sources::of_runs(&runs, data, start, self.selection_is_free))
    }
}

/// Returns the folder of each seed's run, whether it exists or not.
fn all_runs(folder: &SeedsFolder, seeds: &Seeds) -> Vec<PathBuf> {
    seeds.0.iter().map(|seed| folder.run(*seed)).collect()
}

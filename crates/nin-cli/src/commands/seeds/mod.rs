//! `train --seeds`: trains a recipe with several seeds, one run after the other, or shared out among processes.

mod results;
mod series;

use std::path::PathBuf;
use std::process::ExitCode;

use nin_train::recipe::Recipe;
use nin_train::{Ending, RunFolder, one_line};

use self::results::{end_of_run, text, write_comparison};
use self::series::Series;
use crate::arguments::TrainArguments;
use crate::comparison::{self, Comparison};
use crate::output::{Format, note, print_json, print_text};
use crate::ranks::{Group, is_root};
use crate::report;
use crate::seeds::{Seeds, SeedsFolder};
use crate::series::diverged;
use crate::session::Session;
use crate::settings::claim_run;

/// Returns whether the command is about several seeds, by its flags or its folder.
pub fn is_asked(arguments: &TrainArguments) -> bool {
    let goes_on = arguments.run.as_deref().is_some_and(SeedsFolder::is_one);
    arguments.seeds.is_some() || arguments.resume && goes_on
}

pub fn run(arguments: &TrainArguments) -> anyhow::Result<ExitCode> {
    Group::together(|group| train(arguments, group))
}

fn train(arguments: &TrainArguments, group: Option<&Group>) -> anyhow::Result<ExitCode> {
    let resolved = Series::resolve(arguments);
    if let Some(group) = group {
        group.begin(resolved.as_ref().ok().map(|series| &series.recipe))?;
    }
    let opened = resolved.and_then(|mut series| {
        let sources = series.sources(arguments)?;
        let session = Session::open(arguments, &mut series.recipe, sources)?;
        let fingerprint = session.fingerprint(&series.recipe)?;
        Ok((series, session, fingerprint))
    });
    if let Some(group) = group {
        group.check(opened.as_ref().map(|(.., fingerprint)| fingerprint.clone()))?;
    }
    let (Series { mut folder, seeds, recipe, claims, .. }, session, _) = opened?;
    // Only now: an empty folder would be in the way of the next attempt.
    if let Some(name) = claims {
        folder = SeedsFolder::new(&claimed(&name, group)?)?;
    }
    if is_root() {
        folder.write(&seeds, &recipe)?;
    }
    let runs =
        Runs { arguments, session: &session, folder: &folder, seeds: &seeds, recipe: &recipe };
    let is_interrupted = runs.train(group)?;
    if is_interrupted {
        let code = session.interrupted("train", folder.path());
        return Ok(code);
    }
    if is_root() {
        runs.print()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Creates the folder of a new series. Of several processes, one does so.
fn claimed(name: &str, group: Option<&Group>) -> anyhow::Result<PathBuf> {
    let own = if is_root() { claim_run(name)? } else { PathBuf::new() };
    let Some(group) = group else { return Ok(own) };
    let all = group.gather(&own.to_string_lossy())?;
    Ok(all.into_iter().next().map(PathBuf::from).unwrap_or_default())
}

/// The runs of a series.
struct Runs<'a> {
    arguments: &'a TrainArguments,
    session: &'a Session<'a>,
    folder: &'a SeedsFolder,
    seeds: &'a Seeds,
    recipe: &'a Recipe,
}

impl Runs<'_> {
    /// Trains the runs, or this process's share of them. Returns whether a signal interrupted them.
    fn train(&self, group: Option<&Group>) -> anyhow::Result<bool> {
        let (rank, size) = group.map_or((0, 1), Group::place);
        let mut is_interrupted = false;
        let mut lines = Vec::new();
        let seeds = self.seeds.0.iter().enumerate();
        for (at, seed) in seeds.filter(|(at, _)| at % size == rank) {
            note(format!("seed {seed}, {} of {}", at + 1, self.seeds.0.len()));
            let Some(end) = self.train_seed(*seed)? else {
                is_interrupted = true;
                break;
            };
            end.iter().for_each(note);
            lines.extend(end);
            // The results so far, because a series can take hours.
            if is_root() {
                write_comparison(self.folder, &self.comparison()?, self.arguments)?;
            }
        }
        match group {
            Some(group) => self.meet(group, is_interrupted, &lines),
            None => Ok(is_interrupted),
        }
    }

    /// Trains the run of a seed. Returns lines about its end, or `None` if a signal interrupted it.
    fn train_seed(&self, seed: u64) -> anyhow::Result<Option<Vec<String>>> {
        let mut recipe = self.recipe.clone();
        recipe.training.seed = seed;
        let run = self.folder.run(seed);
        match self.session.train(recipe, &run, RunFolder::is_run(&run), None) {
            Ok(summary) if summary.ending == Ending::Interrupted => Ok(None),
            Ok(summary) => Ok(Some(end_of_run(seed, &summary, self.session.device()))),
            // This run has ended; the next may still succeed.
            Err(error) if diverged(&error) => {
                Ok(Some(vec![format!("warning: seed {seed}: {}", one_line(error.as_ref()))]))
            }
            Err(error) => Err(error),
        }
    }

    /// Waits for the other processes, and reports the ends of their runs. Returns whether any was interrupted.
    fn meet(&self, group: &Group, is_interrupted: bool, lines: &[String]) -> anyhow::Result<bool> {
        let states = group.gather(if is_interrupted { "interrupted" } else { "done" })?;
        for other in group.gather(&lines.join("\n"))?.iter().skip(1) {
            other.lines().for_each(note);
        }
        if is_root() {
            write_comparison(self.folder, &self.comparison()?, self.arguments)?;
        }
        Ok(states.iter().any(|state| state == "interrupted"))
    }

    fn comparison(&self) -> anyhow::Result<Comparison> {
        Comparison::of(&comparison::read(&self.folder.runs(self.seeds))?)
    }

    /// Prints the table of all runs.
    fn print(&self) -> anyhow::Result<()> {
        let histories = comparison::read(&self.folder.runs(self.seeds))?;
        let comparison = Comparison::of(&histories)?;
        if !self.arguments.no_report {
            note(format!(
                "report of all runs: {}",
                self.folder.path().join(report::FILE).display()
            ));
        }
        match self.arguments.format {
            Format::Json => print_json(&comparison),
            Format::Text => print_text(&text(&histories, &comparison)),
        }
    }
}

//! `train --seeds`: trains a recipe with several seeds, one run after the other.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use nin_train::files::{read_file, write_file};
use nin_train::recipe::Recipe;
use nin_train::{Ending, RunFolder, RunHistory, Summary, one_line};
use serde_json::Value;

use crate::arguments::TrainArguments;
use crate::backend::RememberedDevice;
use crate::comparison::{self, Comparison, Spread};
use crate::dataset::{remembered_environment, remembered_folder};
use crate::error::CommandError;
use crate::fine_tuning::starting_weights;
use crate::output::{Format, note, print_json, print_text};
use crate::ranks::Group;
use crate::report;
use crate::seeds::{self, Seeds, SeedsFolder};
use crate::series;
use crate::session::Session;
use crate::settings::{Sources, claim_run, free_run, latest_run, named_recipe, with_flags};
use crate::terminal::printable;

/// The largest `summary.json`, in bytes. It has a few hundred.
const LARGEST_SUMMARY: u64 = 1 << 20;

/// Returns whether the command is about several seeds, by its flags or its folder.
pub fn is_asked(arguments: &TrainArguments) -> bool {
    let goes_on = arguments.run.as_deref().is_some_and(SeedsFolder::is_one);
    arguments.seeds.is_some() || arguments.resume && goes_on
}

pub fn run(arguments: &TrainArguments) -> anyhow::Result<ExitCode> {
    if Group::join()?.is_some() {
        let message = "several seeds cannot be trained by several processes together";
        let hint = "start one process for each group of seeds, each with a --run of its own";
        return Err(CommandError::new(message, hint).into());
    }
    let Series { mut folder, seeds, mut recipe, claims, selection_is_free } =
        Series::resolve(arguments)?;
    series::check_runs(seeds.0.iter().map(|seed| folder.run(*seed)))?;
    let are_all_begun = seeds.0.iter().all(|seed| RunFolder::is_run(&folder.run(*seed)));
    let start = if are_all_begun {
        None
    } else {
        starting_weights(&recipe, copy(&folder, &seeds).as_deref())?
    };
    let environments = seeds.0.iter().filter_map(|seed| remembered_environment(&folder.run(*seed)));
    let environments: Vec<Value> = environments.collect();
    let begun = environments.iter().find_map(remembered_folder);
    let data = arguments.data.clone().or(begun);
    let device = environments.iter().find_map(RememberedDevice::of);
    let sources = Sources { data, selection_is_free, start, device };
    let session = Session::open(arguments, &mut recipe, sources)?;
    // Only now: an empty folder would be in the way of the next attempt.
    if let Some(name) = claims {
        folder = SeedsFolder::new(&claim_run(&name)?)?;
    }
    folder.write(&seeds, &recipe)?;
    for (at, seed) in seeds.0.iter().enumerate() {
        note(format!("seed {seed}, {} of {}", at + 1, seeds.0.len()));
        let mut recipe = recipe.clone();
        recipe.training.seed = *seed;
        let run = folder.run(*seed);
        let summary = match session.train(recipe, &run, RunFolder::is_run(&run), None) {
            // This run has ended; the next may still succeed.
            Err(error) if series::diverged(&error) => {
                note(format!("warning: seed {seed}: {}", one_line(error.as_ref())));
                None
            }
            other => Some(other?),
        };
        if summary.as_ref().is_some_and(|summary| summary.ending == Ending::Interrupted) {
            return Ok(session.interrupted("train", folder.path()));
        }
        if let Some(summary) = summary {
            report_end(*seed, &summary, session.device());
        }
        // The results so far, because a series can take hours.
        write_comparison(
            &folder,
            &Comparison::of(&comparison::read(&folder.runs(&seeds))?)?,
            arguments,
        )?;
    }
    let histories = comparison::read(&folder.runs(&seeds))?;
    let comparison = Comparison::of(&histories)?;
    if !arguments.no_report {
        note(format!("report of all runs: {}", folder.path().join(report::FILE).display()));
    }
    match arguments.format {
        Format::Json => print_json(&comparison)?,
        Format::Text => print_text(&text(&histories, &comparison))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The runs to train.
struct Series {
    folder: SeedsFolder,
    seeds: Seeds,
    recipe: Recipe,
    /// The name, if the series takes the first free folder of this name.
    claims: Option<String>,
    /// Whether `data.selection` is unset, so that it may follow the data.
    selection_is_free: bool,
}

impl Series {
    /// Resolves a new series, or an existing one to resume. `--seeds` then adds seeds to it.
    fn resolve(arguments: &TrainArguments) -> anyhow::Result<Self> {
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
            let (mut recipe, is_named) =
                with_flags(builder, arguments, copy(&folder, &seeds).as_deref())?;
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
}

/// Returns a run's own copy of the common starting weights.
fn copy(folder: &SeedsFolder, seeds: &Seeds) -> Option<PathBuf> {
    let runs = seeds.0.iter().filter_map(|seed| RunFolder::open(&folder.run(*seed)).ok());
    runs.map(|run| run.start_path()).find(|copy| copy.is_file())
}

/// Reports the end of a run on stderr. stdout has the table.
fn report_end(seed: u64, summary: &Summary, device: &str) {
    if summary.ending == Ending::Collapsed {
        note(format!("seed {seed}: collapsed"));
    } else if let Some(lines) = summary.closing_lines(device) {
        lines.lines().for_each(|line| note(format!("seed {seed}: {line}")));
    } else {
        note(format!("seed {seed}: already finished after {} epochs", summary.epochs));
    }
}

fn write_comparison(
    folder: &SeedsFolder,
    comparison: &Comparison,
    arguments: &TrainArguments,
) -> anyhow::Result<()> {
    let json = serde_json::to_vec_pretty(comparison)?;
    let in_folder = |name: &str| folder.path().join(name);
    let mut files = vec![
        (in_folder("seeds.json"), json),
        (in_folder("seeds.svg"), comparison.figure().svg.into_bytes()),
    ];
    if !arguments.no_report {
        let page = folder.path().join(report::FILE);
        let html = report::seeds_page(folder.path(), &page, comparison);
        files.push((page, html.into_bytes()));
    }
    for (path, bytes) in files {
        match write_file(&path, &bytes) {
            // It only repeats what the runs contain.
            Err(error) if error.is_out_of_space() => {}
            other => other?,
        }
    }
    Ok(())
}

/// Returns the table, followed by the book's two lines for the median run.
fn text(histories: &[RunHistory], comparison: &Comparison) -> String {
    let mut text = comparison.text();
    let middle = Spread::median_run(&comparison.runs).and_then(|at| histories.get(at));
    if let Some((history, lines)) =
        middle.and_then(|history| Some((history, closing_lines(history)?)))
    {
        text.extend(["\n\nmedian run: ", &printable(&history.name()), ":\n", &lines]);
    }
    text
}

/// Returns the book's lines for a run, read from its folder.
fn closing_lines(history: &RunHistory) -> Option<String> {
    let summary =
        read_file(&RunFolder::open(&history.path).ok()?.summary_path(), LARGEST_SUMMARY).ok()?;
    let summary: Value = serde_json::from_slice(&summary).ok()?;
    let rate = summary["examples_per_sec"].as_f64()?;
    let device = history.environment.as_ref()?["device"].as_str()?.to_owned();
    let last = history.epochs().last()?;
    Some(Summary::book_lines(last, history.tested(), rate, &device))
}

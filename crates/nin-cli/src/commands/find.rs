//! `find`: searches for a better recipe on held-out data.

use std::process::ExitCode;

use nin_train::recipe::Recipe;
use nin_train::{Ending, RunFolder, TrainError, one_line};

use crate::arguments::{FindArguments, TrainArguments};
use crate::error::CommandError;
use crate::fine_tuning::starting_weights;
use crate::output::{Format, note, note_replaced, print_json, print_text, save};
use crate::quote::quoted_path;
use crate::ranks::Group;
use crate::search::{
    Candidate, Plan, Results, Rung, SearchFolder, Training, candidates, rungs, shortened,
};
use crate::series;
use crate::session::Session;
use crate::settings::{
    Sources, claim_run, copy_of_start, free_run, latest_run, named_recipe, with_flags,
};

pub fn run(arguments: &FindArguments) -> anyhow::Result<ExitCode> {
    if Group::join()?.is_some() {
        let message = "a search cannot be shared by several processes";
        return Err(CommandError::new(message, "start `find` without mpirun").into());
    }
    let training = arguments.training();
    let Resolved { mut folder, mut plan, claims, selection_is_free } =
        Resolved::of(arguments, &training)?;
    let stages = rungs(plan.candidates.len() + 1, plan.recipe.training.epochs);
    let runs = folder.runs();
    let start = starting_weights(&plan.recipe, copy_of_start(&runs).as_deref())?;
    let sources = Sources::of_runs(&runs, arguments.data.as_deref(), start, selection_is_free);
    let mut session = Session::open(&training, &mut plan.recipe, sources)?;
    let images = session.keep_test_images_out(&plan.recipe)?;
    // Only now: an empty folder would be in the way of the next attempt.
    if let Some(name) = claims {
        folder = SearchFolder::new(&claim_run(&name)?)?;
    }
    folder.write(&plan)?;
    let best_by = plan.recipe.checkpoint.best_by;
    let results = Results { best_by, images, trainings: Vec::new() };
    let search = Search { folder: &folder, plan: &plan, session: &session };
    let Some(results) = search.climb(&stages, results)? else {
        return Ok(session.interrupted("find", folder.path()));
    };
    if let Some(best) = results.best() {
        let recipe = search.recipe(best.trial, best.epochs).to_toml().map_err(TrainError::from)?;
        let recipe = format!("# Found by `nin-cli find`: {}.\n\n{recipe}", results.verdict());
        let found = folder.found_path();
        save(&found, recipe.as_bytes())?;
        if let Some(output) = &arguments.output {
            note_replaced(output);
            save(output, recipe.as_bytes())?;
        }
        let data = arguments.data.as_ref();
        let data = data.map_or_else(String::new, |data| format!(" --data {}", quoted_path(data)));
        let path = arguments.output.as_ref().unwrap_or(&found);
        note(format!("train it with: nin-cli train{data} --config {}", quoted_path(path)));
    }
    match arguments.format {
        Format::Json => print_json(&results.outcome())?,
        Format::Text => print_text(&results.text())?,
    }
    if results.best().is_none() {
        let hint = "start another search from a lower rate, with --set optimizer.learning_rate=X";
        return Err(CommandError::new("every training diverged", hint).into());
    }
    Ok(ExitCode::SUCCESS)
}

/// A search to start or to resume.
struct Resolved {
    folder: SearchFolder,
    plan: Plan,
    /// The name, if the search takes the first free folder of this name.
    claims: Option<String>,
    /// Whether `data.selection` is unset, so that it may follow the data.
    selection_is_free: bool,
}

impl Resolved {
    fn of(arguments: &FindArguments, training: &TrainArguments) -> anyhow::Result<Self> {
        let named = named_recipe(training)?;
        let name = format!("{}-find", named.name());
        if arguments.resume {
            let path = match &arguments.run {
                Some(path) => path.clone(),
                None => latest_run(&name, SearchFolder::is_one)?,
            };
            let (folder, plan) = SearchFolder::open(&path)?;
            series::check_runs(&folder.runs())?;
            return Ok(Self { folder, plan, claims: None, selection_is_free: false });
        }
        let (recipe, is_named) = with_flags(named, training, None)?;
        let path = arguments.run.clone().unwrap_or_else(|| free_run(&name));
        let claims = arguments.run.is_none().then_some(name);
        let candidates = candidates(&recipe, usize::from(arguments.trials) - 1);
        let plan = Plan { candidates, recipe };
        let folder = SearchFolder::new(&path)?;
        Ok(Self { folder, plan, claims, selection_is_free: !is_named })
    }
}

/// A search that is under way.
struct Search<'a> {
    folder: &'a SearchFolder,
    plan: &'a Plan,
    session: &'a Session<'a>,
}

impl Search<'_> {
    /// Trains the trials of all rungs. Returns `None` if a signal interrupted it.
    fn climb(&self, rungs: &[Rung], mut results: Results) -> anyhow::Result<Option<Results>> {
        note(self.announcement(rungs));
        let mut trials: Vec<usize> = (1..=self.plan.candidates.len() + 1).collect();
        for (at, rung) in rungs.iter().enumerate() {
            for (done, trial) in trials.iter().enumerate() {
                let (stage, count) = (at + 1, trials.len());
                note(format!(
                    "rung {stage} of {}, training {} of {count}: trial {trial}, {} epochs",
                    rungs.len(),
                    done + 1,
                    rung.epochs
                ));
                let Some(training) = self.train(*trial, rung.epochs)? else { return Ok(None) };
                results.trainings.push(training);
                save(&self.folder.results_path(), &serde_json::to_vec_pretty(&results)?)?;
            }
            let next = rungs.get(at + 1).map_or(0, |next| next.trials);
            let mut ranked = results.ranked(trials.len());
            ranked.truncate(next);
            // The recipe is compared to the end, whatever its rank.
            if !ranked.contains(&1) {
                ranked.insert(0, 1);
            }
            ranked.sort_unstable();
            trials = ranked;
        }
        Ok(Some(results))
    }

    fn announcement(&self, rungs: &[Rung]) -> String {
        let all = self.plan.recipe.training.epochs.max(1);
        let stages = rungs.iter().map(|rung| format!("{} for {}", rung.trials, rung.epochs));
        let trained: usize = rungs.iter().map(|rung| rung.trials * rung.epochs).sum();
        // The recipe takes part even if it is not among the best.
        let recipe: usize = rungs.iter().skip(1).map(|rung| rung.epochs).sum();
        let trainings = |epochs: usize| epochs as f64 / all as f64;
        format!(
            "trials and their epochs: {}; in all, {:.1} to {:.1} times the training of the recipe",
            stages.collect::<Vec<_>>().join(", "),
            trainings(trained),
            trainings(trained + recipe),
        )
    }

    /// Returns the values of a trial; `None` for trial 1, the recipe itself.
    fn candidate(&self, trial: usize) -> Option<&Candidate> {
        self.plan.candidates.get(trial.checked_sub(2)?)
    }

    /// Returns the recipe of a trial, for a training of this length.
    fn recipe(&self, trial: usize, epochs: usize) -> Recipe {
        let recipe = shortened(&self.plan.recipe, epochs);
        self.candidate(trial).map_or_else(|| recipe.clone(), |values| values.applied(&recipe))
    }

    /// Trains a trial, or goes on with it. Returns `None` if a signal interrupted it.
    fn train(&self, trial: usize, epochs: usize) -> anyhow::Result<Option<Training>> {
        let recipe = self.recipe(trial, epochs);
        let of_recipe = || Candidate::of(&self.plan.recipe);
        let values = self.candidate(trial).copied().unwrap_or_else(of_recipe);
        let run = self.folder.run(trial, epochs);
        let figures = match self.session.train(recipe, &run, RunFolder::is_run(&run), None) {
            Ok(summary) if summary.ending == Ending::Interrupted => return Ok(None),
            Ok(summary) => summary.best,
            Err(error) if series::diverged(&error) => {
                note(format!("warning: trial {trial}: {}", one_line(error.as_ref())));
                None
            }
            Err(error) => return Err(error),
        };
        if let Some(figures) = figures {
            note(format!("trial {trial}: validation acc {:.4}", figures.accuracy));
        }
        Ok(Some(Training { trial, epochs, values, figures }))
    }
}

//! `train`: trains a recipe and prints the book's two closing lines.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nin_data::Part;
use nin_train::recipe::{Recipe, ScheduleKind};
use nin_train::{Ending, RunHistory, Summary};

use crate::arguments::TrainArguments;
use crate::error::CommandError;
use crate::exit::INTERRUPTED;
use crate::output::{Format, note, print_json, print_text};
use crate::quote::quoted_path;
use crate::ranks::{Group, is_root};
use crate::session::Session;
use crate::settings::{TrainSettings, claim_run};

pub fn run(arguments: &TrainArguments) -> anyhow::Result<ExitCode> {
    let (summary, run) = Group::together(|group| {
        let run = Run::open(arguments, group)?;
        Ok((run.train(arguments, group)?, run))
    })?;
    if is_root() {
        return run.finish(&summary, arguments);
    }
    Ok(match summary.ending {
        Ending::Interrupted => ExitCode::from(INTERRUPTED),
        Ending::Collapsed => ExitCode::FAILURE,
        Ending::StoppedEarly | Ending::Finished => ExitCode::SUCCESS,
    })
}

/// A run to train.
struct Run<'a> {
    recipe: Recipe,
    session: Session<'a>,
    folder: PathBuf,
    /// Whether the folder was created for this run.
    is_claimed: bool,
}

impl<'a> Run<'a> {
    /// Opens everything that the run needs, and compares it with what the other processes opened.
    fn open(arguments: &'a TrainArguments, group: Option<&Group>) -> anyhow::Result<Self> {
        let settings = TrainSettings::resolve(arguments);
        if let Some(group) = group {
            group.begin(settings.as_ref().ok().map(|settings| &settings.recipe))?;
        }
        let opened = settings.and_then(|settings| {
            let TrainSettings { mut recipe, folder, claims, sources } = settings;
            let session = Session::open(arguments, &mut recipe, sources)?;
            let fingerprint = session.fingerprint(&recipe)?;
            Ok((recipe, session, folder, claims, fingerprint))
        });
        if let Some(group) = group {
            group.check(opened.as_ref().map(|(.., fingerprint)| fingerprint.clone()))?;
        }
        let (recipe, session, folder, claims, _) = opened?;
        // Created last, so that an early failure leaves nothing behind.
        let claims = claims.filter(|_| is_root());
        let folder = claims.as_deref().map_or(Ok(folder), claim_run)?;
        Ok(Self { recipe, session, folder, is_claimed: claims.is_some() })
    }

    fn train(&self, arguments: &TrainArguments, group: Option<&Group>) -> anyhow::Result<Summary> {
        let Self { recipe, session, folder, is_claimed } = self;
        session.train(recipe.clone(), folder, arguments.resume, group).inspect_err(|_| {
            if *is_claimed {
                // Removes it only if it is empty.
                let _ = std::fs::remove_dir(folder);
            }
        })
    }

    fn finish(&self, summary: &Summary, arguments: &TrainArguments) -> anyhow::Result<ExitCode> {
        let can_go_on = !matches!(self.recipe.schedule.kind, ScheduleKind::Cosine { .. });
        finish(summary, &self.session, arguments, &self.folder, can_go_on)
    }
}

fn finish(
    summary: &Summary,
    session: &Session<'_>,
    arguments: &TrainArguments,
    folder: &Path,
    can_go_on: bool,
) -> anyhow::Result<ExitCode> {
    match summary.ending {
        Ending::Interrupted => return Ok(session.interrupted("train", folder)),
        Ending::Collapsed => return Err(collapsed(folder)),
        Ending::StoppedEarly => note("stopped early: no better checkpoint within the patience"),
        Ending::Finished => {}
    }
    if arguments.format == Format::Json {
        print_json(summary)?;
    } else if let Some(lines) = summary.closing_lines(session.device()) {
        print_text(&lines)?;
    } else {
        let (folder, epochs) = (folder.display(), summary.epochs);
        let more = if can_go_on {
            "train longer with --epochs N"
        } else {
            "its schedule ends there: to train longer, start another --run with more --epochs"
        };
        note(format!("{folder} is finished after epoch {epochs}; {more}"));
    }
    if let Some(line) = best_line(summary, folder) {
        note(line);
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns a line about the best epoch, if it is not the last one, whose figures were just printed.
fn best_line(summary: &Summary, folder: &Path) -> Option<String> {
    let last = summary.last_epoch.as_ref()?;
    let history = RunHistory::read(folder).ok()?;
    let best = history.best_epoch().filter(|best| best.epoch != last.epoch)?;
    let (epoch, accuracy, part) = (best.epoch, best.eval_accuracy, best.evaluated_on);
    let chosen_on = match part {
        Part::Test => ", selected on the test images",
        Part::Train | Part::Validation => "",
    };
    let part = part.short_name();
    Some(format!(
        "best: epoch {epoch}, {part} acc {accuracy:.3}{chosen_on}; eval and predict use it"
    ))
}

/// Returns the error of a run that the sentinel ended.
fn collapsed(folder: &Path) -> anyhow::Error {
    let run = quoted_path(folder);
    CommandError::new(
        format!("the run {run} collapsed and was stopped, its state saved"),
        "see its warnings; continue anyway with --resume --on-collapse warn, or restart with \
         another seed with --resume --on-collapse restart",
    )
    .into()
}

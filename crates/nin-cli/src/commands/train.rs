//! `train`: trains a recipe and prints the book's two closing lines.

use std::path::Path;
use std::process::ExitCode;

use nin_data::Part;
use nin_train::recipe::ScheduleKind;
use nin_train::{Ending, RunHistory, Summary};

use crate::arguments::TrainArguments;
use crate::error::CommandError;
use crate::output::{Format, note, print_json, print_text};
use crate::quote::quoted_path;
use crate::session::Session;
use crate::settings::{TrainSettings, claim_run};

pub fn run(arguments: &TrainArguments) -> anyhow::Result<ExitCode> {
    let TrainSettings { mut recipe, folder, claims, sources } = TrainSettings::resolve(arguments)?;
    let session = Session::open(arguments, &mut recipe, sources)?;
    let can_go_on = !matches!(recipe.schedule.kind, ScheduleKind::Cosine { .. });
    // Created last, so that an early failure leaves nothing behind.
    let folder = claims.as_deref().map_or(Ok(folder), claim_run)?;
    let summary = session.train(recipe, &folder, arguments.resume).inspect_err(|_| {
        if claims.is_some() {
            // Removes it only if it is empty.
            let _ = std::fs::remove_dir(&folder);
        }
    })?;
    finish(&summary, &session, arguments, &folder, can_go_on)
}

fn finish(
    summary: &Summary,
    session: &Session<'_>,
    arguments: &TrainArguments,
    folder: &Path,
    can_go_on: bool,
) -> anyhow::Result<ExitCode> {
    match summary.ending {
        Ending::Interrupted => return Ok(session.interrupted(folder)),
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

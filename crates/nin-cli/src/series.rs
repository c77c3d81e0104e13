//! What folders of several runs share: the file with their plan, and the folders of their runs.

use std::path::{Path, PathBuf};

use nin_data::own_files::{NotOwn, require_folder};
use nin_train::files::{check_sealed_text, read_file, sealed_text};
use nin_train::{TrainError, one_line};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::CommandError;
use crate::output::{create_folder, save};

/// The largest plan, in bytes: ten thousand seeds and a recipe take less.
const LARGEST_PLAN: u64 = 2 << 20;

/// Checks that a new folder is empty or does not exist. `is_series` says whether it already holds such runs.
pub fn check_unused(path: &Path, is_series: bool) -> Result<(), CommandError> {
    let is_used = std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
    if !is_used {
        return Ok(());
    }
    let what = if is_series { "already holds runs" } else { "is not empty" };
    Err(CommandError::new(
        format!("`{}` {what}", path.display()),
        "resume its runs with --resume, or choose another folder with --run",
    ))
}

/// Reads a plan. `writer` is the command that writes it.
pub fn read_plan<P: DeserializeOwned>(plan: &Path, writer: &str) -> Result<P, CommandError> {
    let bytes = read_file(plan, LARGEST_PLAN).map_err(|error| {
        CommandError::new(one_line(&error), format!("name a folder that `{writer}` wrote"))
    })?;
    let damaged = |message: String| {
        let hint = "resume its runs one by one, or start again in another --run folder";
        CommandError::new(message, hint)
    };
    check_sealed_text(plan, &bytes).map_err(|error| damaged(error.to_string()))?;
    toml::from_slice(&bytes)
        .map_err(|error| damaged(format!("`{}` is damaged: {}", plan.display(), error.message())))
}

/// Writes a plan and creates its folder if necessary.
pub fn write_plan(path: &Path, plan: &impl Serialize) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        create_folder(folder)?;
    }
    save(path, sealed_text(&toml::to_string(plan)?).as_bytes())
}

/// Checks that each run is a folder or does not exist. A link would lead to another run.
pub fn check_runs(runs: &[PathBuf]) -> Result<(), CommandError> {
    for run in runs {
        if let Some(found) = require_folder(run).err().as_ref().and_then(NotOwn::of) {
            let message = format!("`{}` is {found}, expected a folder", run.display());
            return Err(CommandError::new(message, "replace it with the run folder, or remove it"));
        }
    }
    Ok(())
}

/// Returns whether a run ended because its loss or a gradient was not finite. The next run may still succeed.
pub fn diverged(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<TrainError>(), Some(TrainError::NonFinite { .. }))
}

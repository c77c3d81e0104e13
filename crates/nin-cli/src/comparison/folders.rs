//! Finds the runs in folders.

use std::path::{Path, PathBuf};

use nin_train::{RunFolder, RunHistory, TrainError};

use crate::error::{CommandError, check_is_local};

/// Reads the runs of these folders. A folder of runs is expanded to its runs.
pub fn read(paths: &[PathBuf]) -> anyhow::Result<Vec<RunHistory>> {
    let mut histories = Vec::new();
    for path in paths {
        for folder in runs_in(path)? {
            histories.push(RunHistory::read(&folder)?);
        }
    }
    Ok(histories)
}

/// Returns the folder itself if it is a run, else the runs in it, ordered by number.
fn runs_in(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if RunFolder::is_run(path) {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).map(|entries| {
        let entries = entries.filter_map(|entry| Some(entry.ok()?.path()));
        entries.filter(|path| RunFolder::is_run(path)).collect::<Vec<_>>()
    });
    let mut runs = entries.unwrap_or_default();
    if runs.is_empty() {
        check_is_local(path)?;
        let reason =
            if path.exists() { "the folder contains no runs" } else { "no such file or folder" };
        let (path, reason) = (path.to_owned(), reason.to_owned());
        let error = TrainError::NoCheckpoint { path, reason };
        let hint = "name a run folder, or a folder of runs from `train --seeds`";
        return Err(CommandError::new(error.to_string(), hint).into());
    }
    runs.sort_by_cached_key(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let digits = name.len() - name.trim_end_matches(|last: char| last.is_ascii_digit()).len();
        let (word, number) = name.split_at(name.len() - digits);
        (word.to_owned(), number.parse::<u64>().ok(), name)
    });
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_a_folder_are_sorted_by_number() {
        let root = tempfile::tempdir().unwrap();
        for name in ["seed-10", "seed-9", "other", "seed-100"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
            std::fs::write(root.path().join(name).join("recipe.toml"), "").unwrap();
        }
        std::fs::create_dir(root.path().join("no-run")).unwrap();
        let runs = runs_in(root.path()).unwrap();
        let names: Vec<_> = runs.iter().map(|run| run.file_name().unwrap()).collect();
        assert_eq!(names, ["other", "seed-9", "seed-10", "seed-100"]);
        assert!(runs_in(&root.path().join("no-run")).is_err());
    }
}

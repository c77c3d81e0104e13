//! Simulates a power failure after each file system operation of a run that saves checkpoints. Whatever reached the
//! disk, the run must hold an intact checkpoint that is not older than the last one announced.
//!
//! A file system promises little: a file's content is on the disk once the file was flushed, and a change of a folder's
//! entries once the folder was. Any part of the rest may be missing. The tests try each subset of these changes, with
//! unflushed files empty or cut in half.

use std::fs;
use std::path::{Path, PathBuf};

use super::disk::{Operation, without_exchange};
use super::recording;
use crate::checkpoint::load_model;
use crate::error::one_line;
use crate::metrics_log::{LoggedSoFar, MetricsLog};
use crate::{RunFolder, checkpoint, sample};

/// The path of the run. Its parent folder does not exist yet.
const RUN: &str = "runs/run";

/// The file system operations of a run, and its announced checkpoints.
struct History {
    root: tempfile::TempDir,
    operations: Vec<Operation>,
    /// For each announced checkpoint: the number of operations until then, and its total steps.
    announced: Vec<(usize, usize)>,
}

/// Records a new run, its log, and three epochs with checkpoints in mid-epoch. The second epoch is the best. The last
/// checkpoint is written twice, as by a run that is killed and resumed. Two checkpoints are kept.
fn history() -> History {
    let root = tempfile::tempdir().unwrap();
    let ((run, _lock), operations) = recording(None, || {
        let (run, lock) =
            RunFolder::create(&root.path().join(RUN), &sample::recipe(), None).unwrap();
        MetricsLog::open(&run, LoggedSoFar::default(), Box::new(())).unwrap();
        (run, lock)
    });
    let mut history = History { root, operations, announced: Vec::new() };
    for (total_steps, best) in
        [(5, false), (10, true), (15, false), (20, true), (30, false), (30, false)]
    {
        let (written, operations) = recording(None, || sample::write(&run, total_steps, best));
        written.unwrap();
        history.operations.extend(operations);
        history.announced.push((history.operations.len(), total_steps));
        let ((), operations) = recording(None, || checkpoint::prune(&run, 2).unwrap());
        history.operations.extend(operations);
    }
    history
}

/// Returns the folders whose entries an operation changes.
fn changed_folders(operation: &Operation) -> Vec<&Path> {
    let paths = match operation {
        Operation::CreateFolder(path)
        | Operation::Write(path, _)
        | Operation::Link(_, path)
        | Operation::Remove(path) => vec![path],
        Operation::Rename(from, to) | Operation::Exchange(from, to) => vec![from, to],
        Operation::SyncFile(_) | Operation::SyncFolder(_) => vec![],
    };
    paths.into_iter().filter_map(|path| path.parent()).collect()
}

/// Returns whether this operation is certain to be on the disk.
fn is_flushed(operations: &[Operation], number: usize) -> bool {
    let later = &operations[number + 1..];
    changed_folders(&operations[number]).into_iter().all(|folder| {
        later.iter().any(|later| matches!(later, Operation::SyncFolder(path) if path == folder))
    })
}

/// Adds the operations that created the source of each chosen rename.
fn with_sources(operations: &[Operation], chosen: &mut [bool]) {
    for number in (0..operations.len()).rev().filter(|&number| chosen[number]).collect::<Vec<_>>() {
        let sources = match &operations[number] {
            Operation::Rename(from, _) => vec![from],
            Operation::Exchange(one, other) => vec![one, other],
            _ => vec![],
        };
        for earlier in 0..number {
            chosen[earlier] |= match &operations[earlier] {
                Operation::CreateFolder(path)
                | Operation::Write(path, _)
                | Operation::Link(_, path) => sources.contains(&path),
                _ => false,
            };
        }
    }
}

/// How much of an unflushed file reached the disk.
#[derive(Clone, Copy, PartialEq)]
enum Share {
    Nothing,
    Half,
}

/// Applies an operation to the simulated disk. Ignores operations that cannot apply there.
fn apply(operations: &[Operation], number: usize, share: Share, place: impl Fn(&Path) -> PathBuf) {
    let operation = &operations[number];
    let is_flushed = is_flushed(operations, number);
    let _ = match operation {
        Operation::CreateFolder(path) => fs::create_dir(place(path)),
        Operation::Write(path, content) => {
            let is_whole = operations[number..]
                .iter()
                .any(|later| matches!(later, Operation::SyncFile(flushed) if flushed == path));
            let length = match share {
                _ if is_whole => content.len(),
                Share::Nothing => 0,
                Share::Half => content.len() / 2,
            };
            fs::write(place(path), &content[..length])
        }
        Operation::Rename(from, to) => fs::rename(place(from), place(to)),
        Operation::Exchange(one, other) => super::disk::exchange(&place(one), &place(other)),
        Operation::Link(target, path) => super::disk::link(target, &place(path)),
        Operation::Remove(path) if share == Share::Half && !is_flushed => fs::read_dir(place(path))
            .map(|mut entries| {
                if let Some(Ok(entry)) = entries.next() {
                    let _ = fs::remove_file(entry.path());
                }
            }),
        Operation::Remove(path) => fs::remove_dir_all(place(path)),
        Operation::SyncFile(_) | Operation::SyncFolder(_) => Ok(()),
    };
}

/// Simulates a power failure after each operation. Returns the number of disk states tried, or the failure in one.
fn replay(history: &History) -> Result<usize, String> {
    let mut states = 0;
    for length in 0..=history.operations.len() {
        let operations = &history.operations[..length];
        let pending: Vec<usize> =
            (0..length).filter(|&number| !is_flushed(operations, number)).collect();
        for subset in subsets(pending.len()) {
            for share in [Share::Nothing, Share::Half] {
                let mut chosen = vec![true; length];
                for (bit, &number) in pending.iter().enumerate() {
                    chosen[number] = subset >> bit & 1 == 1;
                }
                with_sources(operations, &mut chosen);
                check(history, operations, &chosen, share)?;
                states += 1;
            }
        }
    }
    Ok(states)
}

#[test]
fn a_loss_of_power_at_any_moment_leaves_a_whole_checkpoint() {
    let states = replay(&history()).unwrap();
    println!("{states} states of the disk were tried");
    assert!(states > 500, "only {states} states were tried");
}

#[test]
fn nor_does_it_take_one_where_a_file_system_knows_no_exchange() {
    let history = without_exchange(history);
    let is_exchange = |operation: &Operation| matches!(operation, Operation::Exchange(..));
    assert!(!history.operations.iter().any(is_exchange));
    replay(&history).unwrap();
}

#[test]
fn a_writer_that_forgets_to_flush_is_found_out() {
    type Kind = fn(&Operation) -> bool;
    let files: Kind = |operation| matches!(operation, Operation::SyncFile(_));
    let folders: Kind = |operation| matches!(operation, Operation::SyncFolder(_));
    for forgotten in [files, folders] {
        let mut history = history();
        let all = std::mem::take(&mut history.operations);
        // Only the first save and its announcement.
        let first = &all[..history.announced[0].0];
        history.operations = first.iter().filter(|one| !forgotten(one)).cloned().collect();
        history.announced = vec![(history.operations.len(), history.announced[0].1)];
        assert!(replay(&history).is_err());
    }
}

/// Returns all subsets of up to five changes. Of more, returns every prefix, and the subsets with exactly one change or
/// all but one.
fn subsets(count: usize) -> Vec<usize> {
    const FEW: usize = 5;
    let all = (1_usize << count) - 1;
    if count <= FEW {
        return (0..=all).collect();
    }
    let ones = || (0..count).map(|bit| 1 << bit);
    let in_order = (0..=count).map(|bits| (1 << bits) - 1);
    in_order.chain(ones()).chain(ones().map(|one| all ^ one)).collect()
}

fn check(
    history: &History,
    operations: &[Operation],
    chosen: &[bool],
    share: Share,
) -> Result<(), String> {
    // In memory if possible: nothing here has to last.
    let memory = Path::new("/dev/shm");
    let root = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let root = root.unwrap();
    let place = |path: &Path| root.path().join(path.strip_prefix(history.root.path()).unwrap());
    for number in (0..operations.len()).filter(|&number| chosen[number]) {
        apply(operations, number, share, place);
    }
    let announced = history.announced.iter().rev().find(|(length, _)| *length <= operations.len());
    let context = || format!("behind {} operations, {chosen:?}", operations.len());

    let path = root.path().join(RUN);
    let resumed = RunFolder::resume(&path).and_then(|(mut run, mut lock)| {
        run.claim(&mut lock)?;
        Ok((run, lock))
    });
    let (run, _lock) = match resumed {
        // Nothing was announced yet, and the remnants must not block a new run.
        Err(_) if announced.is_none() => {
            let created = RunFolder::create(&path, &sample::recipe(), None);
            created.map_err(|error| format!("{}: {}", one_line(&error), context()))?
        }
        other => other.map_err(|error| format!("{}: {}", one_line(&error), context()))?,
    };
    let newest = checkpoint::newest_whole(&run, 1)
        .map_err(|error| format!("{}: {}", one_line(&error), context()))?;
    if !newest.warnings.is_empty() {
        return Err(format!("{:?}: {}", newest.warnings, context()));
    }
    let found = newest.checkpoint.map_or(0, |checkpoint| checkpoint.state.total_steps);
    let expected = announced.map_or(0, |(_, total_steps)| *total_steps);
    if found < expected {
        return Err(format!("{found} steps of {expected}: {}", context()));
    }
    if announced.is_some() {
        if !run.metrics_path().exists() {
            return Err(format!("the log is gone: {}", context()));
        }
        // What `eval` opens: the best checkpoint, or the latest.
        load_model(run.path()).map_err(|error| format!("{error}: {}", context()))?;
    }
    Ok(())
}

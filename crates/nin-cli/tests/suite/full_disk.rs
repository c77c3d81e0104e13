//! Training on a disk that fills up: a small tmpfs, if this process may mount one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nin_testing::Need;

use crate::program::{metrics, nin};
use crate::signals::Running;
use crate::workshop::Workshop;

/// A file system of one mebibyte, unmounted on drop.
pub(crate) struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Returns `None` if it cannot be mounted.
    pub(crate) fn mount(path: PathBuf) -> Option<Self> {
        fs::create_dir(&path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "nin-test"])
            .arg(&path)
            .output();
        let reason = match mounted {
            Ok(output) if output.status.success() => return Some(Self { path }),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        Need::Tmpfs.skip(format!("no tmpfs: {reason}"));
        None
    }

    /// Fills it to the last byte.
    pub(crate) fn fill(&self) {
        let ballast = vec![0; 2 << 20];
        let error = fs::write(self.ballast(), ballast).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    }

    pub(crate) fn make_room(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

const OPTIONS: [&str; 6] =
    ["--backend", "flex", "--set", "checkpoint.every_steps=2", "--epochs", "400"];

fn start(workshop: &Workshop) -> Running {
    let run = ["--config", "small.toml", "--data", "data", "--run", "disk/run"];
    Running::start(workshop, &[&run[..], &OPTIONS].concat())
}

fn evaluates(folder: &Path) {
    nin(folder, &["eval", "--checkpoint", "disk/run", "--data", "data"]).ok();
}

#[test]
fn training_survives_a_full_disk_and_saves_once_there_is_space() {
    let workshop = Workshop::new();
    let Some(disk) = SmallDisk::mount(workshop.path().join("disk")) else { return };
    let mut running = start(&workshop);
    running.wait_for(r#""event":"checkpoint""#);
    disk.fill();
    let warning = running.wait_for(r#""event":"warning""#);
    assert!(warning.contains("the training continues, and saves when there is room"), "{warning}");
    evaluates(workshop.path());
    disk.make_room();
    running.wait_for("there is room again: the state is saved");
    running.wait_for(r#""event":"epoch""#);
    running.signal("-TERM");
    let finished = running.finish();
    assert_eq!(finished.code, Some(130), "{}", finished.stderr);

    // The log is complete, and the result is that of an undisturbed run.
    let run = workshop.path().join("disk/run");
    let epochs = workshop.figures("disk/run");
    assert!(!epochs.is_empty());
    let steps = metrics(&run).iter().filter(|event| event["event"] == "step").count();
    assert!(steps >= epochs.len() * 5, "{steps} steps of {} epochs", epochs.len());
    let epochs_text = epochs.len().to_string();
    workshop.train("undisturbed", &["--backend", "flex", "--epochs", &epochs_text]).ok();
    assert_eq!(workshop.figures("undisturbed"), epochs);
}

#[test]
fn a_disk_that_stays_full_is_an_error_at_the_end_and_the_run_resumes() {
    let workshop = Workshop::new();
    let Some(disk) = SmallDisk::mount(workshop.path().join("disk")) else { return };
    let mut running = start(&workshop);
    running.wait_for(r#""event":"checkpoint""#);
    disk.fill();
    running.wait_for(r#""event":"warning""#);
    running.signal("-TERM");
    let finished = running.finish();
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("error: the last state of the run `disk/run` could not be saved"),
        "{}",
        finished.stderr
    );
    assert!(
        finished.stderr.contains("(nin-cli train --run disk/run --resume)"),
        "{}",
        finished.stderr
    );
    evaluates(workshop.path());

    disk.make_room();
    let running = Running::start(&workshop, &["--run", "disk/run", "--resume", "--data", "data"]);
    running.signal("-TERM");
    let finished = running.finish();
    assert_eq!(finished.code, Some(130), "{}", finished.stderr);
    evaluates(workshop.path());
}

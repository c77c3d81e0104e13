//! Independence of the working directory, of too large `--threads`, and of other runs.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::program::{command, finish, isolate, nin};
use crate::workshop::{Workshop, words};

const SHORT: &str =
    "train --config small.toml --data data --backend flex --epochs 1 --progress none";

#[test]
fn files_in_the_working_directory_do_not_configure_the_backend() {
    let workshop = Workshop::new();
    let root = workshop.path();
    for name in ["burn.toml", "Burn.toml", "cubecl.toml", "CubeCL.toml"] {
        let parent = root.join(name.replace('.', "-"));
        let inner = parent.join("inner");
        fs::create_dir_all(&inner).unwrap();
        let line = SHORT.replace("small.toml", "../../small.toml");
        let line = line.replace("--data data", "--data ../../data");
        fs::write(parent.join(name), "[[[ this is not ours").unwrap();
        nin(&inner, &words(&format!("{line} --run text"))).ok();
        fs::remove_file(parent.join(name)).unwrap();
        let made = Command::new("mkfifo").arg(inner.join(name)).status().unwrap();
        assert!(made.success());
        let mut child = command(&inner, &words(&format!("{line} --run pipe")));
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Reading a pipe without a writer would block.
        let patience = std::time::Duration::from_mins(2);
        let begun = std::time::Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if begun.elapsed() > patience {
                child.kill().unwrap();
                break None;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        };
        assert_eq!(status.and_then(|status| status.code()), Some(0), "{name}");
    }
}

#[test]
fn a_deleted_working_directory_is_not_an_error() {
    let workshop = Workshop::new();
    let root = workshop.path().canonicalize().unwrap();
    let gone = root.join("gone");
    let path = |name: &str| root.join(name).display().to_string();
    let train = format!(
        "train --config {} --data {} --run {} --backend flex --epochs 1 --progress none",
        path("small.toml"),
        path("data"),
        path("run")
    );
    let eval = format!("eval --checkpoint {} --data {} --backend flex", path("run"), path("data"));
    for arguments in [train, eval, "shapes".to_owned()] {
        let program = env!("CARGO_BIN_EXE_nin-cli");
        let script = format!(
            "mkdir '{0}' && cd '{0}' && rmdir '{0}' && exec '{program}' {arguments}",
            gone.display()
        );
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]);
        isolate(&mut shell, &root);
        finish(shell).ok();
    }
    // If the run folder is to be created there, it is an error as for any other folder.
    let program = env!("CARGO_BIN_EXE_nin-cli");
    let script = format!("mkdir gone && cd gone && rmdir ../gone && exec '{program}' train");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]);
    isolate(&mut shell, &root);
    let finished = finish(shell);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("error: cannot create the folder `runs`"),
        "{}",
        finished.stderr
    );
}

#[test]
fn threads_are_capped_at_the_cores_with_a_warning() {
    let workshop = Workshop::new();
    let cores = std::thread::available_parallelism().unwrap().get();
    let finished = nin(workshop.path(), &words(&format!("{SHORT} --run run --threads 1000"))).ok();
    let said = format!("warning: --threads 1000 exceeds the {cores} available cores");
    assert_eq!(finished.stderr.matches(&said).count(), 1, "{}", finished.stderr);
    let environment = fs::read(workshop.path().join("run/environment.json")).unwrap();
    let environment: Value = serde_json::from_slice(&environment).unwrap();
    assert_eq!(environment["threads"], cores);
    let finished = nin(workshop.path(), &words(&format!("{SHORT} --run one --threads 1"))).ok();
    assert!(!finished.stderr.contains("--threads"), "{}", finished.stderr);
}

#[test]
fn simultaneous_trainings_use_different_run_folders() {
    let workshop = Workshop::new();
    let children: Vec<_> = (0..6)
        .map(|at| {
            let more = if at < 4 { "--threads 1" } else { "--threads 1 --seeds 1, --no-report" };
            let mut child = command(workshop.path(), &words(&format!("{SHORT} {more}")));
            child.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let runs = workshop.path().join("runs");
    let mut names: Vec<_> = fs::read_dir(&runs)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = ["small", "small-2", "small-3", "small-4", "small-seeds", "small-seeds-2"];
    assert_eq!(names, expected);
    for name in &expected[..4] {
        assert!(runs.join(name).join("summary.json").is_file(), "{name}");
    }
}

#[test]
fn the_folder_of_a_run_that_fails_to_start_is_removed() {
    let workshop = Workshop::new();
    // A file size limit: the recipe cannot be written.
    let program = env!("CARGO_BIN_EXE_nin-cli");
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -f 0; exec '{program}' {SHORT}")]);
    isolate(&mut shell, workshop.path());
    let output = shell.output().unwrap();
    assert!(!output.status.success());
    let finished = nin(workshop.path(), &words(SHORT)).ok();
    assert!(finished.code == Some(0));
}

//! Training on several processes. Those of MPI need `mpirun` and a program that was built with the feature `mpi`.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nin_testing::Need;

use crate::full_disk::SmallDisk;
use crate::program::{Finished, command, finish, isolate, kill, metrics, nin};
use crate::signals::Running;
use crate::workshop::{Workshop, words};

/// Flags of every training here.
const SMALL: &str =
    "--config small.toml --data data --set training.micro_batches=4 --progress json";

/// A training that lasts some seconds, and saves often.
const LONGER: [&str; 4] = ["--epochs", "150", "--set", "checkpoint.every_steps=2"];

/// Starts the program as `mpirun` of Open MPI does, without MPI.
#[cfg(not(feature = "mpi"))]
#[test]
fn a_program_without_mpi_refuses_to_train_once_for_each_process() {
    let workshop = Workshop::new();
    for seeds in [&[][..], &["--seeds", "2"]] {
        let line = words("train --config small.toml --data data --run run");
        let mut command = command(workshop.path(), &[&line[..], seeds].concat());
        command.env("OMPI_COMM_WORLD_SIZE", "4");
        let Finished { code, stderr, .. } = finish(command);
        assert_eq!(code, Some(1), "{stderr}");
        assert!(stderr.starts_with("error: 4 processes were started"), "{stderr}");
        assert!(stderr.contains("hint: build it with `--features mpi`"), "{stderr}");
        assert!(!workshop.path().join("run").exists());
    }
}

/// Returns whether trainings on several processes can run here.
fn has_mpi() -> bool {
    let missing = if cfg!(not(feature = "mpi")) {
        Some("the program was built without the feature `mpi`")
    } else if Command::new("mpirun").arg("--version").output().is_err() {
        Some("there is no mpirun")
    } else {
        None
    };
    if let Some(reason) = missing {
        Need::Mpi.skip(reason);
    }
    missing.is_none()
}

/// Returns whether `mpirun` is that of Open MPI.
fn is_open_mpi() -> bool {
    let version = Command::new("mpirun").arg("--version").output().unwrap().stdout;
    String::from_utf8_lossy(&version).contains("Open MPI")
}

/// Returns a command that trains a run on this many processes.
fn together(workshop: &Workshop, ranks: usize, run: &str, more: &[&str]) -> Command {
    let line = [&words("train")[..], &words(SMALL), &["--run", run], more].concat();
    mpirun(workshop, ranks, &line)
}

/// Returns a command on this many processes.
fn mpirun(workshop: &Workshop, ranks: usize, line: &[&str]) -> Command {
    mpirun_of(workshop, ranks, &[&[env!("CARGO_BIN_EXE_nin-cli")], line].concat())
}

/// Returns a command that trains a run on this many processes, each in a shell that runs this script around it.
fn in_shells(workshop: &Workshop, ranks: usize, script: &str, run: &str, more: &[&str]) -> Command {
    let shell = ["sh", "-c", script, env!("CARGO_BIN_EXE_nin-cli")];
    let line = [&shell, &words("train")[..], &words(SMALL), &["--run", run], more].concat();
    mpirun_of(workshop, ranks, &line)
}

/// Returns a command that starts another one this many times.
fn mpirun_of(workshop: &Workshop, ranks: usize, started: &[&str]) -> Command {
    let mut command = Command::new("mpirun");
    isolate(&mut command, workshop.path());
    for (name, value) in [
        ("OMPI_ALLOW_RUN_AS_ROOT", "1"),
        ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"),
        // More processes than cores.
        ("OMPI_MCA_rmaps_base_oversubscribe", "1"),
        // Waiting processes leave the cores to the others.
        ("OMPI_MCA_mpi_yield_when_idle", "1"),
        // Seconds before processes are terminated, and again before they are killed.
        ("OMPI_MCA_odls_base_sigkill_timeout", "3"),
        // Containers forbid it, and Open MPI says so.
        ("OMPI_MCA_btl_vader_single_copy_mechanism", "none"),
    ] {
        command.env(name, value);
    }
    command.args(["-n", &ranks.to_string()]).args(started);
    command
}

/// Trains a run on one process.
fn alone(workshop: &Workshop, run: &str, more: &[&str]) -> Finished {
    nin(workshop.path(), &[&words("train")[..], &words(SMALL), &["--run", run], more].concat())
}

#[test]
fn any_number_of_processes_gives_the_weights_of_one_and_prints_once() {
    if !has_mpi() {
        return;
    }
    let workshop = Workshop::new();
    alone(&workshop, "1", &[]).ok();
    for ranks in [2, 4] {
        let run = ranks.to_string();
        let output = finish(together(&workshop, ranks, &run, &[])).ok();
        assert_eq!(workshop.weights(&run), workshop.weights("1"), "{ranks} ranks");
        assert_eq!(workshop.figures(&run), workshop.figures("1"), "{ranks} ranks");
        assert_eq!(output.stdout.lines().count(), 2, "{}", output.stdout);
        let starts = output.stderr.matches(r#""event":"start""#).count();
        assert_eq!(starts, 1, "{}", output.stderr);
    }
    let refused = finish(together(&workshop, 3, "3", &[]));
    assert_eq!(refused.stderr.matches("allows 1, 2, 4 ranks").count(), 1, "{}", refused.stderr);
    assert!(!workshop.path().join("3").exists());
}

#[test]
fn a_terminated_and_a_killed_training_go_on_with_another_number_of_processes() {
    if !has_mpi() {
        return;
    }
    let workshop = Workshop::new();
    alone(&workshop, "whole", &LONGER).ok();
    let resume = [&LONGER[..], &["--resume"]].concat();

    // The shell waits for the program, whose exit code `mpirun` does not tell.
    let script = r#"trap : TERM; "$0" "$@"; code=$?
        echo $code > "code-${OMPI_COMM_WORLD_RANK:-$PMI_RANK}"; exit $code"#;
    let terminated = in_shells(&workshop, 2, script, "terminated", &LONGER);
    let mut running = Running::start_command(terminated);
    running.wait_for(r#""event":"epoch""#);
    running.signal("-TERM");
    let stopped = running.finish();
    assert_interrupted(&workshop, "terminated", &stopped);
    for rank in 0..2 {
        let code = std::fs::read_to_string(workshop.path().join(format!("code-{rank}")));
        assert_eq!(code.unwrap().trim(), "130", "rank {rank}: {}", stopped.stderr);
    }
    alone(&workshop, "terminated", &resume).ok();
    assert_eq!(workshop.weights("terminated"), workshop.weights("whole"));

    let mut running = Running::start_command(together(&workshop, 4, "killed", &LONGER));
    running.wait_for(r#""event":"epoch""#);
    kill_last_rank(&workshop.path().join("killed"));
    let begun = Instant::now();
    let killed = running.finish();
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_ne!(killed.code, Some(0), "{}", killed.stderr);
    finish(together(&workshop, 2, "killed", &resume)).ok();
    assert_eq!(workshop.weights("killed"), workshop.weights("whole"));
}

/// Asserts that a terminated training saved its state. It may not have said so: after its SIGTERM, `mpirun` of Open MPI
/// passes nothing on. The exit code of MPICH's says nothing: it is 0 now and then, whatever its processes return.
fn assert_interrupted(workshop: &Workshop, run: &str, stopped: &Finished) {
    let events = metrics(&workshop.path().join(run));
    assert_eq!(events.last().unwrap()["ending"], "interrupted", "{}", stopped.stderr);
    if is_open_mpi() {
        assert_ne!(stopped.code, Some(0));
    }
}

#[test]
fn a_full_disk_of_rank_0_is_reported_once_by_rank_and_host() {
    if !has_mpi() {
        return;
    }
    let workshop = Workshop::new();
    let Some(disk) = SmallDisk::mount(workshop.path().join("disk")) else { return };
    alone(&workshop, "whole", &LONGER).ok();
    let mut running = Running::start_command(together(&workshop, 2, "disk/run", &LONGER));
    running.wait_for(r#""event":"checkpoint""#);
    disk.fill();
    running.wait_for("the training continues, and saves when there is room");
    // Not `mpirun`, which would pass nothing on.
    kill("-TERM", root_of(&workshop.path().join("disk/run")));
    let stopped = running.finish();
    assert_ne!(stopped.code, Some(0));
    assert_eq!(stopped.stderr.matches("error: ").count(), 1, "{}", stopped.stderr);
    for part in ["error: rank 0 on ", "could not be saved", "hint: make room"] {
        assert!(stopped.stderr.contains(part), "{part}: {}", stopped.stderr);
    }
    disk.make_room();
    finish(together(&workshop, 4, "disk/run", &[&LONGER[..], &["--resume"]].concat())).ok();
    assert_eq!(workshop.weights("disk/run"), workshop.weights("whole"));
}

#[test]
fn several_seeds_are_shared_out_among_processes() {
    if !has_mpi() {
        return;
    }
    let workshop = Workshop::new();
    alone(&workshop, "one", &["--seeds", "3"]).ok();
    let output = finish(together(&workshop, 2, "two", &["--seeds", "3"])).ok();
    for seed in [1, 2, 3] {
        let [one, two] = ["one", "two"].map(|series| format!("{series}/seed-{seed}"));
        assert_eq!(workshop.weights(&one), workshop.weights(&two), "seed {seed}");
        assert!(workshop.path().join(&two).join("report.html").exists(), "seed {seed}");
        assert_eq!(
            output.stderr.matches(&format!("seed {seed}: loss ")).count(),
            1,
            "{}",
            output.stderr
        );
    }
    let table = output.stdout;
    assert_eq!(table.matches("median run: ").count(), 1, "{table}");
    assert!(table.contains("3 of 3 ended"), "{table}");

    // Terminated: both stop, and one process goes on.
    let longer = [&LONGER[..], &["--seeds", "2"]].concat();
    let mut running = Running::start_command(together(&workshop, 2, "cut", &longer));
    running.wait_for(r#""event":"epoch""#);
    running.signal("-TERM");
    let stopped = running.finish();
    assert_interrupted(&workshop, "cut/seed-1", &stopped);
    alone(&workshop, "cut", &[&longer[..], &["--resume"]].concat()).ok();
    alone(&workshop, "whole", &longer).ok();
    for seed in [1, 2] {
        let [cut, whole] = ["cut", "whole"].map(|series| format!("{series}/seed-{seed}"));
        assert_eq!(workshop.weights(&cut), workshop.weights(&whole), "seed {seed}");
    }
}

#[test]
fn processes_share_the_images_of_eval_and_the_pictures_of_predict() {
    if !has_mpi() {
        return;
    }
    let workshop = Workshop::new();
    let same = |line: &str| {
        let one = nin(workshop.path(), &words(line));
        let two = finish(mpirun(&workshop, 2, &words(line)));
        let code = |finished: &Finished| finished.code == Some(0);
        assert_eq!(code(&one), code(&two), "{line}: {}", two.stderr);
        (one, two)
    };
    let eval = "eval --checkpoint pretrained:record-fashion-mnist --dataset fashion-mnist-sample \
                --backend flex --batch-size 48 --format json";
    let (one, two) = same(eval);
    let [one, two] = [one, two].map(|finished| {
        let mut report = finished.json();
        let rate = report.as_object_mut().unwrap().remove("images_per_sec");
        let calibration = report.as_object_mut().unwrap().remove("calibration_error");
        assert!(rate.is_some() && calibration.is_some());
        // Sums of other order.
        report.as_object_mut().unwrap().remove("mean_probability");
        report
    });
    assert_eq!(one, two);

    let pictures = workshop.path().join("pictures");
    std::fs::create_dir(&pictures).unwrap();
    let clothes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/clothes");
    let found: Vec<_> = std::fs::read_dir(clothes)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "png"))
        .collect();
    for copy in 0..9 {
        for picture in &found {
            let name = format!("{copy}-{}", picture.file_name().unwrap().to_str().unwrap());
            std::fs::copy(picture, pictures.join(name)).unwrap();
        }
    }
    std::fs::write(pictures.join("4-damaged.png"), "no picture").unwrap();
    for format in ["text", "json", "jsonl", "csv"] {
        let (one, two) = same(&format!("predict pictures --backend flex --format {format}"));
        assert!(!one.stdout.is_empty() && one.stdout == two.stdout, "{format}: {}", two.stderr);
        let said = "1 of 91 pictures could not be classified, first `pictures/4-damaged.png`";
        assert_eq!(two.stderr.matches(said).count(), 1, "{format}: {}", two.stderr);
    }
    let (_, refused) = same("predict - --backend flex");
    assert!(refused.stderr.contains("cannot share pipes or standard input"), "{}", refused.stderr);
}

#[test]
fn the_mpirun_of_another_mpi_is_refused() {
    if !has_mpi() {
        return;
    }
    let workshop = Workshop::new();
    // What the other one gives each process. This one then finds a process alone.
    let size = if is_open_mpi() { "PMI_SIZE" } else { "OMPI_COMM_WORLD_SIZE" };
    let line = [&words("train")[..], &words(SMALL), &["--run", "run"]].concat();
    let mut started = command(workshop.path(), &line);
    started.env(size, "4");
    let Finished { code, stderr, .. } = finish(started);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("error: 4 processes were started, and the MPI of"), "{stderr}");
    assert!(!workshop.path().join("run").exists());
}

/// Returns the process that trains this run and writes its files.
fn root_of(run: &Path) -> u32 {
    std::fs::read_to_string(run.join("run.lock")).unwrap().trim().parse().unwrap()
}

/// Kills the process of the highest number that trains this run, which is not the root.
fn kill_last_rank(run: &Path) {
    let root = root_of(run);
    let line = |id: u32| std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let last = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .filter(|&id| id != root && line(id) == line(root))
        .max()
        .unwrap();
    kill("-KILL", last);
}

#[test]
fn processes_with_different_recipes_are_refused_by_name() {
    if !has_mpi() {
        return;
    }
    let workshop = Workshop::new();
    let refused = finish(two(&workshop, &["--seed", "9"]));
    let said = "training.seed is 9, on rank 0 it is 42 (rank 1 on ";
    assert_eq!(refused.stderr.matches(said).count(), 1, "{}", refused.stderr);
    assert!(!workshop.path().join("run").exists());

    // Without its data, a rank is named once, and nothing is left behind.
    let refused = finish(two(&workshop, &["--set", "data.dataset=absent"]));
    assert_eq!(refused.stderr.matches("error: ").count(), 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("(rank 1 on "), "{}", refused.stderr);
    assert!(!workshop.path().join("run").exists());
}

/// Returns a command that trains on two processes, the second one with more flags.
fn two(workshop: &Workshop, more: &[&str]) -> Command {
    let mut both = together(workshop, 1, "run", &[]);
    both.arg(":").args(together(workshop, 1, "run", more).get_args());
    both
}

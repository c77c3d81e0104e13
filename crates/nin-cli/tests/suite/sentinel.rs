//! The sentinel: a collapse is reported, and the run stops, continues or restarts as requested.

use std::fs;

use serde_json::Value;

use crate::hostile_folders::contents;
use crate::program::{Finished, metrics, nin};
use crate::workshop::{Workshop, copy_folder, words};

/// At this learning rate every class channel is pushed below zero for good, with any seed.
const DEADLY: &str = "--backend flex --set optimizer.kind=sgd --learning-rate 30 --epochs 8";

/// Returns the events with this name.
fn events(workshop: &Workshop, run: &str, name: &str) -> Vec<Value> {
    let mut events = metrics(&workshop.path().join(run));
    events.retain(|event| event["event"] == name);
    events
}

fn summary(workshop: &Workshop, run: &str) -> Value {
    let text = fs::read(workshop.path().join(run).join("summary.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn resume(workshop: &Workshop, run: &str, more: &str) -> Finished {
    let line = format!("train --run {run} --resume --data data --backend flex {more}");
    nin(workshop.path(), &words(&line))
}

#[test]
fn a_dead_network_is_reported_in_the_log_the_events_the_summary_and_the_report() {
    let workshop = Workshop::new();
    let finished = workshop.train("run", &words(DEADLY)).ok();
    let alarms = events(&workshop, "run", "alarm");
    let dead = alarms.iter().find(|alarm| alarm["alarm"] == "dead").expect("it is dead");
    assert_eq!((&dead["over"], &dead["steps"]), (&false.into(), &50.into()), "{dead}");
    assert_eq!(dead["gradient_norm"].as_f64(), Some(0.0), "{dead}");
    let silent = alarms.iter().rfind(|alarm| alarm["alarm"] == "silent_classes").unwrap();
    assert_eq!(silent["classes"].as_array().unwrap().len(), 3, "{silent}");
    for line in [
        "warning: epoch 3, step",
        "3 of 3 classes are silent (0, 1, 2)",
        "the network is dead: every image of the last 50 batches got the same answer, and the \
         gradient is exactly 0",
        "\nhint: ",
    ] {
        assert!(finished.stderr.contains(line), "{line}: {}", finished.stderr);
    }
    let summary = summary(&workshop, "run");
    let standing = summary["alarms"].as_array().unwrap();
    assert!(standing.contains(&"dead".into()), "{summary}");
    assert_eq!((&summary["ending"], &summary["attempt"]), (&"finished".into(), &1.into()));
    nin(workshop.path(), &words("report run --data data")).ok();
    let page = fs::read_to_string(workshop.path().join("run/report.html")).unwrap();
    assert!(page.contains("<h2 id=\"sentinel-title\">Sentinel</h2>"));
    assert!(page.contains("the network is dead: every image"));
}

#[test]
fn a_run_that_learns_raises_no_alarm() {
    let workshop = Workshop::new();
    let finished = workshop.train("run", &words("--backend flex --epochs 12")).ok();
    assert_eq!(events(&workshop, "run", "alarm"), Vec::<Value>::new());
    assert!(!finished.stderr.contains("warning"), "{}", finished.stderr);
}

#[test]
fn on_collapse_stop_ends_the_run_which_can_resume_to_the_same_bits() {
    let workshop = Workshop::new();
    workshop.train("uncut", &words(DEADLY)).ok();
    let stopped = workshop.train("run", &words(&format!("{DEADLY} --on-collapse stop")));
    assert_eq!(stopped.code, Some(1), "{}", stopped.stderr);
    assert_eq!(stopped.stdout, "");
    let error = "error: the run run collapsed and was stopped, its state saved";
    assert!(stopped.stderr.contains(error), "{}", stopped.stderr);
    assert!(stopped.stderr.contains("hint: "), "{}", stopped.stderr);
    assert_eq!(summary(&workshop, "run")["ending"], "collapsed");

    // Again, until another setting is given.
    let again = resume(&workshop, "run", "");
    assert_eq!(again.code, Some(1), "{}", again.stderr);
    resume(&workshop, "run", "--on-collapse warn").ok();
    assert!(workshop.weights("uncut") == workshop.weights("run"));
    assert_eq!(workshop.figures("uncut"), workshop.figures("run"));
    assert_eq!(events(&workshop, "uncut", "alarm"), events(&workshop, "run", "alarm"));
}

/// A learning rate at which some seeds of the small network die and others survive.
const LOTTERY: &str = "--backend flex --set optimizer.kind=sgd --learning-rate 0.6 --epochs 16 --set \
                       checkpoint.every_steps=7 --set checkpoint.keep=0";

/// Returns a run that was restarted once, its requested seed, and its final seed.
fn restarted(workshop: &Workshop) -> (String, u64, u64) {
    // Which seeds die depends on rounding, and so on the CPU.
    workshop.train("all", &words(&format!("{LOTTERY} --on-collapse restart --seeds 4,8,9"))).ok();
    for seed in [4, 8, 9] {
        let run = format!("all/seed-{seed}");
        if let [restart] = &events(workshop, &run, "restart")[..] {
            return (run, seed, restart["seed"].as_u64().unwrap());
        }
    }
    panic!("none of the seeds was begun again just once");
}

#[test]
fn a_restarted_run_matches_a_run_of_its_seed_wherever_it_was_interrupted() {
    let workshop = Workshop::new();
    let (run, asked, seed) = restarted(&workshop);
    let summary = summary(&workshop, &run);
    assert_eq!((&summary["seed"], &summary["attempt"]), (&seed.into(), &2.into()));
    let recipe = fs::read_to_string(workshop.path().join(&run).join("recipe.toml")).unwrap();
    assert!(recipe.contains(&format!("seed = {asked}\n")), "the seed asked for: {recipe}");

    workshop.train("plain", &words(&format!("{LOTTERY} --seed {seed}"))).ok();
    assert!(workshop.weights("plain") == workshop.weights(&run));
    // The log has both attempts; reports and comparisons use the last one.
    let (epochs, recorded) = (workshop.figures("plain"), workshop.figures(&run));
    assert!(recorded.len() > epochs.len());
    assert_eq!(recorded[recorded.len() - epochs.len()..], epochs);
    let compared = nin(workshop.path(), &["compare", &run, "plain", "--format", "json"]).json();
    assert_eq!(compared["runs"][0]["attempts"], 2);
    for key in ["seed", "train_loss", "test_accuracy", "epochs"] {
        assert_eq!(compared["runs"][0][key], compared["runs"][1][key], "{key}");
    }

    // Interrupted in the second attempt before its first checkpoint, later within
    // it, and between writing `attempt.json` and removing the first attempt's files.
    let path = |name: &str| workshop.path().join(name);
    for cut in ["early", "middle", "between"] {
        copy_folder(&path(&run), &path(cut));
    }
    fs::remove_dir_all(path("early/checkpoints")).unwrap();
    fs::remove_file(path("middle/checkpoints/latest")).unwrap();
    std::os::unix::fs::symlink("step-00000021", path("middle/checkpoints/latest")).unwrap();
    first_attempts_checkpoints(&workshop, "between", asked);
    for cut in ["early", "middle", "between"] {
        resume(&workshop, cut, "").ok();
        assert!(workshop.weights(&run) == workshop.weights(cut), "{cut}");
        assert_eq!(workshop.figures(&run), workshop.figures(cut), "{cut}");
        for name in ["alarm", "restart"] {
            assert_eq!(events(&workshop, &run, name), events(&workshop, cut, name), "{cut}");
        }
    }
    a_checkpoint_of_another_attempt_is_rejected(&workshop, &run);
    // A checkpoint that `attempt.json` does not list is not of the first attempt.
    fs::remove_file(path("early/attempt.json")).unwrap();
    let refused = resume(&workshop, "early", "--epochs 17");
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("attempt.json` is damaged"), "{}", refused.stderr);
}

/// Another attempt or seed than the run's is rejected, with and without the file's checksum, and every
/// checkpoint is kept.
fn a_checkpoint_of_another_attempt_is_rejected(workshop: &Workshop, run: &str) {
    copy_folder(&workshop.path().join(run), &workshop.path().join("damaged"));
    let path = workshop.path().join("damaged/attempt.json");
    let sealed: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let mut old = sealed.clone();
    old.as_object_mut().unwrap().remove("sha256").unwrap();
    for whole in [&sealed, &old] {
        for key in ["attempt", "seed"] {
            let mut changed = whole.clone();
            changed[key] = (changed[key].as_u64().unwrap() ^ 1).into();
            fs::write(&path, changed.to_string()).unwrap();
            let before = contents(&workshop.path().join("damaged"));
            let refused = resume(workshop, "damaged", "--epochs 17");
            assert_eq!(refused.code, Some(1), "{}", refused.stderr);
            for part in ["attempt.json` is damaged: expected ", "hint: restore the file"] {
                assert!(refused.stderr.contains(part), "{}", refused.stderr);
            }
            assert_eq!(contents(&workshop.path().join("damaged")), before, "{key}");
        }
    }
    // As written by an earlier version.
    fs::write(&path, old.to_string()).unwrap();
    resume(workshop, "damaged", "").ok();
}

/// Replaces a run's checkpoints by those of its abandoned attempt.
fn first_attempts_checkpoints(workshop: &Workshop, run: &str, seed: u64) {
    let line = format!("{LOTTERY} --seed {seed} --on-collapse stop");
    assert_eq!(workshop.train("first", &words(&line)).code, Some(1));
    let checkpoints = workshop.path().join(run).join("checkpoints");
    fs::remove_dir_all(&checkpoints).unwrap();
    copy_folder(&workshop.path().join("first/checkpoints"), &checkpoints);
}

#[test]
fn restarts_stop_after_ten_attempts() {
    let workshop = Workshop::new();
    let finished = workshop.train("run", &words(&format!("{DEADLY} --on-collapse restart")));
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(finished.stderr.contains("collapsed and was stopped"), "{}", finished.stderr);
    let restarts = events(&workshop, "run", "restart");
    let mut seeds: Vec<_> = restarts.iter().map(|event| event["seed"].as_u64()).collect();
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!((restarts.len(), seeds.len()), (9, 9));
}

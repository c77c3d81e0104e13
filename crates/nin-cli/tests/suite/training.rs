//! `train`, `eval` and `bench` on small data, on both CPU backends.

use std::path::Path;

use crate::program::{BENCH, command, finish, kill, metrics, nin};
use crate::workshop::{Workshop, words};

#[test]
fn any_idx_folder_trains_and_eval_reproduces_the_accuracy() {
    let workshop = Workshop::new();
    let finished = workshop.train("run", &["--backend", "flex"]).ok();
    let lines: Vec<&str> = finished.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}", finished.stdout);
    assert!(lines[0].starts_with("loss ") && lines[0].contains(", test acc "), "{}", lines[0]);
    assert!(lines[1].contains(" examples/sec on "), "{}", lines[1]);

    let best = workshop
        .figures("run")
        .iter()
        .map(|[_, _, accuracy]| accuracy.as_f64().unwrap())
        .fold(0.0, f64::max);
    assert!(best > 0.8, "three plain shapes are learnt: {best}");
    for backend in ["flex", "ndarray"] {
        let arguments = [
            "eval",
            "--checkpoint",
            "run",
            "--data",
            "data",
            "--format",
            "json",
            "--backend",
            backend,
        ];
        let report = nin(workshop.path(), &arguments).json();
        assert_eq!(report["accuracy"].as_f64().unwrap(), best);
        assert_eq!((&report["images"], &report["dataset"]), (&60.into(), &"shapes".into()));
        assert_eq!(report["confusion"].as_array().unwrap().len(), 3);
        assert_eq!(report["per_class"][2]["class"], "2");
    }
    for file in ["recipe.toml", "environment.json", "summary.json", "curves.svg", "metrics.jsonl"] {
        assert!(workshop.path().join("run").join(file).is_file(), "{file}");
    }
}

#[test]
fn the_closing_note_names_the_best_epoch_if_it_is_not_the_last() {
    let workshop = Workshop::new();
    // Weights that no longer change give equal accuracies, of which the first is the best.
    let still = ["--backend", "flex", "--epochs", "3", "--set", "optimizer.learning_rate=1e-30"];
    let finished = workshop.train("still", &still).ok();
    let figures = workshop.figures("still");
    let accuracy = figures[0][2].as_f64().unwrap();
    assert!(figures.iter().all(|[_, _, other]| other.as_f64() == Some(accuracy)));
    let chosen = "selected on the test images; eval and predict use it";
    let line = format!("best: epoch 1, test acc {accuracy:.3}, {chosen}");
    assert_eq!(finished.stderr.lines().last(), Some(&line[..]), "{}", finished.stderr);

    let finished = workshop.train("one", &["--backend", "flex", "--epochs", "1"]).ok();
    assert!(!finished.stderr.contains("best:"), "{}", finished.stderr);
}

#[test]
fn a_data_folder_is_not_named_after_the_embedded_sample() {
    let workshop = Workshop::new();
    let line = "train --data data --run run --epochs 1 --backend flex --progress plain";
    let finished = nin(workshop.path(), &words(line)).ok();
    assert!(finished.stderr.contains("quickstart on data at 1x"), "{}", finished.stderr);
    let recipe = std::fs::read_to_string(workshop.path().join("run/recipe.toml")).unwrap();
    assert!(recipe.contains("dataset = \"data\"\n"), "{recipe}");
    let page = std::fs::read_to_string(workshop.path().join("run/report.html")).unwrap();
    assert!(!page.contains("fashion-mnist-sample") && !page.contains("Ankle boot"));
    nin(workshop.path(), &words("train --data data --run run --resume --backend flex")).ok();
    let eval = nin(workshop.path(), &words("eval --checkpoint run --data data --format json"));
    assert_eq!(eval.json()["dataset"], "data");
    // An explicit name is kept.
    let named = "train --data data --dataset shapes --run named --epochs 1 --backend flex";
    nin(workshop.path(), &words(named)).ok();
    let eval = nin(workshop.path(), &words("eval --checkpoint named --data data --format json"));
    assert_eq!(eval.json()["dataset"], "shapes");
}

#[test]
fn one_seed_gives_identical_weights() {
    let workshop = Workshop::new();
    for backend in ["flex", "ndarray"] {
        let runs = [("1", "1"), ("4", "1"), ("0", "3")].map(|(workers, threads)| {
            let run = format!("{backend}-{workers}-{threads}");
            let options = ["--backend", backend, "--workers", workers, "--threads", threads];
            workshop.train(&run, &[&options[..], &["--epochs", "2"]].concat()).ok();
            run
        });
        for run in &runs[1..] {
            assert!(workshop.weights(&runs[0]) == workshop.weights(run), "{run}");
            assert_eq!(workshop.figures(&runs[0]), workshop.figures(run));
        }
    }
    // The same kernels give the same bits.
    assert!(workshop.weights("flex-1-1") == workshop.weights("ndarray-1-1"));
    workshop.train("other", &["--backend", "flex", "--epochs", "2", "--seed", "7"]).ok();
    assert!(workshop.weights("flex-1-1") != workshop.weights("other"));
}

#[test]
fn verbose_prints_the_fitted_initialization_which_is_always_logged() {
    let workshop = Workshop::new();
    let open = ["--set", "model.initialization=lsuv-open", "--epochs", "1"];
    let loud = workshop.train("loud", &[&open[..], &["-v"]].concat()).ok();
    let said: Vec<&str> = loud.stderr.lines().filter(|line| line.contains("deviation")).collect();
    assert_eq!(said.len(), 6, "three layers a block: {}", loud.stderr);
    assert!(said[0].contains("blocks.0.convolution: standard deviation 0."), "{}", said[0]);

    let quiet = workshop.train("quiet", &open).ok();
    assert!(!quiet.stderr.contains("deviation"), "{}", quiet.stderr);
    let fitted = |run: &str| {
        let events = metrics(&workshop.path().join(run));
        events.into_iter().find(|event| event["event"] == "fitted").unwrap()
    };
    assert_eq!(fitted("loud"), fitted("quiet"));
    let kaiming = workshop.train("kaiming", &["--epochs", "1", "-v"]).ok();
    assert!(!kaiming.stderr.contains("deviation"), "it does not follow the data");
}

#[test]
fn a_resumed_run_matches_an_uninterrupted_one() {
    let workshop = Workshop::new();
    for (kind, backend) in [("sgd", "flex"), ("adamw", "ndarray"), ("muon", "flex")] {
        let (uncut, cut) = (format!("{kind}-uncut"), format!("{kind}-cut"));
        let optimizer = format!("optimizer.kind={kind}");
        let options = [
            "--backend",
            backend,
            "--set",
            &optimizer,
            "--set",
            "optimizer.learning_rate=0.01",
            "--set",
            "optimizer.momentum=0.9",
        ];
        workshop.train(&uncut, &options).ok();
        workshop.train(&cut, &[&options[..], &["--epochs", "1"]].concat()).ok();
        let again = [
            "train",
            "--run",
            &cut,
            "--resume",
            "--data",
            "data",
            "--epochs",
            "4",
            "--backend",
            backend,
            "--workers",
            "3",
        ];
        nin(workshop.path(), &again).ok();
        assert!(workshop.weights(&uncut) == workshop.weights(&cut), "{kind}");
        assert_eq!(workshop.figures(&uncut), workshop.figures(&cut));
    }
}

#[test]
fn muon_is_bit_identical_across_threads() {
    let workshop = Workshop::new();
    // Layers so wide that Burn multiplies their matrices in several threads.
    let blocks = "model.blocks=[\
        { kernel = 3, stride = 4, widths = [192, 192, 192] }, \
        { kernel = 3, padding = 1, widths = [200, 200, \"classes\"] }]";
    let line = words("train --config small.toml --data data --progress none --epochs 1");
    for backend in ["flex", "ndarray"] {
        let train = |threads: &str| {
            let run = format!("{backend}-{threads}");
            let how = ["--run", &run, "--backend", backend, "--threads", threads];
            let options = ["--set", blocks, "--set", "optimizer.kind=muon"];
            let mut command = command(workshop.path(), &[&line[..], &how, &options].concat());
            // On ndarray, the products of Muon have threads of their own.
            command.env("MATMUL_NUM_THREADS", threads);
            finish(command).ok();
            workshop.weights(&run)
        };
        assert!(train("1") == train("2"), "{backend}");
    }
}

#[test]
fn a_run_interrupted_mid_epoch_resumes_from_its_last_step() {
    let workshop = Workshop::new();
    let options =
        ["--backend", "flex", "--set", "checkpoint.every_steps=4", "--set", "checkpoint.keep=0"];
    workshop.train("run", &options).ok();
    let (weights, figures) = (workshop.weights("run"), workshop.figures("run"));

    // Like a run killed after step 16, with 11 steps per epoch.
    let checkpoints = workshop.path().join("run/checkpoints");
    std::fs::remove_file(checkpoints.join("latest")).unwrap();
    std::os::unix::fs::symlink("step-00000016", checkpoints.join("latest")).unwrap();
    nin(
        workshop.path(),
        &["train", "--run", "run", "--resume", "--data", "data", "--backend", "flex"],
    )
    .ok();
    assert!(weights == workshop.weights("run"));
    assert_eq!(figures, workshop.figures("run"));
}

#[test]
fn a_finished_run_says_so_and_runs_are_not_overwritten() {
    let workshop = Workshop::new();
    workshop.train("run", &["--epochs", "1"]).ok();
    let again = workshop.train("run", &["--epochs", "1"]);
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("`run` already holds a run"), "{}", again.stderr);
    assert!(
        again.stderr.contains("hint: resume it, or choose another folder (--resume"),
        "{}",
        again.stderr
    );

    let before = std::fs::read(workshop.path().join("run/summary.json")).unwrap();
    let resumed =
        nin(workshop.path(), &["train", "--run", "run", "--resume", "--data", "data"]).ok();
    assert!(resumed.stderr.contains("is finished after epoch 1; "), "{}", resumed.stderr);
    assert_eq!(before, std::fs::read(workshop.path().join("run/summary.json")).unwrap());

    let changed = nin(
        workshop.path(),
        &["train", "--run", "run", "--resume", "--data", "data", "--batch-size", "7"],
    );
    assert_eq!(changed.code, Some(1));
    assert!(changed.stderr.contains("`training.batch_size` (20, now 7)"), "{}", changed.stderr);
}

#[test]
fn a_finished_cosine_schedule_cannot_be_extended() {
    let workshop = Workshop::new();
    workshop.train("run", &["--epochs", "1", "--set", "schedule.kind=cosine"]).ok();
    let resume = ["train", "--run", "run", "--resume", "--data", "data"];
    let finished = nin(workshop.path(), &resume).ok();
    assert!(finished.stderr.contains("start another --run"), "{}", finished.stderr);
    let longer = nin(workshop.path(), &[&resume[..], &["--epochs", "2"]].concat());
    assert_eq!(longer.code, Some(1));
    assert!(
        longer.stderr.contains("hint: a cosine schedule depends on the number of epochs"),
        "{}",
        longer.stderr
    );
}

#[test]
fn resume_without_a_folder_uses_the_highest_numbered_run() {
    let workshop = Workshop::new();
    let train = ["train", "--config", "small.toml", "--data", "data", "--epochs", "1"];
    for _ in 0..2 {
        nin(workshop.path(), &train).ok();
    }
    std::fs::remove_dir_all(workshop.path().join("runs/small")).unwrap();
    let resumed = nin(workshop.path(), &[&train[..], &["--resume"]].concat()).ok();
    assert!(resumed.stderr.contains("runs/small-2 is finished"), "{}", resumed.stderr);
}

#[test]
fn an_interrupt_saves_the_state_and_exits_130() {
    let workshop = Workshop::new();
    let arguments = [
        "train",
        "--config",
        "small.toml",
        "--data",
        "data",
        "--run",
        "run",
        "--epochs",
        "2000",
        "--progress",
        "json",
    ];
    let mut child =
        command(workshop.path(), &arguments).stderr(std::process::Stdio::piped()).spawn().unwrap();
    // The handler is installed before the first event.
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(r#""event":"start""#) {
        line.clear();
        let length = std::io::BufRead::read_line(&mut stderr, &mut line).unwrap();
        assert!(length > 0, "the program ended before its run began");
    }
    kill("-INT", child.id());
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut stderr, &mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    assert!(rest.contains("nin-cli train --run run --resume"), "{rest}");
    assert!(workshop.path().join("run/checkpoints/latest/model.safetensors").is_file());
}

#[test]
fn bench_measures_training_inference_and_epoch_rates() {
    let figures = nin(Path::new("."), &BENCH).json();
    for key in [
        "train_images_per_sec",
        "infer_images_per_sec",
        "epoch_images_per_sec",
        "peak_memory_bytes",
    ] {
        assert!(figures[key].as_f64().unwrap() > 0.0, "{key}: {figures}");
    }
    assert!(figures["train_minor_faults_per_step"].is_u64(), "{figures}");
    assert_eq!((&figures["backend"], &figures["batch_size"]), (&"flex".into(), &4.into()));
}

//! `train --data` on a picture folder, followed by `eval`, `report`, `predict` and `data check`.

use std::fs;
use std::path::Path;

use image::RgbImage;
use serde_json::Value;

use crate::program::{Finished, metrics, nin};
use crate::workshop::words;

/// Small enough to train in seconds at 32x32.
const QUICK: &str = "--backend flex --progress plain --epochs 4 --batch-size 16 \
                     --set data.input_size=32 --set training.ema_decay=0 --set schedule.warmup_steps=0";

/// Returns a picture of a class: its colour on a noisy background, with varying size and aspect ratio.
pub(crate) fn draw(path: &Path, class: usize, number: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let (width, height) = (40 + number * 13 % 50, 36 + number * 29 % 60);
    let noise = |x: u32, y: u32| {
        let mixed = (x * 31 + y * 17 + number * 101).wrapping_mul(2_654_435_761);
        (mixed >> 24) as u8 / 8
    };
    let mut picture = RgbImage::from_fn(width, height, |x, y| {
        let mut pixel = [noise(x, y) + 40; 3];
        let is_inside = x > width / 4 && x < width * 3 / 4 && y > height / 4 && y < height * 3 / 4;
        if is_inside {
            pixel[class] = 220;
        }
        image::Rgb(pixel)
    });
    let [low, high, ..] = number.to_le_bytes();
    picture.put_pixel(0, 0, image::Rgb([low, high, class as u8]));
    picture.save(path).unwrap();
}

/// Returns a folder with the pictures of [`write_photos`].
fn shop() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    write_photos(root.path());
    root
}

/// Writes `photos` with 30 pictures of each of three classes.
pub(crate) fn write_photos(root: &Path) {
    for (class, name) in ["blue sky", "grass", "rose"].into_iter().enumerate() {
        for number in 0..30 {
            let ending = ["png", "jpg"][number as usize % 2];
            let path = root.join(format!("photos/{name}/{number:02}.{ending}"));
            draw(&path, [2, 1, 0][class], number);
        }
    }
}

fn train(root: &Path, more: &str) -> Finished {
    nin(root, &words(&format!("train --data photos {QUICK} {more}")))
}

fn tested(run: &Path) -> Vec<Value> {
    metrics(run).into_iter().filter(|event| event["event"] == "tested").collect()
}

#[test]
fn a_report_names_the_files_of_mistakes() {
    let root = tempfile::tempdir().unwrap();
    let photos = root.path().join("photos");
    for number in 0..24 {
        draw(&photos.join(format!("train/grass/{number:02}.png")), 1, number);
        draw(&photos.join(format!("train/rose/{number:02}.png")), 0, number);
    }
    // Both colours in both folders: any answer to a colour is wrong in one of them.
    let files =
        ["test/grass/green.png", "test/grass/red.png", "test/rose/green.png", "test/rose/red.png"];
    for (number, file) in (100..).zip(files) {
        draw(&photos.join(file), usize::from(file.ends_with("green.png")), number);
    }
    train(root.path(), "").ok();
    let page = fs::read_to_string(root.path().join("runs/pictures/report.html")).unwrap();
    let is_named = |file: &str| page.contains(&format!("<small>{file}</small>"));
    assert!(files.into_iter().any(is_named));
}

#[test]
fn train_on_a_picture_folder_then_eval_report_and_predict() {
    let root = shop();
    let finished = train(root.path(), "").ok();
    let said = &finished.stderr;
    assert!(said.contains("nin-pictures on photos at 3x32x32"), "{said}");
    assert!(said.contains("3 classes: ") && said.contains("split by content"), "{said}");
    assert!(said.contains(", val acc "), "{said}");

    // The test accuracy of the closing line is the best checkpoint's, computed once.
    let run = root.path().join("runs/pictures");
    let tested = tested(&run);
    assert_eq!(tested.len(), 1);
    let accuracy = tested[0]["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.8, "three plain colours are learnt: {accuracy}");
    let lines: Vec<&str> = finished.stdout.lines().collect();
    assert!(lines[0].ends_with(&format!(", test acc {accuracy:.3}")), "{}", lines[0]);
    let epochs: Vec<Value> =
        metrics(&run).into_iter().filter(|event| event["event"] == "epoch").collect();
    assert!(epochs.len() == 4 && epochs.iter().all(|epoch| epoch["test_accuracy"].is_null()));
    let best = epochs.iter().map(|epoch| epoch["validation_accuracy"].as_f64().unwrap());
    let best = best.fold(0.0, f64::max);
    let summary: Value =
        serde_json::from_slice(&fs::read(run.join("summary.json")).unwrap()).unwrap();
    assert_eq!(
        (&summary["test"]["accuracy"], &summary["best_validation_accuracy"]),
        (&accuracy.into(), &best.into())
    );
    assert!(summary["best_test_accuracy"].is_null());

    // `eval` uses the same pictures and knows their class names.
    let eval = |more: &str| {
        nin(root.path(), &words(&format!("eval --checkpoint runs/pictures {more} --format json")))
    };
    let report = eval("--data photos").json();
    assert_eq!(report["accuracy"].as_f64(), Some(accuracy));
    assert_eq!((&report["split"], &report["images"]), (&"test".into(), &tested[0]["images"]));
    assert_eq!(report["per_class"][0]["class"], "blue sky");
    assert_eq!(eval("--data photos --split validation").json()["accuracy"].as_f64(), Some(best));

    let page = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("blue sky") && page.contains("validation accuracy"));
    nin(root.path(), &words("report runs/pictures --data photos --output again.html")).ok();

    draw(&root.path().join("new.png"), 1, 77);
    let answer = nin(
        root.path(),
        &words("predict --checkpoint runs/pictures new.png --top 1 --format json"),
    );
    assert_eq!(answer.json()["images"][0]["top"][0]["class"], "grass");

    let list = fs::read_to_string(run.join("pictures.csv")).unwrap();
    assert_eq!(list.lines().count(), 91);
    assert!(list.contains("blue sky/00.png,blue sky,"), "{list}");
    let environment = fs::read_to_string(run.join("environment.json")).unwrap();
    assert!(!environment.contains("00.png") && environment.contains("pictures.csv"));
}

#[test]
fn cache_threads_and_workers_do_not_change_the_bits() {
    let root = shop();
    let weights = |run: &str| {
        fs::read(root.path().join(run).join("checkpoints/latest/model.safetensors")).unwrap()
    };
    train(root.path(), "--run a").ok();
    let cached = fs::read_dir(root.path().join("cache/nin/pictures")).unwrap().count();
    assert_eq!(cached, 1);
    train(root.path(), "--run b --no-cache --workers 0 --threads 1").ok();
    train(root.path(), "--run c --workers 3 --threads 2").ok();
    assert!(weights("a") == weights("b") && weights("a") == weights("c"));

    // A finished run that was interrupted before its test is tested when resumed.
    let log = root.path().join("c/metrics.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    let kept: Vec<&str> = text.lines().filter(|line| !line.contains("\"tested\"")).collect();
    fs::write(&log, kept.join("\n") + "\n").unwrap();
    let again =
        nin(root.path(), &words("train --run c --resume --data photos --backend flex")).ok();
    assert!(again.stdout.starts_with("loss ") && again.stdout.contains(", test acc "));
    assert_eq!(tested(&root.path().join("c")), tested(&root.path().join("a")));
}

#[test]
fn a_resumed_run_names_the_picture_that_changed() {
    let root = shop();
    train(root.path(), "--run run").ok();
    // The data folder is remembered.
    let resume = || nin(root.path(), &words("train --run run --resume --backend flex"));
    resume().ok();
    let eval =
        nin(root.path(), &words("eval --checkpoint run --format json --backend flex")).json();
    assert_eq!((&eval["dataset"], &eval["split"]), (&"photos".into(), &"test".into()));
    draw(&root.path().join("photos/grass/new.png"), 1, 500);
    let refused = resume();
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("`grass/new.png` is new"), "{}", refused.stderr);
    fs::remove_file(root.path().join("photos/grass/new.png")).unwrap();
    fs::rename(root.path().join("photos/rose/04.png"), root.path().join("photos/grass/04x.png"))
        .unwrap();
    assert!(resume().stderr.contains("`rose/04.png` is missing"));
}

#[test]
fn damaged_pictures_stop_training_or_are_skipped_and_counted() {
    let root = shop();
    let whole = fs::read(root.path().join("photos/rose/01.jpg")).unwrap();
    fs::write(root.path().join("photos/rose/01.jpg"), &whole[..whole.len() / 2]).unwrap();
    fs::write(root.path().join("photos/rose/note.txt"), b"mine").unwrap();
    let refused = train(root.path(), "--run run");
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("rose/01.jpg"), "{}", refused.stderr);
    assert!(!root.path().join("run").exists());

    let check = nin(root.path(), &words("data check photos"));
    assert_eq!(check.code, Some(1));
    assert!(check.stdout.contains("bad picture: `rose/01.jpg`"), "{}", check.stdout);

    let skip = "--run run --set data.on_bad_picture=skip";
    let finished = train(root.path(), skip).ok();
    assert!(finished.stderr.contains("skipped `rose/01.jpg`"), "{}", finished.stderr);
    assert!(finished.stderr.contains("1 skipped, of other types"), "{}", finished.stderr);
    assert_eq!(metrics(&root.path().join("run"))[0]["bad_pictures"], 1);
    let summary = fs::read_to_string(root.path().join("run/summary.json")).unwrap();
    assert!(summary.contains("\"bad_pictures\": 1"), "{summary}");
}

#[test]
fn data_check_describes_a_folder_and_ends_with_the_command_to_run() {
    let root = shop();
    let photos = root.path().join("photos");
    fs::copy(photos.join("rose/00.png"), photos.join("grass/copy.png")).unwrap();
    let check = nin(root.path(), &words("data check photos")).ok();
    let text = &check.stdout;
    assert!(text.starts_with("photos: a folder per class, 3 classes, 91 images, colour"), "{text}");
    assert!(text.contains("the same picture in different classes: `grass/copy.png`"), "{text}");
    assert!(text.trim_end().ends_with("train with: nin-cli train --data photos"), "{text}");

    let json = nin(root.path(), &words("data check photos --format json")).json();
    assert_eq!((&json["trainable"], &json["channels"]), (&true.into(), &3.into()));
    assert_eq!(json["formats"]["JPEG"], 45);
    assert_eq!(json["problems"][0]["kind"], "duplicates");
    let counted: u64 = ["train", "validation", "test"]
        .iter()
        .map(|part| json["classes"][2][*part].as_u64().unwrap())
        .sum();
    assert_eq!(counted, 30);

    for class in ["blue sky", "grass"] {
        fs::remove_dir_all(photos.join(class)).unwrap();
    }
    let check = nin(root.path(), &words("data check photos"));
    assert_eq!(check.code, Some(1));
    assert!(check.stdout.contains("training would stop: photos has only one class, `rose`"));
}

#[test]
fn eval_accepts_any_labelled_pictures_and_matches_classes_by_name() {
    let root = shop();
    train(root.path(), "--run run").ok();
    // Other pictures: a new class comes first, and a known one is missing.
    for (class, name) in [(0, "a new one"), (2, "blue sky"), (0, "rose")] {
        for number in 100..110 {
            draw(&root.path().join(format!("other/{name}/{number}.png")), class, number);
        }
    }
    let eval = "eval --checkpoint run --data other --format json --backend flex";
    let finished = nin(root.path(), &words(eval));
    let said = finished.stderr.clone();
    let report = finished.json();
    assert_eq!((&report["images"], &report["split"]), (&20.into(), &"all".into()));
    assert_eq!(report["unknown_classes"][0], "a new one");
    assert!(said.contains("does not know `a new one`: 10 images are skipped"), "{said}");
    assert!(said.contains("no images of `grass`"), "{said}");
    assert!(report["accuracy"].as_f64().unwrap() > 0.8, "{report}");
    let confusion = &report["confusion"];
    assert_eq!((confusion[0][0].as_u64(), confusion[2][2].as_u64()), (Some(10), Some(10)));

    for name in ["x", "y"] {
        draw(&root.path().join(format!("strange/{name}/1.png")), 0, 7);
    }
    let refused = nin(root.path(), &words("eval --checkpoint run --data strange --backend flex"));
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("`blue sky`"), "{}", refused.stderr);
}

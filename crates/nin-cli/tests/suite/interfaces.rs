//! Snapshots of the interfaces that others script against: help, JSON, output lines.
//!
//! After an intended change, run `INSTA_UPDATE=always cargo test -p nin-cli interfaces` and review the
//! differences in `snapshots/` in the commit.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::predict::bomb;
use crate::program::{BENCH, Finished, metrics, nin, write_shapes};

/// Lists each path in a JSON value with its types, one per line.
fn schema(value: &Value) -> String {
    let mut types = BTreeMap::new();
    collect(value, "", &mut types);
    let lines = types.into_iter().map(|(path, types)| {
        let types: Vec<_> = types.into_iter().collect();
        format!("{path}: {}", types.join(" or "))
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn collect(value: &Value, path: &str, types: &mut BTreeMap<String, BTreeSet<&'static str>>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(items) => {
            for item in items {
                collect(item, &format!("{path}[]"), types);
            }
            return;
        }
        Value::Object(entries) => {
            for (key, entry) in entries {
                collect(entry, format!("{path}.{key}").trim_start_matches('.'), types);
            }
            return;
        }
    };
    types.entry(path.to_owned()).or_default().insert(kind);
}

/// Replaces every number by `#`, because numbers differ between machines.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    let mut in_number = false;
    for (at, character) in text.char_indices() {
        let followed_by_digit =
            text[at + character.len_utf8()..].starts_with(|next: char| next.is_ascii_digit());
        let is_part =
            character.is_ascii_digit() || in_number && character == '.' && followed_by_digit;
        if !is_part {
            masked.push(character);
        } else if !in_number {
            masked.push('#');
        }
        in_number = is_part;
    }
    masked
}

/// Trains one epoch into `run`, on synthetic shapes in the same folder.
const TRAIN: [&str; 15] = [
    "train",
    "--data",
    ".",
    "--dataset",
    "shapes",
    "--run",
    "run",
    "--epochs",
    "1",
    "--backend",
    "flex",
    "--threads",
    "2",
    "--batch-size",
    "12",
];

/// Runs that training.
fn trained(folder: &Path, progress: &str) -> Finished {
    write_shapes(folder, 28, 60, 12);
    nin(folder, &[&TRAIN[..], &["--progress", progress]].concat()).ok()
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The help of a build without one of the backends names fewer of them.
#[cfg(all(feature = "wgpu", feature = "ndarray", feature = "flex"))]
#[test]
fn helps() {
    assert!(helps_of(&[]) >= 14);
}

#[cfg(all(feature = "wgpu", feature = "ndarray", feature = "flex"))]
/// Checks the help of a command and its subcommands, and returns the number of subcommands.
fn helps_of(command: &[&str]) -> usize {
    let help = nin(Path::new("."), &[command, &["--help"]].concat()).ok().stdout;
    assert!(help.contains("Example"), "{command:?} shows no example");
    insta::assert_snapshot!([&["help"], command].concat().join("-"), help);
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = lines.take_while(|line| !line.is_empty()).filter_map(|line| {
        let name = line.strip_prefix("  ")?.split(' ').next()?;
        (!name.is_empty() && name != "help").then_some(name)
    });
    let within = names.map(|name| 1 + helps_of(&[command, &[name]].concat()));
    within.sum()
}

#[test]
fn json_of_commands() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| nin(folder.path(), arguments).json();
    insta::assert_snapshot!("shapes-json", schema(&run(&["shapes", "--format", "json"])));
    let mut devices = run(&["devices", "--format", "json"]);
    for backend in devices["backends"].as_array_mut().unwrap() {
        // The adapters depend on the machine.
        backend.as_object_mut().unwrap().remove("adapters");
        backend.as_object_mut().unwrap().remove("reason");
    }
    insta::assert_snapshot!("devices-json", schema(&devices));
    insta::assert_snapshot!("bench-json", schema(&run(&BENCH)));
    insta::assert_snapshot!(
        "bench-layers-json",
        schema(&run(&[&BENCH[..], &["--layers"]].concat()))
    );
    write_shapes(folder.path(), 28, 60, 12);
    insta::assert_snapshot!(
        "train-json",
        schema(&run(&[&TRAIN[..], &["--format", "json"]].concat()))
    );
    let eval = ["eval", "--checkpoint", "run", "--data", ".", "--format", "json"];
    insta::assert_snapshot!("eval-json", schema(&run(&eval)));
    insta::assert_snapshot!("compare-json", schema(&run(&["compare", "run", "--format", "json"])));
    std::fs::write(folder.path().join("whole.png"), bomb(8)).unwrap();
    let predict = ["predict", "--checkpoint", "run", "whole.png", "--format", "json"];
    insta::assert_snapshot!("predict-json", schema(&run(&predict)));
}

#[test]
fn files_of_a_run() {
    let folder = tempfile::tempdir().unwrap();
    trained(folder.path(), "none");
    let run = folder.path().join("run");
    let mut environment = read_json(&run.join("environment.json"));
    // Null unless built from a repository.
    environment.as_object_mut().unwrap().remove("commit").unwrap();
    insta::assert_snapshot!("environment-json", schema(&environment));
    insta::assert_snapshot!("summary-json", schema(&read_json(&run.join("summary.json"))));
    let events = metrics(&run);
    let names: BTreeSet<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    for name in names {
        let events = events.iter().filter(|event| event["event"] == name);
        let events = Value::Array(events.cloned().collect());
        insta::assert_snapshot!(format!("metrics-{name}"), schema(&events));
    }
    let checkpoint = run.join("checkpoints/latest");
    for name in ["manifest", "state"] {
        let content = read_json(&checkpoint.join(format!("{name}.json")));
        insta::assert_snapshot!(format!("checkpoint-{name}"), schema(&content));
    }
    let mut files: Vec<String> = walk(&run, &run);
    files.sort();
    insta::assert_snapshot!("run-folder", files.join("\n"));
}

fn walk(root: &Path, folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            if let Ok(target) = path.read_link() {
                vec![format!("{name} -> {}", target.display())]
            } else if path.is_dir() {
                walk(root, &path)
            } else {
                vec![name]
            }
        })
        .collect()
}

#[test]
fn lines_of_a_training() {
    let folder = tempfile::tempdir().unwrap();
    let Finished { stdout, stderr, .. } = trained(folder.path(), "plain");
    let device = stdout.split(" on ").last().unwrap().trim().to_owned();
    assert!(!device.is_empty(), "{stdout}");
    let lines = format!("{stdout}---\n{stderr}").replace(&device, "DEVICE");
    let lines: Vec<&str> = lines.lines().map(without_time_left).collect();
    // The best epoch depends on rounding.
    insta::assert_snapshot!("training-lines", masked(&lines.join("\n")).replace(" (best)", ""));
}

#[test]
fn errors_and_hints() {
    let folder = tempfile::tempdir().unwrap();
    trained(folder.path(), "none");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("letter.txt", "dear reader");
    write("own.toml", "[training]\nepoch = 3\n");
    let mut said = Vec::new();
    for line in [
        "train --epochs 0",
        "train --set optimizer.lr=0.1",
        "train --config own.toml",
        "train --config quickest",
        "train --dataset nothing",
        "train --data nowhere",
        "train --data . --dataset shapes --set model.classes=2",
        "train --data . --dataset shapes --run run",
        "train --data . --run run --resume --set optimizer.weight_decay=0.125",
        "eval --checkpoint nowhere",
        "eval --checkpoint letter.txt",
        "eval --checkpoint run --dataset fashion-mnist-sample",
        "predict letter.txt",
        "predict none.png",
        "shapes --config d2l --input 1x60x60",
        "compare checkpoints",
        "import --from letter.txt --config d2l --output x",
        "export --checkpoint run --to onnx --output letter.txt/x.onnx",
        "data fetch cifar10",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let finished = nin(folder.path(), &words);
        assert_eq!(finished.code, Some(1), "{line}: {}", finished.stderr);
        let of_note = |line: &&str| line.starts_with("error: ") || line.starts_with("hint: ");
        let lines: Vec<&str> = finished.stderr.lines().filter(of_note).collect();
        assert_eq!(lines.len(), 2, "{line}: {}", finished.stderr);
        said.push(format!("$ nin-cli {line}\n{}", lines.join("\n")));
    }
    let place = folder.path().display().to_string();
    insta::assert_snapshot!("errors", said.join("\n\n").replace(&place, "FOLDER"));
}

/// Removes the time left, whose unit varies.
fn without_time_left(line: &str) -> &str {
    let piece = line.strip_suffix(" left").and_then(|line| line.rfind(", "));
    piece.map_or(line, |at| &line[..at])
}

#[test]
fn numbers_are_masked_whole() {
    assert_eq!(masked("loss 0.370, 3087.6 examples/sec. 12/60."), "loss #, # examples/sec. #/#.");
}

//! Run folders.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use super::{Case, edit};
use crate::program::{nin, write_shapes};

const TRAIN: [&str; 9] =
    ["train", "--data", ".", "--dataset", "shapes", "--epochs", "1", "--run", "run"];

/// Trains a run in `run`, then damages it.
fn after_a_run(
    damage: impl Fn(&Path) + 'static,
    arguments: &[&'static str],
    expected: &[&'static str],
) -> Case {
    let prepare = move |folder: &Path| {
        write_shapes(folder, 28, 30, 9);
        nin(folder, &TRAIN).ok();
        damage(&folder.join("run"));
    };
    Case::after(prepare, arguments, expected)
}

/// Flips the middle byte of a file.
fn flip(path: &Path) {
    edit(path, |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
}

/// Creates a pipe without a writer.
fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Creates a large sparse file.
fn endless(path: &Path) {
    File::create(path).unwrap().set_len(8 << 30).unwrap();
}

/// Creates a folder with these files in place of a run or a checkpoint.
fn made(
    folder: &'static str,
    files: &'static [(&'static str, &'static str)],
    damage: impl Fn(&Path) + 'static,
    arguments: &[&'static str],
    expected: &[&'static str],
) -> Case {
    let prepare = move |root: &Path| {
        let folder = root.join(folder);
        fs::create_dir(&folder).unwrap();
        for (name, content) in files {
            fs::write(folder.join(name), content).unwrap();
        }
        damage(&folder);
    };
    Case::after(prepare, arguments, expected)
}

/// Pipes and endless files in place of a run's files.
#[allow(clippy::too_many_lines, reason = "a table of cases")]
fn without_end() -> Vec<Case> {
    const RUN: &[(&str, &str)] = &[("recipe.toml", "")];
    const MANIFEST: &[(&str, &str)] = &[(
        "manifest.json",
        r#"{"format":1,"files":{"model.safetensors":{"bytes":8589934592,"sha256":"0"}}}"#,
    )];
    let not_a_file = "is damaged: expected a file, found a pipe or a device";
    vec![
        made(
            "run",
            RUN,
            |run| pipe(&run.join("metrics.jsonl")),
            &["report", "run"],
            &["`run/metrics.jsonl`", not_a_file, "move it away"],
        ),
        made(
            "run",
            RUN,
            |run| symlink("/dev/zero", run.join("metrics.jsonl")).unwrap(),
            &["compare", "run", "run"],
            &["`run/metrics.jsonl`", not_a_file],
        ),
        made(
            "run",
            RUN,
            |run| endless(&run.join("metrics.jsonl")),
            &["report", "run"],
            &["`run/metrics.jsonl` is damaged: expected at most", "found more"],
        ),
        after_a_run(
            |run| {
                // Like a run killed before its first checkpoint.
                fs::remove_dir_all(run.join("checkpoints")).unwrap();
                fs::remove_file(run.join("metrics.jsonl")).unwrap();
                pipe(&run.join("metrics.jsonl"));
            },
            &["train", "--run", "run", "--resume", "--data", "."],
            &["`run/metrics.jsonl`", not_a_file],
        ),
        made(
            "folder",
            &[],
            |folder| pipe(&folder.join("manifest.json")),
            &["eval", "--checkpoint", "folder"],
            &["`folder/manifest.json`", not_a_file],
        ),
        made(
            "folder",
            MANIFEST,
            |folder| pipe(&folder.join("model.safetensors")),
            &["eval", "--checkpoint", "folder"],
            &["`folder/model.safetensors`", not_a_file],
        ),
        made(
            "folder",
            MANIFEST,
            |folder| symlink("/dev/zero", folder.join("model.safetensors")).unwrap(),
            &["eval", "--checkpoint", "folder"],
            &["`folder/model.safetensors`", not_a_file],
        ),
        made(
            "folder",
            MANIFEST,
            |folder| endless(&folder.join("model.safetensors")),
            &["eval", "--checkpoint", "folder"],
            &["`folder/model.safetensors`: not a safetensors file"],
        ),
        made(
            "all",
            &[],
            |folder| endless(&folder.join("seeds.toml")),
            &["train", "--run", "all", "--resume"],
            &["`all/seeds.toml` is damaged: expected at most", "`train --seeds` wrote"],
        ),
        Case::after(
            |folder| pipe(&folder.join("model.py")),
            &[
                "export",
                "--checkpoint",
                "pretrained:record-fashion-mnist",
                "--to",
                "safetensors",
                "--output",
                "net.safetensors",
            ],
            &["`model.py` is not a generated file"],
        ),
    ]
}

/// Creates a run folder whose log is not a log.
fn no_log(arguments: &[&'static str]) -> Case {
    let prepare = |folder: &Path| {
        fs::create_dir(folder.join("run")).unwrap();
        fs::write(folder.join("run/recipe.toml"), "").unwrap();
        fs::write(folder.join("run/metrics.jsonl"), "dear\nreader\n").unwrap();
    };
    let expected = "`run/metrics.jsonl`: expected one event per line, found none in 2 lines";
    Case::after(prepare, arguments, &[expected, "restore the run's own log"])
}

pub(super) fn cases() -> Vec<Case> {
    let train = |more: &[&'static str]| [&TRAIN[..], more].concat();
    let mut cases = vec![
        after_a_run(|_| {}, &TRAIN, &["`run` already holds a run", "--resume"]),
        after_a_run(
            |_| {},
            &train(&["--resume", "--set", "optimizer.weight_decay=0.125"]),
            &[
                "the recipe differs from that of the run `run` in `optimizer.weight_decay` (0.01, now 0.125)",
            ],
        ),
        after_a_run(
            |run| flip(&run.join("checkpoints/latest/model.safetensors")),
            &["eval", "--checkpoint", "run", "--data", "."],
            &["model.safetensors` is damaged: expected SHA-256"],
        ),
        after_a_run(
            |run| {
                let labels = run.with_file_name("t10k-labels-idx1-ubyte");
                edit(&labels, |bytes| bytes[8] = 7);
            },
            &["eval", "--checkpoint", "run", "--data", "."],
            &[
                "the data set `shapes` in `.` has 1 channel(s) and 8 classes, the network expects 1 \
                 channel(s) and at most 3 classes",
                "--dataset NAME, --data DIR",
            ],
        ),
        after_a_run(
            |run| fs::write(run.join("recipe.toml"), "nonsense = 1").unwrap(),
            &["train", "--run", "run", "--resume", "--data", "."],
            &["unknown key `nonsense` in `run/recipe.toml`"],
        ),
        Case::after(
            |folder| {
                fs::create_dir(folder.join("run")).unwrap();
                fs::write(folder.join("run/letter.txt"), "dear").unwrap();
            },
            &["train", "--run", "run"],
            &["`run` is not empty and holds no run"],
        ),
        Case::after(
            |folder| fs::write(folder.join("run"), "text").unwrap(),
            &["train", "--run", "run"],
            &["cannot create `run`"],
        ),
        Case {
            as_ordinary_user: true,
            ..Case::after(
                |folder| {
                    let run = folder.join("run");
                    fs::create_dir(&run).unwrap();
                    fs::set_permissions(run, fs::Permissions::from_mode(0o555)).unwrap();
                },
                &["train", "--run", "run"],
                &["`run/run.lock`", "Permission denied", "--run FOLDER"],
            )
        },
        no_log(&["report", "run"]),
        no_log(&["compare", "run"]),
        Case::after(
            |folder| fs::create_dir(folder.join("run")).unwrap(),
            &["report", "run"],
            &["no checkpoint at `run`: the folder contains no run"],
        ),
        Case::after(
            |folder| fs::create_dir(folder.join("run")).unwrap(),
            &["compare", "run"],
            &["`run`", "the folder contains no run"],
        ),
        Case::new(&["compare", "nowhere"], &["`nowhere`", "no such file or folder"]),
        Case::new(&["train", "--run", "/proc/run"], &["cannot create `/proc/run`"]),
        Case::new(&["train", "--run", "nowhere", "--resume"], &["nowhere"]),
        Case::new(&["train", "--resume"], &["no run of `quickstart` to resume", "--run"]),
    ];
    cases.extend(without_end());
    cases
}

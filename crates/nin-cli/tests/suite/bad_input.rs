//! Wrong usage exits 2; what parses but is refused exits 1, with one `error:` line and a `hint:`.

use std::path::Path;

use crate::program::{Finished, nin, write_shapes};

fn assert_refused(finished: &Finished, what: &[&str], expected: &str) {
    let stderr = &finished.stderr;
    assert_eq!(finished.code, Some(1), "{what:?}: {stderr}");
    let errors = stderr.lines().filter(|line| line.starts_with("error: ")).count();
    assert_eq!(errors, 1, "{what:?}: {stderr}");
    assert!(stderr.contains(expected), "{what:?} should say {expected}: {stderr}");
    assert!(!stderr.contains("panicked"), "{what:?}: {stderr}");
}

#[test]
fn wrong_usage_exits_2() {
    for arguments in [
        &["fly"][..],
        &["train", "--fast"],
        &["train", "--epochs", "ten"],
        &["eval"],
        &["shapes", "--input", "224"],
        &["train", "--backend", "cuda"],
    ] {
        let finished = nin(Path::new("."), arguments);
        assert_eq!(finished.code, Some(2), "{arguments:?}: {}", finished.stderr);
    }
}

#[test]
fn refused_values_exit_1_and_say_why() {
    let root = tempfile::tempdir().unwrap();
    for (arguments, expected) in [
        (&["--epochs", "0"][..], "`training.epochs` is `0`, expected at least 1"),
        (&["--batch-size", "0"], "`training.batch_size` is `0`"),
        (&["--learning-rate", "-0.1"], "`optimizer.learning_rate` is `-0.1`"),
        (&["--learning-rate", "NaN"], "`optimizer.learning_rate` is `NaN`"),
        (&["--set", "optimizer.momentun=0.9"], "did you mean `optimizer.momentum`?"),
        (&["--set", "optimizer.momentum=fast"], "expected a float"),
        (&["--set", "nonsense"], "hint: for example: --set"),
        (&["--config", "quickstrat"], "did you mean `quickstart`?"),
        (&["--config", "nowhere.toml"], "cannot read the recipe `nowhere.toml`"),
        (&["--dataset", "fashion"], "the data set `fashion` was not found"),
        (&["--data", "nowhere"], "cannot read `nowhere`"),
        (
            &["--set", "model.architecture=resnet", "--set", "model.blocks=[]"],
            "unknown architecture `resnet`",
        ),
        (
            &[
                "--config",
                "d2l-fashion-mnist",
                "--dataset",
                "fashion-mnist-sample",
                "--set",
                "data.input_size=60",
            ],
            "smallest square input that works is 67x67",
        ),
    ] {
        let finished = nin(root.path(), &[&["train"][..], arguments].concat());
        assert_refused(&finished, arguments, expected);
        assert!(!root.path().join("runs").exists(), "{arguments:?} left a run");
    }
}

#[test]
fn checkpoints_that_are_none_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(root.path().join(name), bytes).unwrap();
    write("text.safetensors", b"these are no weights");
    write("huge.safetensors", &[&(1_u64 << 63).to_le_bytes()[..], b"{}"].concat());
    write("empty.safetensors", b"");
    std::fs::create_dir(root.path().join("folder")).unwrap();
    for (path, expected) in [
        ("nowhere", "no checkpoint at `nowhere`"),
        ("folder", "neither a run nor a checkpoint"),
        ("text.safetensors", "not a safetensors file"),
        ("huge.safetensors", "not a safetensors file"),
        ("empty.safetensors", "not a safetensors file"),
    ] {
        let arguments = ["eval", "--checkpoint", path];
        assert_refused(&nin(root.path(), &arguments), &arguments, expected);
    }
}

#[test]
fn a_damaged_checkpoint_names_its_file() {
    let root = tempfile::tempdir().unwrap();
    write_shapes(root.path(), 28, 30, 9);
    let train = [
        "train",
        "--data",
        ".",
        "--dataset",
        "shapes",
        "--run",
        "run",
        "--epochs",
        "1",
        "--progress",
        "none",
    ];
    nin(root.path(), &train).ok();
    let model = root.path().join("run/checkpoints/best/model.safetensors");
    let mut bytes = std::fs::read(&model).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&model, bytes).unwrap();
    let arguments = ["eval", "--checkpoint", "run", "--data", "."];
    assert_refused(
        &nin(root.path(), &arguments),
        &arguments,
        "model.safetensors` is damaged: expected SHA-256",
    );
}

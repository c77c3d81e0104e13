//! `export` and `import`: out, back, and the same answers. What PyTorch and onnxruntime make of the
//! files is checked by crates/nin-exchange/tests/suite/parity.py.

use std::path::Path;

use safetensors::SafeTensors;
use serde_json::Value;

use crate::program::nin;
use crate::workshop::{train_small, words};

fn evaluated(root: &Path, checkpoint: &str) -> Value {
    let line = format!("eval --checkpoint {checkpoint} --data data --format json");
    let mut report = nin(root, &words(&line)).json();
    report["images_per_sec"] = Value::Null;
    report
}

#[test]
fn exported_weights_come_back_and_answer_alike() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    let out = root.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let export = "export --checkpoint run --to safetensors --output out/small.safetensors";
    let finished = nin(root.path(), &words(export)).ok();
    assert!(finished.stdout.is_empty() && finished.stderr.contains("out/model.py"));
    // Again: what it wrote itself it may replace.
    nin(root.path(), &words(export)).ok();

    let bytes = std::fs::read(out.join("small.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut names = file.names();
    names.sort_unstable();
    let block = |at: usize| {
        [0, 2, 4].map(|layer| [format!("{at}.{layer}.bias"), format!("{at}.{layer}.weight")])
    };
    let expected: Vec<_> = [block(0), block(3)].concat().concat();
    assert_eq!(names, expected, "the second block stands behind a pool and a dropout");
    let module = std::fs::read_to_string(out.join("model.py")).unwrap();
    assert!(module.contains("with_name(\"small.safetensors\")"), "{module}");

    let import = "import --from out/small.safetensors --config small.toml \
                  --set data.input_size=20 --set model.classes=3 --output back.safetensors";
    nin(root.path(), &words(import)).ok();
    assert_eq!(evaluated(root.path(), "back.safetensors"), evaluated(root.path(), "run"));
}

#[test]
fn files_that_are_not_the_networks_are_refused() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    let path = |name: &str| root.path().join(name);
    nin(root.path(), &words("export --checkpoint run --to safetensors --output s.safetensors"))
        .ok();
    std::fs::write(path("text.safetensors"), "no tensors").unwrap();
    let three = "--set model.classes=3 --set data.input_size=20";
    for (line, expected) in [
        ("import --from s.safetensors --config d2l --output x", "tensor `0.0.weight` has shape"),
        (
            "import --from s.safetensors --config small.toml --output x",
            "tensor `3.4.weight` has shape [3, 8, 1, 1], expected [10, 8, 1, 1]",
        ),
        ("import --from text.safetensors --config d2l --output x", "not a safetensors file"),
        (
            "import --from none.safetensors --config d2l --output x",
            "cannot read `none.safetensors`",
        ),
        ("import --from s.safetensors --config resnet --output x", "resnet"),
        (
            "export --checkpoint run --to onnx --output nowhere/x.onnx",
            "cannot write `./nowhere/x.onnx`",
        ),
    ] {
        let finished = nin(root.path(), &words(line));
        assert_eq!(finished.code, Some(1), "{line}: {}", finished.stderr);
        assert!(finished.stderr.contains(expected), "{line}: {}", finished.stderr);
        assert!(!path("x").exists(), "{line}");
    }
    // Somebody's own module is not overwritten.
    std::fs::create_dir(path("own")).unwrap();
    std::fs::write(path("own/model.py"), "print('mine')\n").unwrap();
    let line = "export --checkpoint run --to safetensors --output own/s.safetensors";
    let finished = nin(root.path(), &words(line));
    assert_eq!(finished.code, Some(1));
    assert!(
        finished.stderr.contains("`own/model.py` is not a generated file"),
        "{}",
        finished.stderr
    );
    assert!(!path("own/s.safetensors").exists());
    let good = format!("import --from s.safetensors --config small.toml --output x {three}");
    nin(root.path(), &words(&good)).ok();
}

#[test]
fn an_onnx_file_is_a_whole_message_with_its_class_names() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    let line = "export --checkpoint run --to onnx --output small.onnx";
    let finished = nin(root.path(), &words(line)).ok();
    assert!(finished.stderr.contains("opset 17"), "{}", finished.stderr);
    let bytes = std::fs::read(root.path().join("small.onnx")).unwrap();
    for text in ["images", "logits", "classes", r#"["0","1","2"]"#, "ReduceMean"] {
        let text = text.as_bytes();
        assert!(bytes.windows(text.len()).any(|window| window == text));
    }
}

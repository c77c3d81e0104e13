//! `export` and `import`: a round trip gives the same answers. The files are checked with PyTorch and
//! onnxruntime by crates/nin-exchange/tests/suite/parity.py.

use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
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
fn exported_weights_can_be_imported_with_the_same_predictions() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    let out = root.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let export = "export --checkpoint run --to safetensors --output out/small.safetensors";
    let finished = nin(root.path(), &words(export)).ok();
    assert!(finished.stdout.is_empty() && finished.stderr.contains("out/model.py"));
    // Again: it may replace its own files.
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
    let first = nin(root.path(), &words(import)).ok().stderr;
    assert!(!first.contains("replacing"), "{first}");
    let again = nin(root.path(), &words(import)).ok().stderr;
    assert!(again.contains("replacing `back.safetensors`"), "{again}");
    assert_eq!(evaluated(root.path(), "back.safetensors"), evaluated(root.path(), "run"));
}

#[test]
fn import_rejects_files_of_another_network() {
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
            "export --checkpoint run --to onnx --output text.safetensors/x.onnx",
            "cannot create the folder `text.safetensors`",
        ),
    ] {
        let finished = nin(root.path(), &words(line));
        assert_eq!(finished.code, Some(1), "{line}: {}", finished.stderr);
        assert!(finished.stderr.contains(expected), "{line}: {}", finished.stderr);
        assert!(!path("x").exists(), "{line}");
    }
    // A user's own module is not overwritten.
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
fn an_onnx_file_is_valid_protobuf_with_class_names() {
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

/// Rewrites a file's tensors with other names and another data type.
fn rewrite(path: &Path, rename: impl Fn(&str) -> String, dtype: Dtype) {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let narrow = |le: &[u8]| -> Vec<u8> {
        let value = f32::from_le_bytes(le.try_into().unwrap());
        match dtype {
            // The upper half of the bits. The lower half is 0 in this test's values.
            Dtype::BF16 => le[2..].to_vec(),
            _ => half(value).to_le_bytes().to_vec(),
        }
    };
    let tensors: Vec<_> = file
        .iter()
        .map(|(name, view)| {
            let data = match dtype {
                Dtype::F32 => view.data().to_vec(),
                _ => view.data().chunks_exact(4).flat_map(narrow).collect(),
            };
            (rename(name), view.shape().to_vec(), data)
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, data)| {
        (name.as_str(), TensorView::new(dtype, shape.clone(), data).unwrap())
    });
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// Converts a normal number with at most ten fraction bits to a 16-bit float.
fn half(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    if value == 0.0 {
        return sign;
    }
    let exponent = (bits >> 23 & 0xff) as i32 - 127 + 15;
    assert!((1..31).contains(&exponent), "{value}");
    sign | (exponent as u16) << 10 | (bits >> 13 & 0x3ff) as u16
}

/// Rounds every value of a file so that both 16-bit float formats represent it exactly.
fn coarsen(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    for le in bytes[8 + header..].chunks_exact_mut(4) {
        let value = f32::from_le_bytes(le.try_into().unwrap());
        let value = if value.abs() < 1e-3 { 0.0 } else { value };
        le.copy_from_slice(&(value.to_bits() & 0xffff_0000).to_le_bytes());
    }
    std::fs::write(path, bytes).unwrap();
}

const IMPORT: &str = "import --from out/s.safetensors --config small.toml --set data.input_size=20 \
                      --set model.classes=3 --output";

#[test]
fn import_accepts_wrapper_prefixes_and_16_bit_floats_exactly() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    // The folder is created.
    let export = "export --checkpoint run --to safetensors --output out/s.safetensors";
    nin(root.path(), &words(export)).ok();
    let file = root.path().join("out/s.safetensors");
    coarsen(&file);
    let plain = std::fs::read(&file).unwrap();
    nin(root.path(), &words(&format!("{IMPORT} plain.safetensors"))).ok();
    let expected = std::fs::read(root.path().join("plain.safetensors")).unwrap();
    for prefix in ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.net.", "net."] {
        for dtype in [Dtype::F32, Dtype::BF16, Dtype::F16] {
            std::fs::write(&file, &plain).unwrap();
            rewrite(&file, |name| format!("{prefix}{name}"), dtype);
            nin(root.path(), &words(&format!("{IMPORT} x.safetensors"))).ok();
            let found = std::fs::read(root.path().join("x.safetensors")).unwrap();
            assert!(found == expected, "{prefix} {dtype:?}");
        }
    }
    // The error names the file.
    let mut broken = plain.clone();
    let last = broken.len() - 4;
    broken[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&file, &broken).unwrap();
    rewrite(&file, |name| format!("module.{name}"), Dtype::F32);
    let finished = nin(root.path(), &words(&format!("{IMPORT} y.safetensors")));
    assert_eq!(finished.code, Some(1));
    assert!(
        finished.stderr.contains("tensor `module.3.4.weight` holds NaN"),
        "{}",
        finished.stderr
    );
}

#[test]
fn import_reads_class_names_from_a_file_and_defaults_to_numbers() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    nin(root.path(), &words("export --checkpoint run --to safetensors --output out/s.safetensors"))
        .ok();
    let classes = |file: &str| {
        let bytes = std::fs::read(root.path().join(file)).unwrap();
        nin_model::ModelMetadata::from_safetensors(&bytes).unwrap().0.classes
    };
    // A recipe for clothes does not name the classes of a file.
    let clothes = IMPORT.replace("data.input_size=20", "data.dataset=fashion-mnist");
    nin(root.path(), &words(&format!("{clothes} numbers.safetensors"))).ok();
    assert_eq!(classes("numbers.safetensors"), ["0", "1", "2"]);
    std::fs::write(root.path().join("names.txt"), "\u{feff}square\r\nbar\r\ncross\r\n").unwrap();
    let named = format!("{IMPORT} named.safetensors --classes names.txt");
    nin(root.path(), &words(&named)).ok();
    assert_eq!(classes("named.safetensors"), ["square", "bar", "cross"]);
    for (text, expected) in [
        ("square\nbar\n", "`names.txt` has 2 names, but the network has 3 classes"),
        ("square\n\ncross\n", "`names.txt` has an empty name in line 2"),
        ("bar\nbar\ncross\n", "`names.txt` lists `bar` twice"),
    ] {
        std::fs::write(root.path().join("names.txt"), text).unwrap();
        let finished = nin(root.path(), &words(&named));
        assert_eq!(finished.code, Some(1));
        assert!(finished.stderr.contains(expected), "{}", finished.stderr);
    }
}

#[test]
fn other_file_types_and_urls_are_named_in_the_error() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    nin(root.path(), &words("export --checkpoint run --to onnx --output o.onnx")).ok();
    nin(root.path(), &words("export --checkpoint run --to safetensors --output s.safetensors"))
        .ok();
    for (line, expected, hint) in [
        (
            "predict --checkpoint o.onnx x.png",
            "`o.onnx`: an ONNX model, expected a safetensors file",
            "name the checkpoint that this one was exported from",
        ),
        (
            "import --from o.onnx --config small.toml --output x",
            "`o.onnx`: an ONNX model",
            "name the checkpoint",
        ),
        (
            "eval --checkpoint s.safetensors --data data",
            "metadata `nin` of the weights is unusable",
            "nin-cli import --from FILE --config NAME-OR-FILE",
        ),
        (
            "eval --checkpoint https://example.org/model.safetensors",
            "`https://example.org/model.safetensors` is a URL, expected a local path",
            "download it first",
        ),
        ("train --data https://example.org/data", "is a URL, expected a local path", "download it"),
        (
            "train --config https://example.org/a.toml",
            "is a URL, expected a local path",
            "download it",
        ),
        ("train --weights https://example.org/a", "is a URL, expected a local path", "download it"),
        ("predict https://example.org/a.jpg", "`https://example.org/a.jpg`", "download it first"),
        ("report https://example.org/run", "`https://example.org/run`", "download it first"),
        ("compare https://example.org/run", "`https://example.org/run`", "download it first"),
        ("data check https://example.org/x", "`https://example.org/x`", "download it first"),
        ("shapes --config https://example.org/a.toml", "a.toml`", "download it first"),
        (
            "import --from https://example.org/a --config small.toml --output x",
            "is a URL, expected a local path",
            "download it",
        ),
    ] {
        let finished = nin(root.path(), &words(line));
        assert_eq!(finished.code, Some(1), "{line}: {}", finished.stderr);
        assert!(finished.stderr.contains(expected), "{line}: {}", finished.stderr);
        let said = finished.stderr.lines().find(|line| line.starts_with("hint: ")).unwrap();
        assert!(said.contains(hint), "{line}: {said}");
    }
}

//! Checkpoint files and folders.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

use nin_model::{
    Architecture, Block, HostTensor, Initialization, ModelMetadata, Precision, Preprocessing,
    Weights, Width,
};

use super::Case;

const NO_WEIGHTS: &str = "`model.safetensors`: not a safetensors file: ";

const EVAL: [&str; 3] = ["eval", "--checkpoint", "model.safetensors"];

fn architecture() -> Architecture {
    let widths = [Width::Channels(4), Width::Channels(4), Width::CLASSES];
    let block = Block { kernel: 3, stride: 1, padding: 1, widths, pool: None, dropout: 0.0 };
    Architecture::new("small", 1, 10, vec![block]).unwrap()
}

fn metadata() -> ModelMetadata {
    ModelMetadata {
        architecture: architecture(),
        classes: (0..10).map(|class| class.to_string()).collect(),
        dataset: "fashion-mnist-sample".to_owned(),
        preprocessing: Preprocessing::resized([28, 28]),
        precision: Precision::Fp32,
    }
}

fn weights() -> Weights {
    Initialization::Xavier.weights(&architecture(), 1)
}

/// Returns a valid file.
fn whole() -> Vec<u8> {
    metadata().to_safetensors(&weights()).unwrap()
}

/// Runs `eval` on a file with these bytes.
fn bytes(bytes: Vec<u8>, expected: &[&'static str]) -> Case {
    let prepare = move |folder: &Path| fs::write(folder.join("model.safetensors"), &bytes).unwrap();
    Case::after(prepare, &EVAL, expected)
}

/// Runs `eval` on a file whose tensors do not match its metadata.
fn tensors(change: impl Fn(&mut HashMap<String, HostTensor>), expected: &[&'static str]) -> Case {
    let mut tensors: HashMap<String, HostTensor> =
        weights().iter().map(|(name, tensor)| (name.to_owned(), tensor.clone())).collect();
    change(&mut tensors);
    let weights: Weights = tensors.into_iter().collect();
    let metadata = serde_json::to_string(&metadata()).unwrap();
    bytes(weights.to_safetensors("nin", &metadata).unwrap(), expected)
}

/// Runs `eval` on the weights with changed metadata: one part of the JSON is replaced.
fn described(piece: &str, by: &str, expected: &[&'static str]) -> Case {
    let metadata = serde_json::to_string(&metadata()).unwrap();
    assert!(metadata.contains(piece), "{metadata} has no {piece}");
    let metadata = metadata.replacen(piece, by, 1);
    bytes(weights().to_safetensors("nin", &metadata).unwrap(), expected)
}

/// Returns a safetensors file with this header and no tensors.
fn header(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

/// Writes a sparse file with these bytes and 8 GiB in total.
fn long(folder: &Path, bytes: &[u8]) {
    let path = folder.join("model.safetensors");
    fs::write(&path, bytes).unwrap();
    File::options().write(true).open(path).unwrap().set_len(8 << 30).unwrap();
}

/// Runs `import` on a file with these bytes.
fn imported(bytes: &'static [u8], expected: &[&'static str]) -> Case {
    let arguments = ["import", "--from", "theirs", "--config", "d2l", "--output", "ours"];
    Case::after(
        move |folder| fs::write(folder.join("theirs"), bytes).unwrap(),
        &arguments,
        expected,
    )
}

fn at(path: &'static str, prepare: impl Fn(&Path) + 'static, expected: &[&'static str]) -> Case {
    Case::after(prepare, &["eval", "--checkpoint", path], expected)
}

#[expect(clippy::too_many_lines, reason = "it is a table")]
pub(super) fn cases() -> Vec<Case> {
    vec![
        bytes(
            b"these are no weights".to_vec(),
            &[
                NO_WEIGHTS,
                "expected a header of at most 100000000 bytes",
                "found text that begins with `these ar`",
            ],
        ),
        bytes(Vec::new(), &[NO_WEIGHTS, "expected the header's length in 8 bytes, found 0 bytes"]),
        bytes(
            whole()[..whole().len() - 40].to_vec(),
            &[NO_WEIGHTS, "expected 440 bytes of tensors, as the header says, found 400"],
        ),
        bytes(whole()[..100].to_vec(), &[NO_WEIGHTS, "expected a header of", "found 92 bytes"]),
        bytes(
            [&(1_u64 << 63).to_le_bytes()[..], b"{}"].concat(),
            &[
                NO_WEIGHTS,
                "at most 100000000 bytes, found bytes that begin with 00 00 00 00 00 00 00 80",
            ],
        ),
        bytes(
            [&u64::MAX.to_le_bytes()[..], b"{}"].concat(),
            &[
                NO_WEIGHTS,
                "at most 100000000 bytes, found bytes that begin with ff ff ff ff ff ff ff ff",
            ],
        ),
        bytes(
            [whole(), b"more".to_vec()].concat(),
            &[NO_WEIGHTS, "expected 440 bytes of tensors, as the header says, found 444"],
        ),
        bytes(
            header("{}"),
            &["metadata `nin` of the weights is unusable: it is not there", "other software"],
        ),
        bytes(
            header("{\"__metadata__\":{\"nin\":\"{}\"}}"),
            &["metadata `nin` of the weights is unusable: missing field"],
        ),
        bytes(
            header(&"[".repeat(50_000)),
            &[NO_WEIGHTS, "expected a header that lists tensors, found `invalid JSON"],
        ),
        bytes(
            header(
                "{\"w\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}",
            ),
            &[NO_WEIGHTS, "expected a header that lists tensors, found `"],
        ),
        tensors(
            |tensors| {
                tensors.remove("blocks.0.cccp1.bias");
            },
            &["tensor `blocks.0.cccp1.bias` is missing", "of another architecture"],
        ),
        tensors(
            |tensors| {
                tensors
                    .insert("extra".to_owned(), HostTensor { shape: vec![1], values: vec![0.0] });
            },
            &["tensor `extra` belongs to no layer of the architecture `small`"],
        ),
        tensors(
            |tensors| {
                tensors.insert(
                    "blocks.0.cccp1.bias".to_owned(),
                    HostTensor { shape: vec![2], values: vec![0.0; 2] },
                );
            },
            &["tensor `blocks.0.cccp1.bias` has shape [2], expected [4]"],
        ),
        tensors(
            |tensors| tensors.get_mut("blocks.0.cccp2.weight").unwrap().values[7] = f32::NAN,
            &["tensor `blocks.0.cccp2.weight` holds NaN at position 7, expected finite numbers"],
        ),
        tensors(
            |tensors| tensors.get_mut("blocks.0.cccp2.bias").unwrap().values[0] = f32::INFINITY,
            &["tensor `blocks.0.cccp2.bias` holds inf at position 0"],
        ),
        bytes(
            {
                let mut bytes = whole();
                let at = bytes.windows(3).position(|window| window == b"F32").unwrap();
                bytes[at] = b'I';
                bytes
            },
            &["holds I32, expected F32, BF16 or F16"],
        ),
        described(
            "\"kernel\":3",
            "\"kernel\":5",
            &["tensor `blocks.0.convolution.weight` has shape [4, 1, 3, 3], expected [4, 1, 5, 5]"],
        ),
        described("[28,28]", "[60000,60000]", &["images of 60000x60000, expected at most 4096"]),
        at("model.safetensors", |folder| long(folder, &[]), &["not a safetensors file"]),
        at(
            "model.safetensors",
            |folder| long(folder, &header("{}")),
            &[
                "not a safetensors file: expected 0 bytes of tensors, as the header says, found 8589934582",
            ],
        ),
        described("[28,28]", "[0,28]", &["metadata `nin` of the weights is unusable"]),
        described(
            "\"0\",",
            "",
            &["metadata `nin` of the weights is unusable: 9 class names for 10 classes"],
        ),
        described(
            "\"kernel\":3",
            "\"kernel\":0",
            &["metadata `nin` of the weights is unusable", "kernel"],
        ),
        described("fashion-mnist-sample", "../../etc", &["invalid data set name `../../etc`"]),
        at(
            "theirs.pt",
            |folder| fs::write(folder.join("theirs.pt"), b"PK\x03\x04 and more").unwrap(),
            &["`theirs.pt`", "a PyTorch pickle, expected a safetensors file", "save_file"],
        ),
        imported(
            b"these are no weights",
            &[
                "`theirs`: not a safetensors file: expected a header of",
                "found text that begins with",
            ],
        ),
        imported(
            b"",
            &["`theirs`: not a safetensors file: expected the header's length", "0 bytes"],
        ),
        imported(
            b"PK\x03\x04 and more",
            &["`theirs`: a PyTorch pickle, expected a safetensors file", "save_file"],
        ),
        imported(
            b"\x02\0\0\0\0\0\0\0{}",
            &["`theirs`: tensor `0.0.weight` is missing", "--config NAME-OR-FILE"],
        ),
        Case::new(
            &["import", "--from", "none", "--config", "d2l", "--output", "ours"],
            &["cannot read `none`", "No such file"],
        ),
        at("nowhere", |_| {}, &["no checkpoint at `nowhere`", "No such file"]),
        at(
            "folder",
            |folder| fs::create_dir(folder.join("folder")).unwrap(),
            &["no checkpoint at `folder`: the folder holds neither a run nor a checkpoint"],
        ),
        at(
            "link",
            |folder| symlink("nowhere", folder.join("link")).unwrap(),
            &["no checkpoint at `link`"],
        ),
        at(
            "/dev/zero",
            |_| {},
            &["no checkpoint at `/dev/zero`: it is neither a file nor a folder"],
        ),
        at(
            "run",
            |folder| {
                fs::create_dir(folder.join("run")).unwrap();
                fs::write(folder.join("run/recipe.toml"), "").unwrap();
            },
            &["no checkpoint at `run`: the run has not written a checkpoint yet"],
        ),
        at(
            "folder",
            |folder| {
                fs::create_dir(folder.join("folder")).unwrap();
                fs::write(folder.join("folder/manifest.json"), "no JSON").unwrap();
            },
            &["`folder/manifest.json` is damaged"],
        ),
        at(
            "folder",
            |folder| {
                fs::create_dir(folder.join("folder")).unwrap();
                fs::write(folder.join("folder/manifest.json"), "{\"format\":1,\"files\":{}}")
                    .unwrap();
            },
            &[
                "`folder/model.safetensors` is damaged: expected an entry in the manifest, found none",
            ],
        ),
    ]
}

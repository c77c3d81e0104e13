//! Normalization and whitening: training, resuming, and the same in every command.

use std::fs;
use std::path::Path;

use nin_model::{HostTensor, ModelMetadata, Normalization, Weights};

use crate::colour::{png, prepare, train};
use crate::program::{metrics, nin};
use crate::workshop::words;

const CHANNELS: &str = "--set preprocessing.normalization=channels";
/// 3x8x8 are 192 values, whose whitening is fitted immediately.
const WHITENED: &str = "--set preprocessing.normalization=contrast \
                        --set preprocessing.whitening=true --set data.input_size=8 \
                        --set augmentation.flip=true --set augmentation.shift=1";

fn model(root: &Path, run: &str) -> Vec<u8> {
    fs::read(root.join(run).join("checkpoints/latest/model.safetensors")).unwrap()
}

fn json(root: &Path, line: &str) -> serde_json::Value {
    nin(root, &words(line)).json()
}

#[test]
fn fitted_preprocessing_is_used_by_every_command() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    prepare(root);
    for options in [CHANNELS, WHITENED] {
        let run = if options == CHANNELS { "channels" } else { "whitened" };
        train(root, run, options);
        // Interrupted and resumed, with other settings.
        let cut = format!("{run}-cut");
        train(root, &cut, &format!("{options} --epochs 1 --workers 3 --threads 1"));
        let line = format!("train --run {cut} --resume --data data --progress none --epochs 8");
        nin(root, &words(&line)).ok();
        assert!(model(root, &cut) == model(root, run), "{run}");

        let eval = json(root, &format!("eval --checkpoint {run} --data data --format json"));
        let accuracy = eval["accuracy"].as_f64().unwrap();
        let tested = metrics(&root.join(run));
        let tested = tested.iter().filter_map(|event| event["test_accuracy"].as_f64());
        assert_eq!(tested.fold(0.0, f64::max), accuracy, "{run}");
        assert!(accuracy > 0.5, "ten colours are told apart by {run}: {accuracy}");

        // Picture files are preprocessed alike: the test images as files have the same accuracy.
        let pictures: Vec<_> = (0..40).map(|at| format!("{at}.png")).collect();
        for (at, picture) in pictures.iter().enumerate() {
            fs::write(root.join(picture), png(at % 10, at / 10)).unwrap();
        }
        let line = format!("predict --checkpoint {run} --format json {}", pictures.join(" "));
        let answers = json(root, &line);
        let is_right = |at: &usize| {
            let answer = &answers["images"][*at]["top"][0]["class"];
            *answer == eval["per_class"][at % 10]["class"]
        };
        let right = (0..40).filter(is_right).count();
        assert_eq!(right as f64 / 40.0, accuracy, "{run}");
        let page = fs::read_to_string(root.join(run).join("report.html")).unwrap();
        assert!(page.contains("automobile"), "the report has the network's answers");
    }
}

#[test]
fn impossible_combinations_are_rejected() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    prepare(root);
    train(root, "run", &format!("{WHITENED} --epochs 1"));
    train(root, "plain", &format!("{CHANNELS} --epochs 1"));
    fs::write(root.join("one.png"), png(1, 0)).unwrap();
    for (line, expected, hint) in [
        (
            "export --checkpoint run --to onnx --output x.onnx",
            "whitening cannot",
            "preprocessing.whitening.mean",
        ),
        (
            "export --checkpoint run --to safetensors --output x.safetensors",
            "whitening cannot",
            "model.safetensors",
        ),
        ("predict --checkpoint run --dense one.png", "it whitens 8x8 pixels", "leave --dense out"),
        (
            "train --config colour.toml --data data --set preprocessing.whitening=true \
             --set data.input_size=48",
            "`preprocessing.whitening` is `true`, expected false for inputs of more than 4096 values \
             (3x48x48 are 6912)",
            "--set preprocessing.whitening=VALUE",
        ),
    ] {
        let finished = nin(root, &words(line));
        assert_eq!(finished.code, Some(1), "{line}: {}", finished.stderr);
        assert!(finished.stderr.contains(expected), "{line}: {}", finished.stderr);
        assert!(finished.stderr.contains(hint), "{line}: {}", finished.stderr);
    }
    // Normalization by channel can be exported: it is part of the ONNX graph and of the module.
    nin(root, &words("export --checkpoint plain --to onnx --output x.onnx")).ok();
    nin(root, &words("export --checkpoint plain --to safetensors --output x.safetensors")).ok();
    let module = fs::read_to_string(root.join("model.py")).unwrap();
    assert!(module.contains("return normalized(values)"), "{module}");
}

/// NaN logits are an error: otherwise the accuracy would be the share of the first class.
#[test]
fn every_command_rejects_a_network_that_overflows() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    prepare(root);
    train(root, "run", CHANNELS);
    fs::write(root.join("one.png"), png(1, 0)).unwrap();
    let (metadata, weights) = ModelMetadata::from_safetensors(&model(root, "run")).unwrap();
    // Each weight is finite, but the activations overflow.
    let huge: Weights = weights
        .iter()
        .map(|(name, tensor)| {
            let values = tensor.values.iter().map(|value| value.signum() * 1e38).collect();
            (name.to_owned(), HostTensor { values, ..tensor.clone() })
        })
        .collect();
    fs::write(root.join("huge.safetensors"), metadata.to_safetensors(&huge).unwrap()).unwrap();
    let mut thin = metadata;
    let (mean, deviation) = (vec![0.5; 3], vec![1e-45; 3]);
    thin.preprocessing.normalization = Normalization::Channels { mean, deviation };
    let mut names = vec!["huge.safetensors"];
    // Or it is rejected when written.
    if let Ok(bytes) = thin.to_safetensors(&weights) {
        fs::write(root.join("thin.safetensors"), bytes).unwrap();
        names.push("thin.safetensors");
    }
    for name in names {
        for command in
            ["eval --data data --dataset cifar10", "predict one.png", "serve --addr 127.0.0.1:0"]
        {
            let finished = nin(root, &words(&format!("{command} --checkpoint {name}")));
            assert_eq!(finished.code, Some(1), "{command} {name}: {}", finished.stdout);
            let error = "error: the network answers ";
            let hint = "\nhint: its weights or its preprocessing overflow";
            for part in [error, " images with NaN or infinity", hint] {
                assert!(finished.stderr.contains(part), "{command} {name}: {}", finished.stderr);
            }
            assert_eq!(finished.stdout, "", "{command} {name}");
        }
    }
}

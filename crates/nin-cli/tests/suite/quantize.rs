//! `quantize`: the file, its accuracy, and who takes it.

use std::fs;

use crate::program::nin;
use crate::workshop::words;

/// The embedded network on the embedded sample, to int8.
const QUANTIZE: &str = "quantize --checkpoint pretrained:record-fashion-mnist \
                        --dataset fashion-mnist-sample --images 128 --output small.safetensors \
                        --format json";

#[test]
fn the_embedded_network_keeps_its_accuracy_in_int8() {
    let root = tempfile::tempdir().unwrap();
    let run = |line: &str| nin(root.path(), &words(line));
    let report = run(QUANTIZE).json();
    let number = |key: &str| report[key].as_f64().unwrap();
    assert_eq!(report["written"], true);
    assert!(number("accuracy_loss") <= 0.005, "{report}");
    let loss = number("accuracy_fp32") - number("accuracy_int8");
    assert!((loss - number("accuracy_loss")).abs() < 1e-12, "{report}");
    // Weights of one byte, and the first layer, biases and steps of four.
    let file = fs::read(root.path().join("small.safetensors")).unwrap();
    assert_eq!(report["bytes_int8"], file.len());
    assert!(number("bytes_int8") < 0.27 * number("bytes_fp32"), "{report}");

    let eval = |more: &str| {
        let line = "eval --checkpoint small.safetensors --dataset fashion-mnist-sample";
        run(&format!("{line} --format json {more}")).json()
    };
    // Integers: the same accuracy on every CPU backend, and with any number of threads and batch size.
    for more in ["", "--backend ndarray --threads 1 --batch-size 7"] {
        assert_eq!(eval(more)["accuracy"], report["accuracy_int8"], "{more}");
    }
    let line = "bench --inference --checkpoint small.safetensors --backend flex --steps 1 \
                --batch-size 2 --format json";
    let bench = run(line).json();
    assert_eq!((&bench["precision"], &bench["architecture"]), (&"int8".into(), &"record".into()));
    // The choice of the program, not of the user.
    let line = "bench --inference --checkpoint small.safetensors --steps 1 --batch-size 2";
    let chosen = run(line).ok();
    assert!(chosen.stdout.contains("(int8 runs on the CPU)"), "{}", chosen.stdout);
    let asked = run(&format!("{line} --backend flex")).ok();
    assert!(asked.stdout.contains("(requested)"), "{}", asked.stdout);
    // A checkpoint has its own network and precision.
    for key in ["training.precision=bf16", "data.input_size=56", "training.batch_size=2"] {
        let refused = run(&format!("{line} --set {key}"));
        assert_eq!(refused.code, Some(2), "{key}");
        assert!(refused.stderr.contains("cannot be used with"), "{}", refused.stderr);
    }
    image::GrayImage::from_pixel(28, 28, image::Luma([200]))
        .save(root.path().join("p.png"))
        .unwrap();
    let predicted = run("predict --checkpoint small.safetensors p.png --format json").json();
    assert!(predicted["images"][0]["top"].as_array().is_some(), "{predicted}");

    for (line, expected) in [
        (
            "quantize --checkpoint small.safetensors --output again.safetensors",
            "the weights are int8 already",
        ),
        (
            "export --checkpoint small.safetensors --to onnx --output x.onnx",
            "int8 weights cannot be exported",
        ),
        (
            "train --weights small.safetensors --dataset fashion-mnist-sample --run run",
            "`small.safetensors` holds int8 weights, which cannot be trained",
        ),
    ] {
        let finished = run(line);
        assert_eq!(finished.code, Some(1), "{line}: {}", finished.stderr);
        assert!(finished.stderr.contains(expected), "{line}: {}", finished.stderr);
    }
    for name in ["again.safetensors", "x.onnx", "run/metrics.jsonl"] {
        assert!(!root.path().join(name).exists(), "{name}");
    }

    fs::write(root.path().join("short.safetensors"), &file[..file.len() - 1]).unwrap();
    let finished = run("eval --checkpoint short.safetensors --dataset fashion-mnist-sample");
    assert_eq!(finished.code, Some(1));
    let expected = "short.safetensors`: not a safetensors file";
    assert!(finished.stderr.contains(expected), "{}", finished.stderr);
}

#[test]
fn a_network_that_loses_too_much_is_not_written() {
    let root = tempfile::tempdir().unwrap();
    // Ranges of a single image cut off the activations of others.
    let line = format!("{QUANTIZE} --max-loss 0").replace("--images 128", "--images 1");
    let finished = nin(root.path(), &words(&line));
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    let report: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(report["written"], false, "{report}");
    assert!(finished.stderr.contains("more than --max-loss 0: nothing was written"));
    assert!(!root.path().join("small.safetensors").exists());

    let line = format!("{QUANTIZE} --max-loss 1.5");
    assert_eq!(nin(root.path(), &words(&line)).code, Some(2));
}

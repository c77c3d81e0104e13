//! `wgpu` on any available adapter: in CI Mesa's llvmpipe, a slow software renderer.

use nin_testing::Need;

use crate::program::{Finished, nin, write_shapes};
use crate::workshop::words;

const RECIPE: &str = r#"# A very small network.
[model]
blocks = [
  { kernel = 3, padding = 1, widths = [4, 4, 4], pool = { kernel = 3, stride = 2, ceil_mode = true }, dropout = 0.2 },
  { kernel = 3, padding = 1, widths = [4, 4, "classes"] },
]
[data]
dataset = "shapes"
input_size = 14
[training]
epochs = 1
batch_size = 8
"#;

/// Tolerance between the test losses of two backends: 32-bit sums in another order, over four steps.
const LOSS_TOLERANCE: f64 = 1e-4;

/// Returns whether there is an adapter. Panics without one in CI, which promises one.
fn has_adapter() -> bool {
    let devices = nin(std::path::Path::new("."), &["devices", "--format", "json"]).json();
    let wgpu = &devices["backends"][0];
    assert_eq!(wgpu["name"], "wgpu");
    let available = wgpu["available"] == true;
    if !available {
        Need::Vulkan.skip("no adapter for wgpu");
    }
    available
}

#[test]
fn trains_end_to_end_and_agrees_with_the_cpu() {
    if !has_adapter() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    write_shapes(root.path(), 20, 32, 12);
    std::fs::write(root.path().join("small.toml"), RECIPE).unwrap();
    let losses = ["wgpu", "flex"].map(|backend| {
        let train = [
            "train",
            "--config",
            "small.toml",
            "--data",
            ".",
            "--run",
            backend,
            "--backend",
            backend,
        ];
        nin(root.path(), &train).ok();
        let eval = [
            "eval",
            "--checkpoint",
            backend,
            "--data",
            ".",
            "--backend",
            backend,
            "--format",
            "json",
        ];
        let report = nin(root.path(), &eval).json();
        assert_eq!(report["backend"], backend);
        report["loss"].as_f64().unwrap()
    });
    assert!((losses[0] - losses[1]).abs() < LOSS_TOLERANCE, "{losses:?}");
}

/// Tolerance between the test losses of f16 and fp32, over four steps: operands of eleven digits.
const F16_LOSS_TOLERANCE: f64 = 1e-2;

#[test]
fn f16_trains_on_wgpu_and_is_refused_elsewhere() {
    if !has_adapter() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let devices = nin(root.path(), &["devices", "--format", "json"]).json();
    let adapters = devices["backends"][0]["adapters"].as_array().unwrap();
    if !adapters.iter().all(|adapter| adapter["f16"] == true) {
        Need::F16.skip("no adapter with f16");
        return;
    }
    write_shapes(root.path(), 20, 32, 12);
    std::fs::write(root.path().join("small.toml"), RECIPE).unwrap();
    let train = |line: &str| {
        let open = "--set model.initialization=lsuv-open";
        let line = format!("train --config small.toml --data . {open} {line}");
        nin(root.path(), &words(&line))
    };
    let refused = train("--backend flex --run refused --set training.precision=f16");
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("error: `training.precision` is `f16`"), "{}", refused.stderr);
    assert!(refused.stderr.contains("`\"bf16\"` on a CPU"), "{}", refused.stderr);
    assert!(!root.path().join("refused").exists());

    train("--backend wgpu --run half --set training.precision=f16").ok();
    train("--backend flex --run full").ok();
    let eval = |run: &str, backend: &str| {
        let line = format!("eval --checkpoint {run} --data . --backend {backend} --format json");
        nin(root.path(), &words(&line))
    };
    // Trained in f16, evaluated in f16, and in fp32 where there is no f16.
    let [in_f16, in_fp32, full] =
        [eval("half", "wgpu"), eval("half", "flex"), eval("full", "flex")];
    let note = "f16 is not available";
    assert!(in_fp32.stderr.contains(note) && !in_f16.stderr.contains(note), "{}", in_f16.stderr);
    let [in_f16, in_fp32, full] =
        [in_f16, in_fp32, full].map(|finished| finished.json()["loss"].as_f64().unwrap());
    assert!((in_f16 - full).abs() < F16_LOSS_TOLERANCE, "{in_f16}, {full}");
    assert!((in_fp32 - full).abs() < F16_LOSS_TOLERANCE, "{in_fp32}, {full}");
    assert!(in_f16 != in_fp32);
}

#[test]
fn without_an_adapter_the_hint_says_how_to_get_one() {
    if !cfg!(feature = "wgpu") {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    // Without a driver, the Vulkan loader finds no adapter.
    let output = crate::program::command(root.path(), &["train", "--backend", "wgpu"])
        .env("VK_DRIVER_FILES", root.path().join("none.json"))
        .env("VK_ICD_FILENAMES", root.path().join("none.json"))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("error: no GPU adapter found"), "{stderr}");
    assert!(stderr.contains("hint: ") && stderr.contains("mesa-vulkan-drivers"), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

/// One layer of 512 maps of 64x64: in a batch of 64, 512 MiB in one buffer, little to compute.
const TOO_LARGE: &str = r#"
[model]
blocks = [ { kernel = 1, widths = [512, 4, "classes"] } ]
[data]
dataset = "fashion-mnist-sample"
input_size = 64
limit = 64
[training]
epochs = 1
batch_size = 64
"#;

/// An adapter with such buffers does not fail: this is for Mesa's llvmpipe, with 128 MiB, and its like.
#[test]
fn out_of_memory_ends_the_run_and_leaves_its_checkpoint_whole() {
    if !has_adapter() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let devices = nin(root.path(), &["devices", "--format", "json"]).json();
    let largest = devices["backends"][0]["adapters"].as_array().unwrap().iter();
    let largest = largest.map(|adapter| adapter["max_buffer_bytes"].as_u64().unwrap()).max();
    if largest.unwrap() >= 512 << 20 {
        println!("skipped: buffers of 512 MiB work here");
        return;
    }
    std::fs::write(root.path().join("large.toml"), TOO_LARGE).unwrap();
    let train = "train --config large.toml --run run --backend flex";
    nin(root.path(), &words(train)).ok();
    let model = root.path().join("run/checkpoints/latest/model.safetensors");
    let before = std::fs::read(&model).unwrap();

    let resume = "train --run run --resume --epochs 2 --backend wgpu";
    let Finished { code, stderr, .. } = nin(root.path(), &words(resume));
    assert_eq!(code, Some(1), "{stderr}");
    let errors: Vec<_> = stderr.lines().filter(|line| line.starts_with("error: the ")).collect();
    assert_eq!(errors.len(), 1, "{stderr}");
    assert!(errors[0].contains("the device failed: can't allocate"), "{stderr}");
    assert!(stderr.contains("hint: the device has too little memory"), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");

    assert!(before == std::fs::read(&model).unwrap());
    // Goes on where it is, on the backend that it began on.
    let resume = "train --run run --resume --epochs 2 --adapter 0 --backend flex";
    let Finished { code, stderr, .. } = nin(root.path(), &words(resume));
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("`--adapter 0` is for wgpu"), "{stderr}");
    nin(root.path(), &words("train --run run --resume --epochs 2 --backend flex")).ok();
    nin(root.path(), &words("eval --checkpoint run --backend flex")).ok();
}

#[test]
fn an_unknown_adapter_is_an_error_that_lists_the_known_ones() {
    if !has_adapter() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let Finished { code, stderr, .. } =
        nin(root.path(), &words("train --adapter no-such-gpu --run run"));
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("error: `--adapter no-such-gpu` names no adapter"), "{stderr}");
    assert!(stderr.contains("hint: name one by its index or a part of its name: 0 "), "{stderr}");
    assert!(!root.path().join("run").exists());
}

#[test]
fn a_resumed_run_keeps_its_backend() {
    if !has_adapter() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    write_shapes(root.path(), 20, 32, 12);
    std::fs::write(root.path().join("small.toml"), RECIPE).unwrap();
    let train = "train --config small.toml --data . --run run --backend";
    for backend in ["wgpu", "flex"] {
        let run = root.path().join("run");
        nin(root.path(), &words(&format!("{train} {backend}"))).ok();
        nin(root.path(), &words("train --run run --resume --epochs 2")).ok();
        let environment = std::fs::read_to_string(run.join("environment.json")).unwrap();
        let environment: serde_json::Value = serde_json::from_str(&environment).unwrap();
        assert_eq!(environment["backend"], backend);
        std::fs::remove_dir_all(run).unwrap();
    }
}

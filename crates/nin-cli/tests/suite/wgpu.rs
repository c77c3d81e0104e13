//! `wgpu` on any available adapter: in CI Mesa's llvmpipe, a slow software renderer.

use crate::program::{nin, write_shapes};

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
    let required = std::env::var("NIN_REQUIRE").unwrap_or_default();
    assert!(available || !required.split(',').any(|name| name == "vulkan"), "{devices}");
    if !available {
        println!("skipped: no adapter for wgpu");
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

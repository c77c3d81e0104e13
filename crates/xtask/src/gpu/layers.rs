//! What each layer costs, and the rates that follow.

use serde_json::{Value, json};

use super::limit::Limit;
use super::session::{Session, push};
use super::steps::{bench, sizes};

/// A GPU as the cost model sees it.
struct Model {
    name: &'static str,
    /// The peak in fp32 and the memory's bandwidth, of the data sheet.
    tflops: f64,
    gbytes_per_sec: f64,
    /// The share of the peak that matrix products in plain WGSL reach: an assumption from public measurements of others.
    share: f64,
}

const MODELS: [Model; 3] = [
    Model { name: "NVIDIA H200", tflops: 66.9, gbytes_per_sec: 4800.0, share: 0.4 },
    Model { name: "NVIDIA RTX 4060 Laptop", tflops: 11.6, gbytes_per_sec: 256.0, share: 0.4 },
    Model { name: "Intel Iris Xe, 96 units", tflops: 2.1, gbytes_per_sec: 68.0, share: 0.3 },
];

/// The seconds that a dispatch costs, if the host prepares the next ones meanwhile: an assumption.
const DISPATCH_SECS: f64 = 5e-6;

/// Finds what each layer costs, as `bench --layers` counts it, and the images per second that follow for some GPUs.
pub(super) fn run(session: &Session, limit: &Limit, rows: &mut Value) -> anyhow::Result<()> {
    for size in sizes(session.arguments) {
        let mut found = bench(session, limit, size, &["--layers"], "kernels")?;
        found["computed_not_measured_images_per_sec"] = rates(&found);
        push(rows, found);
    }
    Ok(())
}

fn rates(found: &Value) -> Value {
    let images = found["batch_size"].as_f64().unwrap_or_default();
    let rate = |gpu: &Model| {
        let secs = |pass: &Value| gpu.secs(pass).unwrap_or(f64::NAN);
        let layers = found["layers"].as_array().into_iter().flatten();
        let step: f64 =
            layers.map(|layer| secs(&layer["forward"]) + secs(&layer["backward"])).sum();
        (gpu.name.to_owned(), json!((images / step).round()))
    };
    MODELS.iter().map(rate).collect()
}

impl Model {
    /// Returns the seconds of a layer's pass: of its arithmetic, its bytes and its dispatches, as if none overlapped.
    fn secs(&self, pass: &Value) -> Option<f64> {
        let arithmetic = pass["executed_flops"].as_f64()? / (self.tflops * 1e12 * self.share);
        let memory = pass["bytes"].as_f64()? / (self.gbytes_per_sec * 1e9);
        Some(arithmetic + memory + pass["dispatches"].as_f64()? * DISPATCH_SECS)
    }
}

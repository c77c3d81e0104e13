//! The CPU's name and the features that kernels may use.

use std::fs;

#[cfg(any(feature = "ndarray", feature = "flex"))]
use anyhow::Context;

/// The processor's name, as the system knows it.
pub fn cpu_name() -> String {
    // Linux; elsewhere the architecture has to do.
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim().to_owned())
    });
    model
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| format!("{} CPU", std::env::consts::ARCH))
}

/// The features among those that CPU kernels use.
pub fn cpu_features() -> Vec<String> {
    let mut features = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        macro_rules! detect {
            ($($feature:tt),+) => {
                $(if std::arch::is_x86_feature_detected!($feature) {
                    features.push($feature.to_owned());
                })+
            };
        }
        detect!("avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512bf16");
        if has_tiles() {
            features.push("amxbf16".to_owned());
        }
    }
    #[cfg(target_arch = "aarch64")]
    features.push("neon".to_owned());
    features
}

/// The instruction set of the fused kernels, chosen here for the whole process; `None` where the
/// program has no CPU backend.
#[cfg(any(feature = "ndarray", feature = "flex"))]
pub fn configure_kernels(threads: usize) -> anyhow::Result<Option<&'static str>> {
    let name = nin_model::configure_kernels(threads)
        .map_err(nin_model::ModelError::from)
        .context("cannot set up the CPU kernels")?;
    Ok(Some(name))
}

/// The instruction set of the fused kernels: there are none.
#[cfg(not(any(feature = "ndarray", feature = "flex")))]
#[allow(clippy::unnecessary_wraps, reason = "the same signature as with a CPU backend")]
pub fn configure_kernels(_threads: usize) -> anyhow::Result<Option<&'static str>> {
    Ok(None)
}

/// Keeps freed memory for the next training step.
#[cfg(any(feature = "ndarray", feature = "flex"))]
pub use nin_model::keep_freed_memory;

/// Keeps freed memory for the next training step: there is no CPU backend that would need it.
#[cfg(not(any(feature = "ndarray", feature = "flex")))]
pub fn keep_freed_memory() {}

/// Whether the fused kernels multiply bf16.
#[cfg(any(feature = "ndarray", feature = "flex"))]
pub fn computes_in_bf16() -> bool {
    nin_model::computes_in_bf16()
}

/// Whether the fused kernels multiply bf16: there are none.
#[cfg(not(any(feature = "ndarray", feature = "flex")))]
pub fn computes_in_bf16() -> bool {
    false
}

/// Whether the CPU multiplies tiles of bf16, and the system lets this process use them.
#[cfg(all(target_arch = "x86_64", any(feature = "ndarray", feature = "flex")))]
use nin_model::has_tiles;

/// Whether there are tiles that anything here could use.
#[cfg(all(target_arch = "x86_64", not(any(feature = "ndarray", feature = "flex"))))]
fn has_tiles() -> bool {
    false
}

/// The name of the instruction set that the fused kernels' results depend on.
#[cfg(any(feature = "ndarray", feature = "flex"))]
pub use nin_model::kernels_in;

/// The name of the instruction set that the fused kernels' results depend on: there are none.
#[cfg(not(any(feature = "ndarray", feature = "flex")))]
pub fn kernels_in(_precision: nin_model::Precision) -> Option<&'static str> {
    None
}

/// The instruction set that the fused kernels would take here.
pub fn kernels() -> anyhow::Result<Option<&'static str>> {
    configure_kernels(1)
}

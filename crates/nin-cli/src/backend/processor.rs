//! The CPU: its name, its features, and the kernels that run on it.

use std::fs;

#[cfg(any(feature = "ndarray", feature = "flex"))]
use anyhow::Context as _;
use nin_kernels::Context;

use crate::error::CommandError;

/// Overrides the instruction set of the CPU kernels by the one that the environment variable `NIN_CPU` names.
pub fn override_instruction_set() -> anyhow::Result<()> {
    let Some(name) = std::env::var_os("NIN_CPU").filter(|name| !name.is_empty()) else {
        return Ok(());
    };
    // `configure_kernels` sets the number of threads.
    let context = name.to_string_lossy().parse().and_then(|isa| Context::new(isa, 1));
    context.map(Context::set_shared).map_err(|error| {
        let hint = "unset it to use the fastest instruction set of this CPU";
        CommandError::new(format!("`NIN_CPU`: {error}"), hint).into()
    })
}

/// Returns the name of the CPU.
pub fn cpu_name() -> String {
    // Linux only; elsewhere the name is that of the architecture.
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim().to_owned())
    });
    model
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| format!("{} CPU", std::env::consts::ARCH))
}

/// Returns the CPU features that kernels use.
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

/// Sets the number of threads of the CPU kernels for the whole process. Returns the name of their instruction set; `None`
/// without a CPU backend.
#[cfg(any(feature = "ndarray", feature = "flex"))]
pub fn configure_kernels(threads: usize) -> anyhow::Result<Option<&'static str>> {
    let context = Context::new(Context::shared_isa(), threads)
        .map_err(nin_model::ModelError::from)
        .context("cannot set up the CPU kernels")?;
    let name = context.name();
    context.set_shared();
    Ok(Some(name))
}

/// Returns `None`: there is no CPU backend.
#[cfg(not(any(feature = "ndarray", feature = "flex")))]
#[allow(clippy::unnecessary_wraps, reason = "the same signature as with a CPU backend")]
pub fn configure_kernels(_threads: usize) -> anyhow::Result<Option<&'static str>> {
    Ok(None)
}

/// Keeps freed memory for the next training step.
#[cfg(any(feature = "ndarray", feature = "flex"))]
pub use nin_kernels::keep_freed_memory;

/// Does nothing: there is no CPU backend.
#[cfg(not(any(feature = "ndarray", feature = "flex")))]
pub fn keep_freed_memory() {}

/// Returns whether the CPU kernels multiply bf16.
#[cfg(any(feature = "ndarray", feature = "flex"))]
pub fn computes_in_bf16() -> bool {
    Context::shared().is_ok_and(|context| context.computes_in_bf16())
}

/// Returns `false`: there is no CPU backend.
#[cfg(not(any(feature = "ndarray", feature = "flex")))]
pub fn computes_in_bf16() -> bool {
    false
}

/// Returns whether the CPU multiplies tiles of bf16 and the system lets this process use them.
#[cfg(target_arch = "x86_64")]
fn has_tiles() -> bool {
    cfg!(any(feature = "ndarray", feature = "flex")) && nin_kernels::Isa::Amx.is_available()
}

/// Returns the name of the instruction set that determines the results of the CPU kernels.
#[cfg(any(feature = "ndarray", feature = "flex"))]
pub fn kernels_in(precision: nin_model::Precision) -> Option<&'static str> {
    let context = Context::shared().ok()?.with_precision(precision.into());
    Some(context.arithmetic().name())
}

/// Returns `None`: there is no CPU backend.
#[cfg(not(any(feature = "ndarray", feature = "flex")))]
pub fn kernels_in(_precision: nin_model::Precision) -> Option<&'static str> {
    None
}

/// Returns the name of the instruction set of the CPU kernels.
pub fn kernels() -> anyhow::Result<Option<&'static str>> {
    configure_kernels(1)
}

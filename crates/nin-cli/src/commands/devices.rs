//! `devices`: lists the backends, adapters and CPU features of this machine.

use std::process::ExitCode;

use serde::Serialize;

use crate::arguments::DevicesArguments;
use crate::backend::{
    Adapter, BackendName, adapters, computes_in_bf16, cpu_features, cpu_name, default_threads,
    kernels,
};
use crate::output::{Format, print_json, print_text};

#[derive(Serialize)]
struct Devices {
    backends: Vec<BackendEntry>,
    cpu: String,
    cpu_features: Vec<String>,
    kernels: Option<&'static str>,
    multiplies_bf16: bool,
    threads: usize,
}

#[derive(Serialize)]
struct BackendEntry {
    name: &'static str,
    available: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    adapters: Option<Vec<Adapter>>,
    #[serde(skip)]
    compiled_in: bool,
}

pub fn run(arguments: &DevicesArguments) -> anyhow::Result<ExitCode> {
    let devices = Devices {
        backends: BackendName::ALL.map(entry).into(),
        cpu: cpu_name(),
        cpu_features: cpu_features(),
        kernels: kernels()?,
        multiplies_bf16: computes_in_bf16(),
        threads: default_threads(),
    };
    match arguments.format {
        Format::Json => print_json(&devices)?,
        Format::Text => print_text(&describe(&devices))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn entry(backend: BackendName) -> BackendEntry {
    let compiled_in = backend.is_compiled_in();
    let adapters = (backend == BackendName::Wgpu).then(adapters);
    let available = compiled_in && adapters.as_ref().is_none_or(|adapters| !adapters.is_empty());
    BackendEntry { name: backend.name(), available, adapters, compiled_in }
}

fn describe(devices: &Devices) -> String {
    let mut lines = vec!["backends:".to_owned()];
    for backend in &devices.backends {
        let state = match backend {
            BackendEntry { compiled_in: false, .. } => "not compiled in",
            BackendEntry { available: true, .. } => "available",
            _ => "no adapter found (Debian: mesa-vulkan-drivers)",
        };
        lines.push(format!("  {:<8} {state}", backend.name));
        for adapter in backend.adapters.iter().flatten() {
            lines.push(format!("           {}", describe_adapter(adapter)));
        }
    }
    lines.push(format!("cpu: {}, {} threads", devices.cpu, devices.threads));
    lines.push(format!("cpu features: {}", devices.cpu_features.join(" ")));
    if let Some(kernels) = devices.kernels {
        lines.push(format!("fused CPU kernels: {kernels} (NIN_CPU overrides)"));
        let bf16 = if devices.multiplies_bf16 { "multiplied as such" } else { "computed in fp32" };
        lines.push(format!("training.precision bf16: {bf16}"));
    }
    lines.join("\n")
}

/// Describes an adapter on one line, its index first.
fn describe_adapter(adapter: &Adapter) -> String {
    let Adapter { index, name, kind, driver, max_buffer_bytes, shared_memory_bytes, f16 } = adapter;
    let kind = format!("{kind:?}").to_lowercase();
    let driver = if driver.is_empty() { String::new() } else { format!(", {driver}") };
    format!(
        "{index}: {name} ({kind}{driver}; buffers of {} MiB, shared memory of {} KiB, {} f16)",
        max_buffer_bytes >> 20,
        shared_memory_bytes >> 10,
        if *f16 { "with" } else { "without" }
    )
}

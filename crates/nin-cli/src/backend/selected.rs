//! A backend with its device, and how tasks run on it.

use burn::backend::Autodiff;
use nin_model::{Precision, Weights};

use super::adapters::Adapter;
#[cfg(feature = "wgpu")]
use super::gpu;
use super::name::{BackendName, compiled_in, not_compiled_in};
use super::processor::{self, cpu_name};
use super::task::Task;
use crate::output::note;

/// A backend with its device.
#[derive(Debug, Clone)]
pub struct Selected {
    /// The backend.
    pub backend: BackendName,
    /// The device's readable name.
    pub device: String,
    /// Why it was chosen.
    pub reason: String,
    /// The instruction set of the CPU kernels, or `None` if they are not used.
    pub kernels: Option<&'static str>,
    adapter: Option<Adapter>,
}

impl Selected {
    /// Selects an adapter.
    pub fn adapter(adapter: Adapter, reason: &str) -> Self {
        Self {
            backend: BackendName::Wgpu,
            device: adapter.name.clone(),
            reason: reason.to_owned(),
            kernels: None,
            adapter: Some(adapter),
        }
    }

    /// Selects the CPU.
    pub fn cpu(backend: BackendName, reason: &str) -> anyhow::Result<Self> {
        compiled_in(backend)?;
        let (device, reason) = (cpu_name(), reason.to_owned());
        Ok(Self { backend, device, reason, kernels: None, adapter: None })
    }

    /// Adds the instruction set of the CPU kernels, if they are used.
    pub fn with_kernels(self, kernels: Option<&'static str>) -> Self {
        Self { kernels: kernels.filter(|_| self.backend != BackendName::Wgpu), ..self }
    }

    /// Describes backend and device on one line.
    pub fn describe(&self) -> String {
        format!("{} on {} ({})", self.backend.name(), self.device, self.reason)
    }

    /// Returns the instruction set that results depend on in this precision, or `None` without CPU kernels.
    pub fn kernels_in(&self, precision: Precision) -> Option<&'static str> {
        self.kernels.and_then(|_| processor::kernels_in(precision))
    }

    /// Notes if a recipe's precision makes no difference on this machine.
    pub fn note_precision(&self, precision: Precision) {
        let is_available = match precision {
            Precision::Fp32 => true,
            Precision::Bf16 => self.backend != BackendName::Wgpu && processor::computes_in_bf16(),
            Precision::F16 => self.adapter.as_ref().is_some_and(|adapter| adapter.f16),
        };
        if !is_available {
            let (name, device) = (precision.name(), &self.device);
            note(format!(
                "training.precision is {name}, but {name} is not available on {device}: computing \
                 in fp32"
            ));
        }
    }

    /// Returns whether it multiplies the weights as integers.
    pub fn computes_int8(&self, weights: &Weights) -> bool {
        weights.is_quantized() && self.backend != BackendName::Wgpu
    }

    /// Notes if the number format of a network makes no difference here.
    pub fn note_format(&self, precision: Precision, weights: &Weights) {
        if !weights.is_quantized() {
            self.note_precision(precision);
        } else if !self.computes_int8(weights) {
            let device = &self.device;
            note(format!(
                "the weights are int8, but {device} computes in fp32: --backend flex is int8"
            ));
        }
    }

    /// Runs a task that takes training steps. On a CPU, the process keeps the memory that a step frees for the
    /// next one.
    pub fn run_steps<T: Task>(&self, task: T) -> anyhow::Result<T::Output> {
        if self.backend != BackendName::Wgpu {
            processor::keep_freed_memory();
        }
        self.run(task)
    }

    /// Runs a task on the backend. The first task on an adapter follows its self-test.
    pub fn run<T: Task>(&self, task: T) -> anyhow::Result<T::Output> {
        match (self.backend, &self.adapter) {
            #[cfg(feature = "wgpu")]
            (BackendName::Wgpu, Some(adapter)) => gpu::run(adapter, task),
            #[cfg(feature = "ndarray")]
            (BackendName::Ndarray, _) => {
                task.run::<Autodiff<burn_ndarray::NdArray<f32>>>(burn_ndarray::NdArrayDevice::Cpu)
            }
            #[cfg(feature = "flex")]
            (BackendName::Flex, _) => task.run::<Autodiff<burn_flex::Flex>>(burn_flex::FlexDevice),
            (backend, _) => Err(not_compiled_in(backend)),
        }
    }
}

//! Chooses the backend at run time.

mod adapters;
mod configuration;
mod processor;

use burn::backend::Autodiff;
use burn::tensor::backend::{AutodiffBackend, Backend};
use clap::ValueEnum;
use nin_model::Precision;

pub use configuration::configure;

pub use adapters::{Adapter, adapters, may_have_gpu};
pub use nin_kernels::lower_thread_priority;
pub use processor::{computes_in_bf16, cpu_features, cpu_name, kernels, override_instruction_set};

use crate::error::CommandError;
use crate::output::note;

/// What `--backend` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BackendChoice {
    /// A hardware GPU if there is one, else the CPU (flex, then ndarray)
    Auto,
    /// Burn's wgpu backend: Vulkan or Metal
    Wgpu,
    /// Burn's ndarray backend: the CPU
    Ndarray,
    /// Burn's flex backend: the CPU
    Flex,
}

/// A backend of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackendName {
    /// Burn's wgpu backend.
    Wgpu,
    /// Burn's ndarray backend.
    Ndarray,
    /// Burn's flex backend.
    Flex,
}

impl BackendName {
    /// Every backend, in the order of preference of `auto`. The two CPU backends run the same kernels, and each
    /// won one measured row (results/2026-11-24-zen4-2c-ratios.json, median training rates: fp32 ndarray 91, flex
    /// 85 images/s; bf16 flex 105, ndarray 103). flex took 10 of 426 MB less in fp32, and 6 MB less in bf16.
    pub const ALL: [Self; 3] = [Self::Wgpu, Self::Flex, Self::Ndarray];

    /// Returns the name on the command line and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wgpu => "wgpu",
            Self::Ndarray => "ndarray",
            Self::Flex => "flex",
        }
    }

    /// Returns whether this program was built with it.
    pub const fn is_compiled_in(self) -> bool {
        match self {
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Ndarray => cfg!(feature = "ndarray"),
            Self::Flex => cfg!(feature = "flex"),
        }
    }
}

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
    #[cfg_attr(not(feature = "wgpu"), expect(dead_code, reason = "no backend opens it"))]
    adapter: Option<Adapter>,
}

/// A computation that is generic over the backend.
pub trait Task {
    /// The result.
    type Output;

    /// Computes on this device.
    fn run<B: AutodiffBackend>(self, device: B::Device) -> anyhow::Result<Self::Output>
    where
        B::InnerBackend: Backend<Device = B::Device>;
}

impl Selected {
    /// Chooses a backend and its device, and sizes the thread pools of the CPU backends.
    pub fn choose(choice: BackendChoice, threads: usize) -> anyhow::Result<Self> {
        let kernels = set_threads(threads)?;
        let selected = match choice {
            BackendChoice::Auto => Self::automatic(),
            BackendChoice::Wgpu => Self::wgpu(),
            BackendChoice::Ndarray => Self::cpu(BackendName::Ndarray, "requested"),
            BackendChoice::Flex => Self::cpu(BackendName::Flex, "requested"),
        }?;
        let kernels = kernels.filter(|_| selected.backend != BackendName::Wgpu);
        Ok(Self { kernels, ..selected })
    }

    fn automatic() -> anyhow::Result<Self> {
        // Opening Vulkan takes time, and its drivers write to stderr, so only if there may be a GPU.
        let found = if may_have_gpu() { adapters() } else { Vec::new() };
        if let Some(adapter) = found.into_iter().find(|adapter| adapter.kind.is_hardware()) {
            return Ok(Self::adapter(adapter, "hardware adapter found"));
        }
        let reason = if BackendName::Wgpu.is_compiled_in() {
            "no hardware GPU adapter found"
        } else {
            "built without wgpu"
        };
        let first = BackendName::ALL
            .into_iter()
            .find(|backend| *backend != BackendName::Wgpu && backend.is_compiled_in());
        match first {
            Some(backend) => Self::cpu(backend, reason),
            None => Self::wgpu(),
        }
    }

    fn wgpu() -> anyhow::Result<Self> {
        compiled_in(BackendName::Wgpu)?;
        let mut found = adapters();
        found.sort_by_key(|adapter| adapter.kind);
        let Some(adapter) = found.into_iter().next() else {
            let others: Vec<_> = BackendName::ALL
                .into_iter()
                .filter(|backend| *backend != BackendName::Wgpu && backend.is_compiled_in())
                .map(|backend| format!("--backend {}", backend.name()))
                .collect();
            return Err(CommandError::new(
                "no GPU adapter found for the backend `wgpu`",
                format!(
                    "install the GPU's Vulkan driver (Debian: mesa-vulkan-drivers, which includes \
                     a software adapter), or use the CPU: {}",
                    others.join(" or ")
                ),
            )
            .into());
        };
        Ok(Self::adapter(adapter, "requested"))
    }

    fn adapter(adapter: Adapter, reason: &str) -> Self {
        Self {
            backend: BackendName::Wgpu,
            device: adapter.name.clone(),
            reason: reason.to_owned(),
            kernels: None,
            adapter: Some(adapter),
        }
    }

    fn cpu(backend: BackendName, reason: &str) -> anyhow::Result<Self> {
        compiled_in(backend)?;
        let (device, reason) = (cpu_name(), reason.to_owned());
        Ok(Self { backend, device, reason, kernels: None, adapter: None })
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
        let multiplies = self.backend != BackendName::Wgpu && processor::computes_in_bf16();
        if precision == Precision::Bf16 && !multiplies {
            let device = &self.device;
            note(format!(
                "training.precision is bf16, but bf16 is not available on {device}: computing in \
                 fp32"
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

    /// Runs a task on the backend.
    pub fn run<T: Task>(&self, task: T) -> anyhow::Result<T::Output> {
        match self.backend {
            #[cfg(feature = "wgpu")]
            BackendName::Wgpu => {
                let device = self
                    .adapter
                    .as_ref()
                    .map_or(burn_wgpu::WgpuDevice::Cpu, adapters::Adapter::device);
                task.run::<Autodiff<burn_wgpu::Wgpu>>(device)
            }
            #[cfg(feature = "ndarray")]
            BackendName::Ndarray => {
                task.run::<Autodiff<burn_ndarray::NdArray<f32>>>(burn_ndarray::NdArrayDevice::Cpu)
            }
            #[cfg(feature = "flex")]
            BackendName::Flex => task.run::<Autodiff<burn_flex::Flex>>(burn_flex::FlexDevice),
            #[allow(unreachable_patterns, reason = "reachable where a feature is off")]
            backend => Err(not_compiled_in(backend)),
        }
    }
}

fn compiled_in(backend: BackendName) -> anyhow::Result<()> {
    if backend.is_compiled_in() { Ok(()) } else { Err(not_compiled_in(backend)) }
}

fn not_compiled_in(backend: BackendName) -> anyhow::Error {
    let name = backend.name();
    CommandError::new(
        format!("nin-cli was built without the backend `{name}`"),
        format!("rebuild with --features {name}, or choose a backend from `nin-cli devices`"),
    )
    .into()
}

/// Returns the default number of threads of the CPU backends.
pub fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Sizes the thread pools of Burn's operations and of the fused kernels, and returns the kernels' instruction set.
fn set_threads(threads: usize) -> anyhow::Result<Option<&'static str>> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    processor::configure_kernels(threads)
}

//! Chooses the backend at run time.

mod adapters;
mod automatic;
mod configuration;
#[cfg(feature = "wgpu")]
mod gpu;
mod processor;
mod remembered;
#[cfg(feature = "wgpu")]
mod self_test;
mod trial;

use burn::backend::Autodiff;
use burn::tensor::backend::{AutodiffBackend, Backend};
use clap::ValueEnum;
use nin_model::Precision;

pub use configuration::configure;

pub use adapters::{Adapter, adapters};
pub use nin_kernels::lower_thread_priority;
pub use processor::{computes_in_bf16, cpu_features, cpu_name, kernels, override_instruction_set};
pub use remembered::RememberedDevice;

use self::adapters::{AdapterKind, NO_DRIVER, may_have_gpu};
use self::automatic::Choice;
use crate::error::CommandError;
use crate::output::note;
use crate::ranks::sharing_cores;

/// What `--backend` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BackendChoice {
    /// A discrete GPU, else an integrated one if it is faster than the CPU, else the CPU (flex, then ndarray)
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

    /// Returns the backend of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|backend| backend.name() == name)
    }

    /// Returns the CPU backend that `auto` prefers; `None` if this program was built without any.
    pub fn cpu() -> Option<Self> {
        let is_of_cpu = |backend: &Self| *backend != Self::Wgpu && backend.is_compiled_in();
        Self::ALL.into_iter().find(is_of_cpu)
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

/// What the command line says about the device.
#[derive(Debug, Clone, Copy)]
pub struct DeviceRequest<'a> {
    /// The backend.
    pub backend: BackendChoice,
    /// The adapter, by its index or a part of its name.
    pub adapter: Option<&'a str>,
    /// Threads of a CPU backend.
    pub threads: usize,
}

impl DeviceRequest<'_> {
    /// Asks for a backend only.
    pub fn of(backend: BackendChoice) -> Self {
        Self { backend, adapter: None, threads: default_threads() }
    }

    /// Returns whether it leaves the choice to the program.
    pub fn is_free(self) -> bool {
        self.backend == BackendChoice::Auto && self.adapter.is_none()
    }
}

impl Selected {
    /// Chooses a backend and its device, and sizes the thread pools of the CPU backends.
    pub fn choose(request: DeviceRequest<'_>) -> anyhow::Result<Self> {
        let kernels = set_threads(request.threads)?;
        let selected = match (request.backend, request.adapter) {
            (BackendChoice::Auto, None) => Self::automatic(request.threads),
            (BackendChoice::Auto | BackendChoice::Wgpu, adapter) => Self::wgpu(adapter),
            (BackendChoice::Ndarray, None) => Self::cpu(BackendName::Ndarray, "requested"),
            (BackendChoice::Flex, None) => Self::cpu(BackendName::Flex, "requested"),
            (BackendChoice::Ndarray | BackendChoice::Flex, Some(adapter)) => {
                let message =
                    format!("`--adapter {adapter}` is for wgpu, --backend asks for the CPU");
                Err(CommandError::new(message, "leave one of them out").into())
            }
        }?;
        Ok(selected.with_kernels(kernels))
    }

    /// Chooses what a resumed run computed on, or, where that is not available, as for a new run.
    pub fn again(
        RememberedDevice { backend, device }: &RememberedDevice,
        request: DeviceRequest<'_>,
    ) -> anyhow::Result<Self> {
        const REASON: &str = "as the run before";
        if !backend.is_compiled_in() {
            return Self::choose(request);
        }
        let selected = if *backend == BackendName::Wgpu {
            let found = adapters();
            let same = found.iter().find(|adapter| adapter.name == *device);
            let Some(adapter) = same.or_else(|| Adapter::best(&found)) else {
                return Self::choose(request);
            };
            Self::adapter(adapter.clone(), REASON)
        } else {
            Self::cpu(*backend, REASON)?
        };
        Ok(selected.with_kernels(set_threads(request.threads)?))
    }

    fn with_kernels(self, kernels: Option<&'static str>) -> Self {
        Self { kernels: kernels.filter(|_| self.backend != BackendName::Wgpu), ..self }
    }

    fn automatic(threads: usize) -> anyhow::Result<Self> {
        let Some(cpu) = BackendName::cpu() else { return Self::wgpu(None) };
        if !BackendName::Wgpu.is_compiled_in() {
            return Self::cpu(cpu, "built without wgpu");
        }
        // Opening Vulkan takes time, and its drivers write to stderr, so only if there may be a GPU.
        let found = if may_have_gpu() { adapters() } else { Vec::new() };
        let choice = automatic::choose(&found, |adapter| trial::rates(adapter, cpu, threads));
        match choice {
            Choice::Gpu { adapter, reason } => Ok(Self::adapter(adapter.clone(), &reason)),
            Choice::Cpu { reason } => Self::cpu(cpu, &reason),
        }
    }

    fn wgpu(wanted: Option<&str>) -> anyhow::Result<Self> {
        compiled_in(BackendName::Wgpu)?;
        let found = adapters();
        let adapter = match wanted {
            Some(wanted) => Some(Adapter::named(&found, wanted)?),
            None => Adapter::best(&found),
        };
        let Some(adapter) = adapter else {
            let others: Vec<_> = BackendName::ALL
                .into_iter()
                .filter(|backend| *backend != BackendName::Wgpu && backend.is_compiled_in())
                .map(|backend| format!("--backend {}", backend.name()))
                .collect();
            return Err(CommandError::new(
                "no GPU adapter found for the backend `wgpu`",
                format!("{NO_DRIVER}, or use the CPU: {}", others.join(" or ")),
            )
            .into());
        };
        if adapter.kind == AdapterKind::Cpu {
            note(format!(
                "warning: the adapter `{}` is software on the CPU: --backend flex is many times as fast",
                adapter.name
            ));
        }
        Ok(Self::adapter(adapter.clone(), "requested"))
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

/// Returns the default number of threads of the CPU backends: one per core, or this process's share of the cores.
pub fn default_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (cores / sharing_cores()).max(1)
}

/// Sizes the thread pools of Burn's operations and of the fused kernels, and returns the kernels' instruction set.
fn set_threads(threads: usize) -> anyhow::Result<Option<&'static str>> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    processor::configure_kernels(threads)
}

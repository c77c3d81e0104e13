//! The backends of this program, and how they are asked for.

use clap::ValueEnum;

use super::threads::default_threads;
use crate::error::CommandError;

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

    /// Returns the CPU backends that this program was built with, in the order of preference of `auto`.
    pub fn of_cpu() -> impl Iterator<Item = Self> {
        let is_of_cpu = |backend: &Self| *backend != Self::Wgpu && backend.is_compiled_in();
        Self::ALL.into_iter().filter(is_of_cpu)
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

/// What the command line says about the device.
#[derive(Debug, Clone, Copy)]
pub struct DeviceRequest<'a> {
    /// The backend.
    pub backend: BackendChoice,
    /// The adapter, by its index or a part of its name.
    pub adapter: Option<&'a str>,
    /// Threads of a CPU backend.
    pub threads: usize,
    /// Whether the weights are int8, which only the CPU multiplies.
    pub is_for_int8: bool,
}

impl DeviceRequest<'_> {
    /// Asks for a backend only.
    pub fn of(backend: BackendChoice) -> Self {
        Self { backend, adapter: None, threads: default_threads(), is_for_int8: false }
    }

    /// Asks for a device for int8 weights: the CPU where it leaves the choice to the program.
    #[must_use]
    pub fn for_int8(self) -> Self {
        Self { is_for_int8: true, ..self }
    }

    /// Returns whether it leaves the choice to the program.
    pub fn is_free(self) -> bool {
        self.backend == BackendChoice::Auto && self.adapter.is_none()
    }
}

/// Checks that this program was built with a backend.
pub fn compiled_in(backend: BackendName) -> anyhow::Result<()> {
    if backend.is_compiled_in() { Ok(()) } else { Err(not_compiled_in(backend)) }
}

/// Returns the error for a backend that this program was built without.
pub fn not_compiled_in(backend: BackendName) -> anyhow::Error {
    let name = backend.name();
    CommandError::new(
        format!("nin-cli was built without the backend `{name}`"),
        format!("rebuild with --features {name}, or choose a backend from `nin-cli devices`"),
    )
    .into()
}

//! Chooses the backend and its device at run time.

use super::adapters::{Adapter, AdapterKind, NO_DRIVER, may_have_gpu};
use super::automatic::{self, Choice};
use super::graphics::adapters;
use super::name::{BackendChoice, BackendName, DeviceRequest, compiled_in};
use super::remembered::RememberedDevice;
use super::selected::Selected;
use super::threads::set_threads;
use super::trial;
use crate::error::CommandError;
use crate::output::note;
use crate::ranks::local_rank;

impl Selected {
    /// Chooses a backend and its device, and sizes the thread pools of the CPU backends.
    pub fn choose(request: DeviceRequest<'_>) -> anyhow::Result<Self> {
        let kernels = set_threads(request.threads)?;
        let selected = match (request.backend, request.adapter) {
            (BackendChoice::Auto, None) => Self::automatic(request),
            (BackendChoice::Auto | BackendChoice::Wgpu, adapter) => {
                Self::wgpu(adapter, "requested")
            }
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
            Self::adapter(adapter.of_process(&found, local_rank()).clone(), REASON)
        } else {
            Self::cpu(*backend, REASON)?
        };
        Ok(selected.with_kernels(set_threads(request.threads)?))
    }

    fn automatic(request: DeviceRequest<'_>) -> anyhow::Result<Self> {
        let Some(cpu) = BackendName::of_cpu().next() else {
            return Self::wgpu(None, "built without a CPU backend");
        };
        if request.is_for_int8 {
            return Self::cpu(cpu, "int8 runs on the CPU");
        }
        if !BackendName::Wgpu.is_compiled_in() {
            return Self::cpu(cpu, "built without wgpu");
        }
        // Opening Vulkan takes time, and its drivers write to stderr, so only if there may be a GPU.
        let found = if may_have_gpu() { adapters() } else { Vec::new() };
        let choice =
            automatic::choose(&found, |adapter| trial::rates(adapter, cpu, request.threads));
        match choice {
            Choice::Gpu { adapter, reason } => {
                Ok(Self::adapter(adapter.of_process(&found, local_rank()).clone(), &reason))
            }
            Choice::Cpu { reason } => Self::cpu(cpu, &reason),
        }
    }

    fn wgpu(wanted: Option<&str>, reason: &str) -> anyhow::Result<Self> {
        compiled_in(BackendName::Wgpu)?;
        let found = adapters();
        let adapter = match wanted {
            Some(wanted) => Some(Adapter::named(&found, wanted)?),
            None => Adapter::best(&found).map(|best| best.of_process(&found, local_rank())),
        };
        let Some(adapter) = adapter else {
            let others: Vec<_> = BackendName::of_cpu()
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
        Ok(Self::adapter(adapter.clone(), reason))
    }
}

//! The adapters that the wgpu backend could use, listed without opening one.

use serde::Serialize;

/// The kind of an adapter, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(feature = "wgpu"), expect(dead_code, reason = "there are no adapters without wgpu"))]
pub enum AdapterKind {
    /// A GPU with its own memory.
    Discrete,
    /// A GPU that shares the processor's memory.
    Integrated,
    /// A GPU of a virtual machine.
    Virtual,
    /// Something else.
    Other,
    /// Software on the CPU.
    Cpu,
}

impl AdapterKind {
    /// Returns whether it is certainly a GPU.
    pub fn is_hardware(self) -> bool {
        matches!(self, Self::Discrete | Self::Integrated | Self::Virtual)
    }
}

/// An adapter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Adapter {
    /// Its name, as its driver gives it.
    pub name: String,
    /// Its kind.
    pub kind: AdapterKind,
    /// Its index among adapters of its kind.
    #[serde(skip)]
    index: usize,
}

#[cfg(feature = "wgpu")]
impl Adapter {
    /// Returns burn-wgpu's device for it.
    pub fn device(&self) -> burn_wgpu::WgpuDevice {
        use burn_wgpu::WgpuDevice;
        match self.kind {
            AdapterKind::Discrete => WgpuDevice::DiscreteGpu(self.index),
            AdapterKind::Integrated => WgpuDevice::IntegratedGpu(self.index),
            AdapterKind::Virtual => WgpuDevice::VirtualGpu(self.index),
            AdapterKind::Other | AdapterKind::Cpu => WgpuDevice::Cpu,
        }
    }
}

/// Returns whether the system shows a GPU's device files; `true` if this system has no such files.
#[cfg(target_os = "linux")]
pub fn may_have_gpu() -> bool {
    // Direct rendering (every Mesa driver), NVIDIA's own, and Windows' subsystem for Linux.
    ["/dev/dri", "/dev/nvidiactl", "/dev/dxg"]
        .iter()
        .any(|path| std::path::Path::new(path).exists())
}

/// Returns whether the system shows a GPU's device files; `true` if this system has no such files.
#[cfg(not(target_os = "linux"))]
pub fn may_have_gpu() -> bool {
    true
}

/// Lists every adapter of the graphics API that burn-wgpu uses here.
#[cfg(feature = "wgpu")]
pub fn adapters() -> Vec<Adapter> {
    use burn_wgpu::graphics::{AutoGraphicsApi, GraphicsApi};

    let backends = AutoGraphicsApi::backend().into();
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let mut adapters: Vec<Adapter> = Vec::new();
    for adapter in pollster::block_on(instance.enumerate_adapters(backends)) {
        let info = adapter.get_info();
        let kind = match info.device_type {
            wgpu::DeviceType::DiscreteGpu => AdapterKind::Discrete,
            wgpu::DeviceType::IntegratedGpu => AdapterKind::Integrated,
            wgpu::DeviceType::VirtualGpu => AdapterKind::Virtual,
            wgpu::DeviceType::Cpu => AdapterKind::Cpu,
            wgpu::DeviceType::Other => AdapterKind::Other,
        };
        // burn-wgpu counts the adapters of each kind from 0, in this order.
        let index = adapters.iter().filter(|adapter| adapter.kind == kind).count();
        adapters.push(Adapter { name: info.name, kind, index });
    }
    adapters
}

/// None: the program was built without wgpu.
#[cfg(not(feature = "wgpu"))]
pub fn adapters() -> Vec<Adapter> {
    Vec::new()
}

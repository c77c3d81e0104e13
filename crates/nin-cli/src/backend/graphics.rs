//! Lists the adapters of this machine without opening one.

#[cfg(feature = "wgpu")]
use std::sync::OnceLock;

#[cfg(feature = "wgpu")]
use burn_wgpu::graphics::{AutoGraphicsApi, GraphicsApi};

use super::adapters::Adapter;
#[cfg(feature = "wgpu")]
use super::adapters::AdapterKind;

#[cfg(feature = "wgpu")]
/// Lists the adapters of the graphics API that burn-wgpu uses here, in its order.
pub fn enumerate() -> &'static (wgpu::Instance, Vec<wgpu::Adapter>) {
    static FOUND: OnceLock<(wgpu::Instance, Vec<wgpu::Adapter>)> = OnceLock::new();
    FOUND.get_or_init(|| {
        let backends = AutoGraphicsApi::backend().into();
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends,
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        });
        let adapters = pollster::block_on(instance.enumerate_adapters(backends));
        (instance, adapters)
    })
}

/// Lists every adapter of the graphics API that burn-wgpu uses here.
#[cfg(feature = "wgpu")]
pub fn adapters() -> Vec<Adapter> {
    let (_, adapters) = enumerate();
    let described = |(index, adapter): (usize, &wgpu::Adapter)| {
        let (info, limits) = (adapter.get_info(), adapter.limits());
        Adapter {
            index,
            kind: match info.device_type {
                wgpu::DeviceType::DiscreteGpu => AdapterKind::Discrete,
                wgpu::DeviceType::IntegratedGpu => AdapterKind::Integrated,
                wgpu::DeviceType::VirtualGpu => AdapterKind::Virtual,
                wgpu::DeviceType::Cpu => AdapterKind::Cpu,
                wgpu::DeviceType::Other => AdapterKind::Other,
            },
            name: info.name,
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
            max_buffer_bytes: limits.max_storage_buffer_binding_size,
            shared_memory_bytes: limits.max_compute_workgroup_storage_size,
            f16: adapter.features().contains(wgpu::Features::SHADER_F16),
        }
    };
    adapters.iter().enumerate().map(described).collect()
}

/// None: the program was built without wgpu.
#[cfg(not(feature = "wgpu"))]
pub fn adapters() -> Vec<Adapter> {
    Vec::new()
}

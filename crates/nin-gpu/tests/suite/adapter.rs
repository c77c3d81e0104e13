//! The adapter of this machine, and buffers on it.

use std::sync::LazyLock;

use cubecl::prelude::*;
use cubecl::server::Handle;
use cubecl::wgpu::{WgpuDevice, WgpuRuntime};
use half::f16;
use nin_gpu::Element;
use nin_testing::Need;

pub(crate) type Client = ComputeClient<WgpuRuntime>;

/// Opens the default adapter. CubeCL panics without one.
static OPENED: LazyLock<Option<Client>> =
    LazyLock::new(|| std::panic::catch_unwind(|| WgpuRuntime::client(&WgpuDevice::default())).ok());

/// Returns the adapter; `None` if there is none.
pub(crate) fn client() -> Option<Client> {
    if OPENED.is_none() {
        Need::Vulkan.skip("no adapter for wgpu");
    }
    OPENED.clone()
}

/// Returns the adapter; `None` if it has no 16-bit floats.
pub(crate) fn client_with_f16() -> Option<Client> {
    let client = client()?;
    if Element::F16.is_supported(&client) {
        return Some(client);
    }
    Need::F16.skip("the adapter has no 16-bit floats");
    None
}

/// Copies values to the device.
pub(crate) fn write(client: &Client, values: &[f32]) -> Handle {
    client.create_from_slice(f32::as_bytes(values))
}

/// Copies values to the device, rounded to this type.
pub(crate) fn write_as(client: &Client, element: Element, values: &[f32]) -> Handle {
    match element {
        Element::F32 => write(client, values),
        Element::F16 => {
            let mut values: Vec<f16> = values.iter().map(|&value| f16::from_f32(value)).collect();
            // Whole words.
            values.resize(values.len().next_multiple_of(2), f16::ZERO);
            client.create_from_slice(f16::as_bytes(&values))
        }
    }
}

/// Rounds values to this type.
pub(crate) fn rounded(element: Element, values: &[f32]) -> Vec<f32> {
    match element {
        Element::F32 => values.to_vec(),
        Element::F16 => values.iter().map(|&value| f16::from_f32(value).to_f32()).collect(),
    }
}

/// Copies `len` values of this type from the device.
pub(crate) fn read_as(client: &Client, element: Element, buffer: Handle, len: usize) -> Vec<f32> {
    match element {
        Element::F32 => read(client, buffer),
        Element::F16 => {
            cubecl::future::block_on(client.sync()).unwrap();
            let bytes = client.read_one(buffer).unwrap();
            f16::from_bytes(&bytes)[..len].iter().map(|value| value.to_f32()).collect()
        }
    }
}

/// Copies values from the device, which must not have failed.
pub(crate) fn read(client: &Client, buffer: Handle) -> Vec<f32> {
    cubecl::future::block_on(client.sync()).unwrap();
    f32::from_bytes(&client.read_one(buffer).unwrap()).to_vec()
}

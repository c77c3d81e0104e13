//! The adapter of this machine, and buffers on it.

use std::sync::LazyLock;

use cubecl::prelude::*;
use cubecl::server::Handle;
use cubecl::wgpu::{WgpuDevice, WgpuRuntime};

pub(crate) type Client = ComputeClient<WgpuRuntime>;

/// Opens the default adapter. CubeCL panics without one.
static OPENED: LazyLock<Option<Client>> =
    LazyLock::new(|| std::panic::catch_unwind(|| WgpuRuntime::client(&WgpuDevice::default())).ok());

/// Returns the adapter; `None` if there is none, which CI does not accept.
pub(crate) fn client() -> Option<Client> {
    if OPENED.is_none() {
        let required = std::env::var("NIN_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|name| name == "vulkan"), "no adapter for wgpu");
        println!("skipped: no adapter for wgpu");
    }
    OPENED.clone()
}

/// Copies values to the device.
pub(crate) fn write(client: &Client, values: &[f32]) -> Handle {
    client.create_from_slice(f32::as_bytes(values))
}

/// Copies values from the device, which must not have failed.
pub(crate) fn read(client: &Client, buffer: Handle) -> Vec<f32> {
    cubecl::future::block_on(client.sync()).unwrap();
    f32::from_bytes(&client.read_one(buffer).unwrap()).to_vec()
}

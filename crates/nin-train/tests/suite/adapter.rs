//! Finds out whether wgpu has an adapter, and what it can do.

use std::sync::LazyLock;

use burn_wgpu::graphics::AutoGraphicsApi;
use burn_wgpu::{RuntimeOptions, Wgpu, WgpuDevice, init_setup};
use nin_model::{Precision, check_precision};
use nin_testing::Need;

/// Opens the default device. Catches the panic of burn-wgpu without an adapter.
static OPENED: LazyLock<Result<String, String>> = LazyLock::new(|| {
    let open = || {
        let options = RuntimeOptions::default();
        init_setup::<AutoGraphicsApi>(&WgpuDevice::default(), options).adapter.get_info().name
    };
    std::panic::catch_unwind(open).map_err(|_| "no adapter for wgpu".to_owned())
});

/// Returns whether there is an adapter.
pub(crate) fn is_here() -> bool {
    match &*OPENED {
        Ok(name) => println!("wgpu on {name}"),
        Err(why) => Need::Vulkan.skip(why),
    }
    OPENED.is_ok()
}

/// Returns whether there is an adapter with f16.
pub(crate) fn has_f16() -> bool {
    if !is_here() {
        return false;
    }
    let has = check_precision::<Wgpu>(Precision::F16, &WgpuDevice::default()).is_ok();
    if !has {
        Need::F16.skip("no adapter with f16");
    }
    has
}

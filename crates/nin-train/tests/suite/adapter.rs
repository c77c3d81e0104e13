//! Finds out whether wgpu has an adapter.

use std::sync::LazyLock;

use burn_wgpu::graphics::AutoGraphicsApi;
use burn_wgpu::{RuntimeOptions, WgpuDevice, init_setup};

/// Opens the default device. Catches the panic of burn-wgpu without an adapter.
static OPENED: LazyLock<Result<String, String>> = LazyLock::new(|| {
    let open = || {
        let options = RuntimeOptions::default();
        init_setup::<AutoGraphicsApi>(&WgpuDevice::default(), options).adapter.get_info().name
    };
    std::panic::catch_unwind(open).map_err(|_| "no adapter for wgpu".to_owned())
});

/// Returns whether there is an adapter. Fails without one if `NIN_REQUIRE=vulkan` promises it.
pub(crate) fn is_here() -> bool {
    let required = std::env::var("NIN_REQUIRE").unwrap_or_default();
    match &*OPENED {
        Ok(name) => println!("wgpu on {name}"),
        Err(why) => {
            let is_required = required.split(',').any(|name| name == "vulkan");
            assert!(!is_required, "{why}, and NIN_REQUIRE asks for it");
            println!("skipped: {why}");
        }
    }
    OPENED.is_ok()
}

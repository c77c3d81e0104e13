//! Whether wgpu has anything to run on.

use std::sync::LazyLock;

use burn_wgpu::graphics::AutoGraphicsApi;
use burn_wgpu::{RuntimeOptions, WgpuDevice, init_setup};

/// Opens the default device once; burn-wgpu panics where there is none.
static OPENED: LazyLock<Result<String, String>> = LazyLock::new(|| {
    let open = || {
        let options = RuntimeOptions::default();
        init_setup::<AutoGraphicsApi>(&WgpuDevice::default(), options).adapter.get_info().name
    };
    std::panic::catch_unwind(open).map_err(|_| "no adapter for wgpu".to_owned())
});

/// Whether an adapter is here; a machine that promises one (`NIN_REQUIRE=vulkan`) fails without.
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

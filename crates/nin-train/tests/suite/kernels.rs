//! Sets the instruction set of the kernels from `NIN_CPU`, for this test binary.

use std::sync::Once;

use nin_kernels::Context;

/// Overrides the instruction set of the shared context if `NIN_CPU` is set, as `nin-cli` does.
pub(crate) fn override_instruction_set() {
    static OVERRIDE: Once = Once::new();
    OVERRIDE.call_once(|| {
        let Some(name) = std::env::var("NIN_CPU").ok().filter(|name| !name.is_empty()) else {
            return;
        };
        let isa = name.parse().unwrap();
        Context::new(isa, 0).unwrap().set_shared();
        println!("NIN_CPU: the kernels use {isa}");
    });
}

#[test]
fn the_override_reaches_the_kernels() {
    override_instruction_set();
    if let Some(name) = std::env::var("NIN_CPU").ok().filter(|name| !name.is_empty()) {
        assert_eq!(Context::shared().unwrap().name(), name);
    }
}

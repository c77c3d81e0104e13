//! The committed WebAssembly is what its sources give.

use std::path::Path;
use std::process::Command;

use nin_testing::Need;

const TARGET: &str = "wasm32-unknown-unknown";

/// Returns whether the toolchain has the target's standard library.
fn has_target() -> bool {
    let mut compiler = Command::new("rustc");
    let printed = compiler.args(["--print", "target-libdir", "--target", TARGET]).output();
    let folder = printed.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    folder.is_ok_and(|folder| !folder.is_empty() && Path::new(&folder).is_dir())
}

#[test]
fn the_webassembly_is_what_its_sources_give() {
    if !has_target() {
        Need::Wasm.skip(format!("it needs `rustup target add {TARGET}`"));
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.ci/wasm");
    let output = Command::new(script).arg("--check").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

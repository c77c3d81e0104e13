//! What tests need from the machine: programs, data sets, adapters. A test without it is skipped, or fails if `NIN_REQUIRE` names it.

use std::fmt::Display;

/// What a machine may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Chromium, node, playwright-core and axe-core.
    Chromium,
    /// An adapter for wgpu that computes in 16-bit floats.
    F16,
    /// The files of Fashion-MNIST.
    FashionMnist,
    /// An MPI, and the program built for it.
    Mpi,
    /// Node.js.
    Node,
    /// A Python with tensorboard and pillow.
    Tensorboard,
    /// The right to mount a file system in memory.
    Tmpfs,
    /// The terminal multiplexer.
    Tmux,
    /// A Python with torch, safetensors and pillow.
    Torch,
    /// An adapter for wgpu.
    Vulkan,
    /// Rust's standard library for WebAssembly.
    Wasm,
}

impl Need {
    /// All needs, by name.
    pub const ALL: [Self; 11] = [
        Self::Chromium,
        Self::F16,
        Self::FashionMnist,
        Self::Mpi,
        Self::Node,
        Self::Tensorboard,
        Self::Tmpfs,
        Self::Tmux,
        Self::Torch,
        Self::Vulkan,
        Self::Wasm,
    ];

    /// Returns the name in `NIN_REQUIRE`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::F16 => "f16",
            Self::FashionMnist => "fashion-mnist",
            Self::Mpi => "mpi",
            Self::Node => "node",
            Self::Tensorboard => "tensorboard",
            Self::Tmpfs => "tmpfs",
            Self::Tmux => "tmux",
            Self::Torch => "torch",
            Self::Vulkan => "vulkan",
            Self::Wasm => "wasm",
        }
    }

    /// Prints that a test is skipped, and why. The test then returns.
    ///
    /// # Panics
    /// If the environment variable `NIN_REQUIRE`, names separated by commas, has this one, or an unknown name.
    pub fn skip(self, why: impl Display) {
        let required = std::env::var("NIN_REQUIRE").unwrap_or_default();
        match required_by(&required) {
            Ok(needs) if needs.contains(&self) => {
                panic!("{why}, and NIN_REQUIRE has `{}`", self.name())
            }
            Ok(_) => println!("skipped: {why}"),
            Err(unknown) => {
                panic!(
                    "NIN_REQUIRE has `{unknown}`, expected {}",
                    Self::ALL.map(Self::name).join(", ")
                )
            }
        }
    }
}

/// Returns the needs of a list of names, or an unknown name.
fn required_by(names: &str) -> Result<Vec<Need>, &str> {
    let needs = names.split(',').map(str::trim).filter(|name| !name.is_empty());
    needs.map(|name| Need::ALL.into_iter().find(|need| need.name() == name).ok_or(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_others_refused() {
        assert_eq!(required_by(""), Ok(vec![]));
        assert_eq!(required_by("node, vulkan,"), Ok(vec![Need::Node, Need::Vulkan]));
        assert_eq!(required_by("node,vulcan"), Err("vulcan"));
    }

    #[test]
    fn the_documentation_names_all() {
        let names = Need::ALL.map(|need| format!("`{}`", need.name())).join(", ");
        assert!(include_str!("../../../docs/environment.md").contains(&names), "{names}");
    }
}

//! The adapters that the wgpu backend could use.

use serde::Serialize;

use crate::error::CommandError;

/// The kind of an adapter, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(feature = "wgpu"), allow(dead_code, reason = "there are no adapters without wgpu"))]
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
    /// Its position in the list of the graphics API, which `--adapter` takes.
    pub index: usize,
    /// Its name, as its driver gives it.
    pub name: String,
    /// Its kind.
    pub kind: AdapterKind,
    /// Its driver and the driver's version, where the graphics API names them.
    pub driver: String,
    /// The largest buffer that one kernel can use, in bytes. wgpu does not tell the size of the memory.
    pub max_buffer_bytes: u64,
    /// Shared memory of a workgroup, in bytes.
    pub shared_memory_bytes: u32,
    /// Whether its shaders compute with 16-bit floats.
    pub f16: bool,
}

impl Adapter {
    /// Finds the adapter that `--adapter` names: by its index, or by a part of its name in upper or lower case.
    ///
    /// # Errors
    /// No adapter, or more than one, has such a name.
    pub fn named<'a>(adapters: &'a [Self], wanted: &str) -> Result<&'a Self, CommandError> {
        // `4090` is a part of a name.
        let by_index: Option<usize> = wanted.parse().ok().filter(|_| wanted.len() <= 2);
        let is_wanted = |adapter: &&Self| match by_index {
            Some(index) => adapter.index == index,
            None => adapter.name.to_lowercase().contains(&wanted.to_lowercase()),
        };
        let found: Vec<&Self> = adapters.iter().filter(is_wanted).collect();
        let number = match found[..] {
            [one] => return Ok(one),
            [] => "no adapter",
            _ => "more than one adapter",
        };
        let list = |adapter: &Self| format!("{} {}", adapter.index, adapter.name);
        let list: Vec<_> = adapters.iter().map(list).collect();
        Err(CommandError::new(
            format!("`--adapter {wanted}` names {number}"),
            if list.is_empty() {
                NO_DRIVER.to_owned()
            } else {
                format!("name one by its index or a part of its name: {}", list.join(", "))
            },
        ))
    }

    /// Returns the adapter that `--backend wgpu` takes: of the best kind, the first.
    pub fn best(adapters: &[Self]) -> Option<&Self> {
        adapters.iter().min_by_key(|adapter| adapter.kind)
    }

    /// Returns the adapter for one of several processes on this machine, counted from 0. They take turns at the adapters
    /// of the same name, which give the same bits.
    pub fn of_process<'a>(&'a self, adapters: &'a [Self], process: usize) -> &'a Self {
        let is_alike = |other: &&Self| (other.kind, &other.name) == (self.kind, &self.name);
        let alike: Vec<&Self> = adapters.iter().filter(is_alike).collect();
        alike.get(process % alike.len().max(1)).copied().unwrap_or(self)
    }
}

/// How to get an adapter.
pub const NO_DRIVER: &str = "install the GPU's Vulkan driver (Debian: mesa-vulkan-drivers, which includes a software \
                             adapter)";

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

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Returns a made-up adapter.
    pub fn adapter(index: usize, name: &str, kind: AdapterKind) -> Adapter {
        Adapter {
            index,
            name: name.to_owned(),
            kind,
            driver: String::new(),
            max_buffer_bytes: 1 << 31,
            shared_memory_bytes: 1 << 15,
            f16: true,
        }
    }

    fn laptop() -> Vec<Adapter> {
        vec![
            adapter(0, "Intel Iris Xe", AdapterKind::Integrated),
            adapter(1, "llvmpipe", AdapterKind::Cpu),
            adapter(2, "NVIDIA RTX 4060", AdapterKind::Discrete),
            adapter(3, "NVIDIA RTX 4090", AdapterKind::Discrete),
        ]
    }

    #[test]
    fn an_adapter_is_named_by_its_index_or_a_part_of_its_name() {
        let laptop = laptop();
        for (wanted, index) in [("0", 0), ("iris", 0), ("LLVM", 1), ("4060", 2), ("2", 2)] {
            assert_eq!(Adapter::named(&laptop, wanted).unwrap().index, index, "{wanted}");
        }
        let error = Adapter::named(&laptop, "nvidia").unwrap_err();
        assert_eq!(error.message, "`--adapter nvidia` names more than one adapter");
        assert!(error.hint.contains("2 NVIDIA RTX 4060, 3 NVIDIA RTX 4090"), "{}", error.hint);
        // A short number is an index, not a part of a name.
        let error =
            Adapter::named(&[adapter(0, "Radeon 9", AdapterKind::Discrete)], "9").unwrap_err();
        assert_eq!(error.message, "`--adapter 9` names no adapter");
        let error = Adapter::named(&laptop, "radeon").unwrap_err();
        assert_eq!(error.message, "`--adapter radeon` names no adapter");
        assert!(Adapter::named(&[], "0").unwrap_err().hint.contains("Vulkan driver"));
    }

    #[test]
    fn processes_take_turns_at_adapters_of_one_name() {
        let mut adapters = laptop();
        let [first, second] =
            [4, 5].map(|index| adapter(index, "NVIDIA H200", AdapterKind::Discrete));
        adapters.extend([first.clone(), second]);
        let turns =
            |of: &Adapter| [0, 1, 2, 3].map(|process| of.of_process(&adapters, process).index);
        assert_eq!(turns(&first), [4, 5, 4, 5]);
        // Another model would give other bits.
        assert_eq!(turns(&adapters[2]), [2; 4]);
        let absent = adapter(9, "NVIDIA A100", AdapterKind::Discrete);
        assert_eq!(turns(&absent), [9; 4]);
    }

    #[test]
    fn the_best_adapter_is_the_first_discrete_one() {
        assert_eq!(Adapter::best(&laptop()).unwrap().index, 2);
        assert_eq!(Adapter::best(&laptop()[..2]).unwrap().index, 0);
        assert_eq!(Adapter::best(&laptop()[1..2]).unwrap().index, 1);
        assert_eq!(Adapter::best(&[]), None);
    }
}

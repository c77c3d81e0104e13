//! A folder for readers that want a path: in memory, where the system has such a place.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A folder that lives as long as the process.
pub struct Scratch {
    root: PathBuf,
}

impl Scratch {
    /// The process's own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Scratch> = OnceLock::new();
        SHARED.get_or_init(|| {
            let memory = Path::new("/dev/shm");
            let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
            let root = parent.join(format!("nin-fuzz-{}", std::process::id()));
            std::fs::create_dir_all(root.join("checkpoint")).expect("a folder to write into");
            Self { root }
        })
    }

    /// A folder of its own for a target.
    pub fn folder(&self, name: &str) -> PathBuf {
        let folder = self.root.join(name);
        std::fs::create_dir_all(&folder).expect("a folder to write into");
        folder
    }

    /// Writes a file and gives its path.
    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.root.join(name);
        std::fs::write(&path, bytes).expect("room to write");
        path
    }
}

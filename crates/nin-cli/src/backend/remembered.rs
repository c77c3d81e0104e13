//! What a run computed on before.

use std::path::Path;

use nin_train::RunHistory;

use super::name::BackendName;

/// The backend and the device in a run's `environment.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RememberedDevice {
    /// The backend.
    pub backend: BackendName,
    /// The device's name.
    pub device: String,
}

impl RememberedDevice {
    /// Reads them; `None` if the folder holds no run, or its file does not say.
    pub fn of(run: &Path) -> Option<Self> {
        let environment = RunHistory::read(run).ok()?.environment?;
        let backend = BackendName::named(environment["backend"].as_str()?)?;
        let device = environment["device"].as_str()?.to_owned();
        Some(Self { backend, device })
    }
}

//! What a run computed on before.

use serde_json::Value;

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
    /// Takes them from that file's content; `None` if it does not say.
    pub fn of(environment: &Value) -> Option<Self> {
        let backend = BackendName::named(environment["backend"].as_str()?)?;
        let device = environment["device"].as_str()?.to_owned();
        Some(Self { backend, device })
    }
}

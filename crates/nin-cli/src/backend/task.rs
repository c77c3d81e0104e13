//! Computations that run on any backend.

use burn::tensor::backend::{AutodiffBackend, Backend};

/// A computation that is generic over the backend.
pub trait Task {
    /// The result.
    type Output;

    /// Computes on this device.
    fn run<B: AutodiffBackend>(self, device: B::Device) -> anyhow::Result<Self::Output>
    where
        B::InnerBackend: Backend<Device = B::Device>;
}

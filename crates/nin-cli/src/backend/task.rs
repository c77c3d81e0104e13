//! Computations that run on any backend.

use burn::tensor::backend::{AutodiffBackend, Backend};
use nin_model::Precision;

/// A computation that is generic over the backend.
pub trait Task {
    /// The result.
    type Output;

    /// Returns the precision of the network, which an adapter is tested in first.
    #[cfg_attr(
        not(feature = "wgpu"),
        allow(dead_code, reason = "there are no adapters without wgpu")
    )]
    fn precision(&self) -> Precision {
        Precision::Fp32
    }

    /// Computes on this device.
    fn run<B: AutodiffBackend>(self, device: B::Device) -> anyhow::Result<Self::Output>
    where
        B::InnerBackend: Backend<Device = B::Device>;
}

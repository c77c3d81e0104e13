//! The state that all requests share.

use std::sync::Arc;

use nin_model::ModelMetadata;
use nin_train::Preparation;
use tokio_util::sync::CancellationToken;

use super::batches::Queue;
use super::lanes::Lanes;
use super::limits::{Defaults, Limits};
use super::memory::BodyMemory;
use super::metrics::Metrics;
use super::origin::AllowedHosts;
use crate::page::Gallery;
use crate::pictures::Invert;

/// Everything that answering a request takes.
pub(super) struct Service {
    pub(super) metadata: ModelMetadata,
    /// The preparation of a picture for each value of `?invert=`.
    pub(super) preparations: [(Invert, Preparation); 3],
    pub(super) gallery: Gallery,
    /// The body of `/v1/model`.
    pub(super) description: String,
    pub(super) limits: Limits,
    pub(super) defaults: Defaults,
    pub(super) hosts: AllowedHosts,
    pub(super) bodies: BodyMemory,
    pub(super) lanes: Lanes,
    pub(super) queue: Queue,
    pub(super) metrics: Arc<Metrics>,
    /// Cancelled once the server is to end.
    pub(super) stop: CancellationToken,
}

impl Service {
    /// Returns the preparation for a value of `?invert=`.
    pub(super) fn preparation(&self, invert: Invert) -> Preparation {
        let named = self.preparations.iter().find(|(name, _)| *name == invert);
        // Each of the three is there.
        named.unwrap_or(&self.preparations[0]).1.clone()
    }
}

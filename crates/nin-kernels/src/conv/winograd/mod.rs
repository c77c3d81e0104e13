//! Winograd's algorithm: F(4x4, 3x3) and F(4x4, 5x5), forward and both gradients.
//!
//! Images pass in chunks whose size depends on the geometry alone. Each chunk goes through three stages, each split over
//! tasks that own what they write: transforms by panel, products by point of the transformed domain, transforms back by
//! panel. Weight gradients add up chunk after chunk in the transformed domain, each point by one task.

mod backward;
mod forward;
mod plan;
mod weights;

pub(crate) use backward::backward;
pub(crate) use forward::{Forward, forward};

//! Winograd's algorithm, F(4x4, 3x3) and F(4x4, 5x5): the forward pass and both gradients.
//!
//! Images pass in chunks, whose size depends on the geometry alone. A chunk goes through three stages: transforms, panel by
//! panel; products, point by point of the transformed domain; and transforms back, panel by panel. Each stage is split into
//! tasks that own what they write. The weight gradient is summed in the transformed domain, chunk after chunk, by one task
//! for each point.

mod backward;
mod forward;
mod plan;
mod products;
mod steps;
mod weights;

pub(crate) use backward::backward;
pub(crate) use forward::{Forward, forward};
pub(crate) use steps::push_steps;

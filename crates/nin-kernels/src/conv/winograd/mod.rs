//! Winograd's algorithm, F(4x4, 3x3) and F(4x4, 5x5): the forward pass and both gradients.
//!
//! Images pass in chunks. A chunk goes through three stages: transforms, panel by panel; products, point by point of the
//! transformed domain; and transforms back, panel by panel. The weight gradient is summed in the transformed domain, chunk
//! after chunk, so the size of chunks in the backward pass depends on the geometry alone.
//!
//! Threads take chunks of their own, each through all stages, so that little passes from one core to another. Where there
//! are too few chunks for that, or they are too large, threads share the panels or points of each stage.

mod backward;
mod forward;
mod plan;
mod products;
mod steps;
mod weights;

pub(crate) use backward::{Backward, backward};
pub(crate) use forward::{Forward, forward};
pub(crate) use steps::push_steps;

//! The direct algorithm: for every convolution, and the reference for the others.
//!
//! Each image passes on its own. In tiles, operands are buffered until one batched multiply fills L2.

mod backward;
mod forward;
mod product;
mod weight_gradient;

pub(crate) use backward::{Backward, backward};
pub(crate) use forward::{Forward, forward, push_steps};
pub(crate) use product::Product;
pub(crate) use weight_gradient::Sums;

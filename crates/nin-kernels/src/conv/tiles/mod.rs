//! Products of bf16 operands in tiles, summed in fp32.

mod input;
mod product;
mod walk;
mod weight_gradient;

pub(crate) use product::Product;
pub(crate) use weight_gradient::{Pending, WeightGradient};

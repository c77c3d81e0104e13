//! Winograd's minimal filtering F(4x4, RxR): its six transforms, for one panel at a time.
//!
//! All transforms follow from one set of points 0, +-p, +-q, ..., infinity (the Toom-Cook construction). Because the points
//! come in pairs, two rows of every transform share their even and odd parts, which halves the work. `B`, `A` and `G` are
//! named as in Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv:1509.09308: an output tile is
//! `At [(G g Gt) * (Bt d B)] A`. Gradients are the exact adjoints.

mod input;
mod lines;
mod output;
mod scheme;
mod square;
mod weight;

pub(crate) use input::{InputGradientTransform, InputTransform};
pub(crate) use output::{GradientTransform, OutputTransform};
pub(crate) use scheme::{F43, F45, LARGEST_KERNEL, LARGEST_TILE, OUT, Scheme, Tiles};
pub(crate) use weight::{WeightGradientTransform, WeightTransform};

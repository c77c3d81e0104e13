//! Winograd's minimal filtering F(4x4, RxR): the six transforms, for one panel at a time.
//!
//! All are made from one set of points 0, +-p, +-q, .., infinity (Toom and Cook's construction). With points in pairs,
//! two rows of every transform share their even and their odd part, which halves the work. `B`, `A` and `G` are the
//! names of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv:1509.09308: an output tile is
//! `At [(G g Gt) * (Bt d B)] A`; gradients are the exact adjoints.

mod input;
mod lines;
mod output;
mod scheme;
mod square;
mod weight;
use crate::panels::PANEL;

pub(crate) use input::{InputGradientTransform, InputTransform};
pub(crate) use output::{GradientTransform, OutputTransform};
pub(crate) use scheme::{F43, F45, LARGEST_KERNEL, LARGEST_TILE, OUT, Scheme};
pub(crate) use weight::{WeightGradientTransform, WeightTransform};

/// Tiles that are prefetched before they are read: they lie in as many places as a tile has points, more than the
/// hardware's prefetcher follows.
const AHEAD: usize = 2;

/// Tiles of one image along each axis, `[down, across]`.
pub(crate) type Tiles = [usize; 2];

/// Values from the first to the last that a panel's tiles take in the transformed domain.
fn transformed_len<S: Scheme>([down, across]: Tiles, stride: usize) -> usize {
    (S::TILE * S::TILE - 1) * stride + down * across * PANEL
}

type Line<V> = [V; LARGEST_TILE];
type Square<V> = [[V; LARGEST_TILE]; LARGEST_TILE];

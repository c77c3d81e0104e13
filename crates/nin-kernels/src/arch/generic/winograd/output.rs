//! The transform of products into the output, and its adjoint for the output gradient.

use std::marker::PhantomData;

use super::lines::{Line, output, output_adjoint};
use super::scheme::{LARGEST_TILE, OUT, Scheme, Tiles, transformed_len};
use super::square::{Square, both_axes, load_transformed, store};
use crate::arch::{Operation, Vector};
use crate::panels::PANEL;

/// Transforms products into one panel of an image, with bias and ReLU.
pub(crate) struct OutputTransform<'a, S> {
    pub(crate) scheme: PhantomData<S>,
    pub(crate) transformed: &'a [f32],
    pub(crate) stride: usize,
    pub(crate) tiles: Tiles,
    /// 16 values.
    pub(crate) bias: &'a [f32],
    pub(crate) relu: bool,
    /// `[height, width]`, at most four times the tiles.
    pub(crate) size: [usize; 2],
    pub(crate) output: &'a mut [f32],
}

impl<S: Scheme> Operation for OutputTransform<'_, S> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let ([down, across], [height, width]) = (self.tiles, self.size);
        assert!(self.transformed.len() >= transformed_len::<S>(self.tiles, self.stride));
        assert!(self.output.len() >= height * width * PANEL && self.bias.len() >= PANEL);
        let (output_start, transformed) = (self.output.as_mut_ptr(), self.transformed.as_ptr());
        for tile in 0..down * across {
            let (top, left) = (tile / across * OUT, tile % across * OUT);
            for lane in (0..PANEL).step_by(V::LANES) {
                // SAFETY: the assertions bound every access; the features by the caller.
                unsafe {
                    let from = transformed.add(tile * PANEL + lane);
                    let square = load_transformed(from, S::TILE, self.stride, lane == 0);
                    let square = both_axes!(square, S::TILE => OUT, output::<S, V>);
                    let bias = V::load(self.bias.as_ptr().add(lane));
                    for y in 0..OUT.min(height.saturating_sub(top)) {
                        for x in 0..OUT.min(width.saturating_sub(left)) {
                            let sum = square[y][x].add(bias);
                            let value = if self.relu { sum.relu() } else { sum };
                            value.store(
                                output_start.add(((top + y) * width + left + x) * PANEL + lane),
                            );
                        }
                    }
                }
            }
        }
    }
}

/// The adjoint of [`OutputTransform`]: transforms one panel of the output gradient, masks it by the ReLU, and sums it for
/// the bias gradient.
pub(crate) struct GradientTransform<'a, S> {
    pub(crate) scheme: PhantomData<S>,
    pub(crate) gradient: &'a [f32],
    /// The output, to mask the gradient by its ReLU; otherwise empty.
    pub(crate) gate: &'a [f32],
    pub(crate) size: [usize; 2],
    pub(crate) tiles: Tiles,
    pub(crate) transformed: &'a mut [f32],
    pub(crate) stride: usize,
    /// 16 values, overwritten by the sum over pixels.
    pub(crate) sums: &'a mut [f32],
}

impl<S: Scheme> Operation for GradientTransform<'_, S> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let ([down, across], [height, width]) = (self.tiles, self.size);
        assert!(self.transformed.len() >= transformed_len::<S>(self.tiles, self.stride));
        assert!(self.gradient.len() >= height * width * PANEL && self.sums.len() >= PANEL);
        assert!(self.gate.is_empty() || self.gate.len() >= height * width * PANEL);
        let (gradient, transformed) = (self.gradient.as_ptr(), self.transformed.as_mut_ptr());
        self.sums.fill(0.0);
        for tile in 0..down * across {
            let (top, left) = (tile / across * OUT, tile % across * OUT);
            for lane in (0..PANEL).step_by(V::LANES) {
                // SAFETY: the assertions bound every access; the features by the caller.
                unsafe {
                    let mut square = [[V::splat(0.0); LARGEST_TILE]; LARGEST_TILE];
                    let mut sum = V::splat(0.0);
                    for y in 0..OUT {
                        for x in 0..OUT {
                            if top + y < height && left + x < width {
                                let at = ((top + y) * width + left + x) * PANEL + lane;
                                let mut value = V::load(gradient.add(at));
                                if !self.gate.is_empty() {
                                    value = value.gated_by(V::load(self.gate.as_ptr().add(at)));
                                }
                                sum = sum.add(value);
                                square[y][x] = value;
                            }
                        }
                    }
                    let sums = self.sums.as_mut_ptr().add(lane);
                    V::load(sums).add(sum).store(sums);
                    let square = both_axes!(square, OUT => S::TILE, output_adjoint::<S, V>);
                    let to = transformed.add(tile * PANEL + lane);
                    store(&square, to, S::TILE, [S::TILE * self.stride, self.stride]);
                }
            }
        }
    }
}

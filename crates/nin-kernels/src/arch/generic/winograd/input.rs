//! The transform of the input, and its adjoint for the input gradient.

use std::marker::PhantomData;

use super::lines::{Line, input, input_adjoint};
use super::scheme::{LARGEST_TILE, OUT, Scheme, Tiles, transformed_len};
use super::square::{Square, both_axes, load, load_transformed, store};
use crate::arch::{Operation, Vector};
use crate::panels::PANEL;

/// Transforms one panel of an image, on a canvas of `4 * tiles + KERNEL - 1` pixels along each axis.
pub(crate) struct InputTransform<'a, S> {
    pub(crate) scheme: PhantomData<S>,
    pub(crate) canvas: &'a [f32],
    pub(crate) tiles: Tiles,
    /// `[TILE * TILE][stride]` from the first tile on, with 16 values for each tile.
    pub(crate) transformed: &'a mut [f32],
    pub(crate) stride: usize,
}

impl<S: Scheme> Operation for InputTransform<'_, S> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let [down, across] = self.tiles;
        let width = across * OUT + S::KERNEL - 1;
        assert!(self.canvas.len() >= (down * OUT + S::KERNEL - 1) * width * PANEL);
        assert!(self.transformed.len() >= transformed_len::<S>(self.tiles, self.stride));
        let (canvas, transformed) = (self.canvas.as_ptr(), self.transformed.as_mut_ptr());
        for tile in 0..down * across {
            let (top, left) = (tile / across * OUT, tile % across * OUT);
            for lane in (0..PANEL).step_by(V::LANES) {
                // SAFETY: the assertions bound every access; the features by the caller.
                unsafe {
                    let from = canvas.add((top * width + left) * PANEL + lane);
                    let square = load(from, S::TILE, [width * PANEL, PANEL]);
                    let square = both_axes!(square, S::TILE => S::TILE, input::<S, V>);
                    let to = transformed.add(tile * PANEL + lane);
                    store(&square, to, S::TILE, [S::TILE * self.stride, self.stride]);
                }
            }
        }
    }
}

/// The adjoint of [`InputTransform`]: adds every tile to the canvas.
pub(crate) struct InputGradientTransform<'a, S> {
    pub(crate) scheme: PhantomData<S>,
    pub(crate) transformed: &'a [f32],
    pub(crate) stride: usize,
    pub(crate) tiles: Tiles,
    /// Overwritten.
    pub(crate) canvas: &'a mut [f32],
}

impl<S: Scheme> Operation for InputGradientTransform<'_, S> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let [down, across] = self.tiles;
        let width = across * OUT + S::KERNEL - 1;
        assert!(self.canvas.len() >= (down * OUT + S::KERNEL - 1) * width * PANEL);
        assert!(self.transformed.len() >= transformed_len::<S>(self.tiles, self.stride));
        self.canvas.fill(0.0);
        let (canvas, transformed) = (self.canvas.as_mut_ptr(), self.transformed.as_ptr());
        for tile in 0..down * across {
            let (top, left) = (tile / across * OUT, tile % across * OUT);
            for lane in (0..PANEL).step_by(V::LANES) {
                // SAFETY: the assertions bound every access; the features by the caller.
                unsafe {
                    let from = transformed.add(tile * PANEL + lane);
                    let square = load_transformed(from, S::TILE, self.stride, lane == 0);
                    let square = both_axes!(square, S::TILE => S::TILE, input_adjoint::<S, V>);
                    for y in 0..S::TILE {
                        for x in 0..S::TILE {
                            let at = canvas.add(((top + y) * width + left + x) * PANEL + lane);
                            V::load(at).add(square[y][x]).store(at);
                        }
                    }
                }
            }
        }
    }
}

//! The input into the transformed domain, and its gradient out of it.

use std::marker::PhantomData;

use super::lines::{input, input_adjoint};
use super::scheme::{LARGEST_TILE, OUT, Scheme};
use super::square::{both_axes, load, load_transformed, store};
use super::{Line, Square, Tiles, transformed_len};
use crate::arch::Operation;
use crate::arch::generic::Vector;
use crate::panels::PANEL;

/// One image's panel on its canvas (`4 * tiles + KERNEL - 1` pixels along each axis) into the transformed domain.
pub(crate) struct InputTransform<'a, S> {
    pub(crate) scheme: PhantomData<S>,
    pub(crate) canvas: &'a [f32],
    pub(crate) tiles: Tiles,
    /// From the first tile's place on: `[TILE * TILE][stride]`, 16 values for each tile.
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

/// The adjoint of [`InputTransform`]: adds every tile onto the canvas.
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

//! The transform of the weights, and its adjoint for the weight gradient.

use std::marker::PhantomData;

use super::lines::{Line, kernel, kernel_adjoint};
use super::scheme::{LARGEST_TILE, Scheme};
use super::square::{Square, both_axes, load, store};
use crate::arch::{Operation, Vector};
use crate::panels::PANEL;

/// Transforms sixteen kernels, `[KERNEL * KERNEL][16]`.
pub(crate) struct WeightTransform<'a, S> {
    pub(crate) scheme: PhantomData<S>,
    pub(crate) kernels: &'a [f32],
    /// `[TILE * TILE][16]`.
    pub(crate) transformed: &'a mut [f32],
}

impl<S: Scheme> Operation for WeightTransform<'_, S> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        assert!(self.kernels.len() >= S::KERNEL * S::KERNEL * PANEL);
        assert!(self.transformed.len() >= S::TILE * S::TILE * PANEL);
        for lane in (0..PANEL).step_by(V::LANES) {
            // SAFETY: the assertions bound every access; the features by the caller.
            unsafe {
                let from = self.kernels.as_ptr().add(lane);
                let square = load(from, S::KERNEL, [S::KERNEL * PANEL, PANEL]);
                let square = both_axes!(square, S::KERNEL => S::TILE, kernel::<S, V>);
                let to = self.transformed.as_mut_ptr().add(lane);
                store(&square, to, S::TILE, [S::TILE * PANEL, PANEL]);
            }
        }
    }
}

/// The adjoint of [`WeightTransform`].
pub(crate) struct WeightGradientTransform<'a, S> {
    pub(crate) scheme: PhantomData<S>,
    /// `[TILE * TILE][16]`.
    pub(crate) transformed: &'a [f32],
    /// `[KERNEL * KERNEL][16]`.
    pub(crate) kernels: &'a mut [f32],
}

impl<S: Scheme> Operation for WeightGradientTransform<'_, S> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        assert!(self.kernels.len() >= S::KERNEL * S::KERNEL * PANEL);
        assert!(self.transformed.len() >= S::TILE * S::TILE * PANEL);
        for lane in (0..PANEL).step_by(V::LANES) {
            // SAFETY: the assertions bound every access; the features by the caller.
            unsafe {
                let from = self.transformed.as_ptr().add(lane);
                let square = load(from, S::TILE, [S::TILE * PANEL, PANEL]);
                let square = both_axes!(square, S::TILE => S::KERNEL, kernel_adjoint::<S, V>);
                let to = self.kernels.as_mut_ptr().add(lane);
                store(&square, to, S::KERNEL, [S::KERNEL * PANEL, PANEL]);
            }
        }
    }
}

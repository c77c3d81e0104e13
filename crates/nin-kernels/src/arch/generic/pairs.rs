//! fp32 kernels over pairs of bf16: the same register tiles, two products in each step.

use crate::arch::{Bf16, Bf16Operation, Operation, Vector};
use crate::panels::PANEL;

/// Words of a pixel in a panel: eight pairs.
pub(crate) const PAIRS: usize = PANEL / 2;

/// An operation whose operands are words of two bf16; its sums stay fp32. Depths (in [`Outer`](super::Outer), pixels)
/// are counted in words.
pub(crate) struct InPairs<O>(pub(crate) O);

impl<O: Operation<Output = ()>> Bf16Operation for InPairs<O> {
    #[inline(always)]
    unsafe fn run<V: Bf16>(self) {
        // SAFETY: the caller's promise.
        unsafe { self.0.run::<Paired<V>>() }
    }
}

/// A vector that accumulates both products of a word in one step.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Paired<V>(V);

// SAFETY of every function below: the caller's promise for `V`.
impl<V: Bf16> Vector for Paired<V> {
    const LANES: usize = V::LANES;
    const PER_WORD: usize = 2;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: see above.
        unsafe { Self(V::splat(value)) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: see above.
        unsafe { Self(V::load(from)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: see above.
        unsafe { self.0.store(to) }
    }

    #[inline(always)]
    unsafe fn load_operand(from: *const f32) -> Self {
        // SAFETY: see above.
        unsafe { Self(V::load_wide(from)) }
    }

    #[inline(always)]
    unsafe fn store_operand(self, to: *mut f32) {
        // SAFETY: see above.
        unsafe { self.0.store_narrow(to) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(self.0.add(other.0)) }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(self.0.sub(other.0)) }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(self.0.mul(other.0)) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(self.0.mul_add(factor.0, sum.0)) }
    }

    #[inline(always)]
    unsafe fn accumulate(self, other: Self, sum: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(self.0.dot_pairs(other.0, sum.0)) }
    }

    #[inline(always)]
    unsafe fn prefetch(address: *const f32) {
        // SAFETY: see above.
        unsafe { V::prefetch(address) }
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(self.0.max(other.0)) }
    }

    #[inline(always)]
    unsafe fn relu(self) -> Self {
        // SAFETY: see above.
        unsafe { Self(self.0.relu()) }
    }

    #[inline(always)]
    unsafe fn gated_by(self, gate: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(self.0.gated_by(gate.0)) }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        // SAFETY: see above.
        unsafe { Self(V::load_bytes(from)) }
    }

    #[inline(always)]
    unsafe fn where_equal(self, left: Self, right: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(self.0.where_equal(left.0, right.0)) }
    }
}

/// Rounds panels to bf16 and pairs neighbouring channels: half as many words as values.
pub(crate) struct Narrow<'a> {
    /// Whole pixels of sixteen channels.
    pub(crate) values: &'a [f32],
    pub(crate) words: &'a mut [f32],
}

impl Bf16Operation for Narrow<'_> {
    #[inline(always)]
    unsafe fn run<V: Bf16>(self) {
        assert!(V::LANES == PANEL && self.values.len() == 2 * self.words.len());
        assert!(self.values.len().is_multiple_of(PANEL), "whole pixels");
        let pixels = self.values.chunks_exact(2 * PANEL);
        // Of an odd number of pixels the last has no partner.
        let (rest, last) = (pixels.remainder(), self.words.len() / PANEL * PANEL);
        for (pixels, words) in pixels.zip(self.words.chunks_exact_mut(PANEL)) {
            // SAFETY: chunks of two vectors and of one; the features by the caller.
            unsafe {
                let from = pixels.as_ptr();
                V::narrow(V::load(from), V::load(from.add(PANEL))).store(words.as_mut_ptr());
            }
        }
        if !rest.is_empty() {
            // SAFETY: a whole pixel is left, of as many values and half as many words.
            unsafe { V::load(rest.as_ptr()).store_narrow(self.words[last..].as_mut_ptr()) }
        }
    }
}

/// Rounds one panel to bf16 and pairs neighbouring pixels, `[pairs][16]`; the last of an odd number is paired with zero.
pub(crate) struct ZipPixels<'a> {
    /// Whole pixels of sixteen channels.
    pub(crate) values: &'a [f32],
    pub(crate) words: &'a mut [f32],
    /// Sixteen sums to which every pixel is added, unrounded; empty to skip them.
    pub(crate) sums: &'a mut [f32],
}

impl Bf16Operation for ZipPixels<'_> {
    #[inline(always)]
    unsafe fn run<V: Bf16>(self) {
        let pixels = self.values.len() / PANEL;
        assert!(V::LANES == PANEL && pixels.div_ceil(2) * PANEL <= self.words.len());
        assert!(self.sums.is_empty() || self.sums.len() >= PANEL);
        // SAFETY: the assertions bound every access; the features by the caller.
        unsafe {
            let (values, words) = (self.values.as_ptr(), self.words.as_mut_ptr());
            let mut sums = [V::splat(0.0); 2];
            for pair in 0..pixels / 2 {
                let low = V::load(values.add(2 * pair * PANEL));
                let high = V::load(values.add((2 * pair + 1) * PANEL));
                sums = [sums[0].add(low), sums[1].add(high)];
                V::zip(low, high).store(words.add(pair * PANEL));
            }
            if pixels % 2 == 1 {
                let low = V::load(values.add((pixels - 1) * PANEL));
                sums[0] = sums[0].add(low);
                V::zip(low, V::splat(0.0)).store(words.add(pixels / 2 * PANEL));
            }
            if !self.sums.is_empty() {
                let at = self.sums.as_mut_ptr();
                V::load(at).add(sums[0].add(sums[1])).store(at);
            }
        }
    }
}

/// Pairs neighbouring pixels of one panel whose words are of neighbouring channels, `[pairs][16]`; the last of an odd number is
/// paired with zero.
pub(crate) struct ZipWords<'a> {
    /// Whole pixels of eight words.
    pub(crate) pixels: &'a [f32],
    pub(crate) words: &'a mut [f32],
}

impl Bf16Operation for ZipWords<'_> {
    #[inline(always)]
    unsafe fn run<V: Bf16>(self) {
        let pairs = self.pixels.chunks_exact(2 * PAIRS);
        let rest = pairs.remainder();
        let (whole, last) = self.words[..self.pixels.len().next_multiple_of(PANEL)]
            .split_at_mut(pairs.len() * PANEL);
        assert!(V::LANES == PANEL);
        // SAFETY: chunks of a vector each, and one more where a pixel is left; the features by the caller.
        unsafe {
            for (pixels, words) in pairs.zip(whole.chunks_exact_mut(PANEL)) {
                V::load(pixels.as_ptr()).interleave().store(words.as_mut_ptr());
            }
            if !rest.is_empty() {
                let pixel = V::load_wide(rest.as_ptr());
                V::zip(pixel, V::splat(0.0)).store(last.as_mut_ptr());
            }
        }
    }
}

/// Rounds one panel to bf16 and pairs every pixel with the next, `[pixels][16]`; the last is paired with zero.
pub(crate) struct ZipNeighbours<'a> {
    /// Whole pixels of sixteen channels.
    pub(crate) values: &'a [f32],
    /// As many words.
    pub(crate) words: &'a mut [f32],
}

impl Bf16Operation for ZipNeighbours<'_> {
    #[inline(always)]
    unsafe fn run<V: Bf16>(self) {
        assert!(V::LANES == PANEL && self.values.len() == self.words.len());
        let pixels = self.values.chunks_exact(PANEL).zip(self.words.chunks_exact_mut(PANEL));
        // SAFETY: chunks of a vector each; the features by the caller.
        unsafe {
            // From the last to the first, so that each pixel is loaded once.
            let mut next = V::splat(0.0);
            for (values, words) in pixels.rev() {
                let values = V::load(values.as_ptr());
                V::zip(values, next).store(words.as_mut_ptr());
                next = values;
            }
        }
    }
}

//! Outer products of images and gradients: the gradients of weight and bias.

use super::input::{Filled, Input, fill_grid};
use super::walk::{Part, Walk};
use crate::arch::TilesArch;
use crate::arch::generic::{TileOuter, TransposeGrid, ZipGrid, even};
use crate::context::Context;
use crate::conv::lowering::Depth;
use crate::conv::operands::Layout;
use crate::geometry::ConvGeometry;
use crate::panels::{PANEL, panels_of};
use crate::scratch::Scratch;

/// Bytes of operands buffered until one batched multiply fills L2.
const PENDING_BYTES: usize = 1 << 19;

/// The gradients of weight and bias.
pub(crate) struct WeightGradient {
    input: Input,
    out_panels: usize,
    /// Parts of images in a batched multiply. The sums are larger than the operands of a part, and are read and written
    /// only once for all of them.
    parts_together: usize,
}

/// The operands of products that are still to be formed, as they will be multiplied.
#[derive(Debug)]
pub(crate) struct Pending {
    input: Scratch,
    gradient: Scratch,
    parts: usize,
    /// Nothing was added yet: the sums are uninitialized.
    fresh: bool,
}

impl WeightGradient {
    pub(crate) fn new(arch: TilesArch, geometry: &ConvGeometry, layout: Layout) -> Self {
        let input = Input::new(arch, geometry, layout);
        let mut gradient = Self { input, out_panels: geometry.out_panels(), parts_together: 1 };
        let words: usize = gradient.pending_words().iter().sum();
        gradient.parts_together = (PENDING_BYTES / size_of::<f32>() / words).max(1);
        gradient
    }

    /// Returns the order of depths in the sums.
    pub(crate) fn depth(&self) -> Depth {
        self.input.depth
    }

    fn in_panels(&self) -> usize {
        panels_of(self.input.depth.channels)
    }

    /// Returns the words of both operands.
    fn pending_words(&self) -> [usize; 2] {
        let [input_row, gradient_row] = self.rows();
        [even(self.in_panels()) * PANEL * input_row, even(self.out_panels) * gradient_row]
    }

    /// Allocates the operands of a batched multiply.
    pub(crate) fn pending(&self, context: &Context) -> Pending {
        let [input, gradient] = self.pending_words().map(|words| context.scratch.take(words));
        Pending { input, gradient, parts: 0, fresh: true }
    }

    /// Returns the strides of both operands, in words: between channels of the input, between panels of the gradient.
    fn rows(&self) -> [usize; 2] {
        let Walk { input, places, .. } = &self.input.walk;
        [self.parts_together * input.len / 2, self.parts_together * places.len / 2 * PANEL]
    }

    /// Adds one image, part by part: the bias gradient at once, the weight gradient no later than the next
    /// [`flush`](Self::flush). Calls `then` with each part and its gradient in a grid.
    pub(crate) fn add(
        &self,
        context: &Context,
        [image, gradient]: [&[f32]; 2],
        pending: &mut Pending,
        [sums, bias_sums]: [&mut [f32]; 2],
        mut then: impl FnMut(Part, &Filled),
    ) {
        for &part in &self.input.parts {
            let filled = self.fill(context, part, [image, gradient], pending, bias_sums);
            if pending.parts == self.parts_together {
                self.flush(pending, sums);
            }
            then(part, &filled);
        }
    }

    /// Appends the operands of a part to those that are pending. Returns the gradient in a grid.
    fn fill(
        &self,
        context: &Context,
        part: Part,
        [image, gradient]: [&[f32]; 2],
        pending: &mut Pending,
        bias_sums: &mut [f32],
    ) -> Filled {
        let Input { arch, walk, .. } = &self.input;
        let [input_row, gradient_row] = self.rows();
        let index = pending.parts;
        let grid = self.input.fill(context, image, part);
        let (len, words) = (walk.input.len, &mut pending.input[..]);
        arch.run(TransposeGrid { grid: &grid, len, words, row: input_row, first: index * len / 2 });
        drop(grid);
        let gradient = (gradient, self.out_panels);
        let filled = fill_grid(context, *arch, walk.places, part, gradient, Some(bias_sums));
        let (len, words) = (walk.places.len, &mut pending.gradient[..]);
        let first = index * len / 2 * PANEL;
        arch.run(ZipGrid { grid: &filled.words, len, words, row: gradient_row, first });
        pending.parts += 1;
        filled
    }

    /// Adds the pending products to sums in the layout of [`Outer`](crate::arch::generic::Outer). The first products
    /// overwrite them.
    pub(crate) fn flush(&self, pending: &mut Pending, sums: &mut [f32]) {
        if pending.parts == 0 {
            return;
        }
        let [input_row, gradient_row] = self.rows();
        self.input.arch.run(TileOuter {
            parts: pending.parts,
            input: &pending.input,
            input_row,
            input_len: self.input.walk.input.len,
            in_panels: self.in_panels(),
            taps: &self.input.walk.taps,
            gradient: &pending.gradient,
            gradient_row,
            places: self.input.walk.places.len,
            out_panels: self.out_panels,
            sums,
            overwrite: pending.fresh,
        });
        (pending.parts, pending.fresh) = (0, false);
    }
}

//! Images times gradients: what becomes of weights and biases.

use super::input::{Filled, Input, filled};
use super::walk::{Part, Walk};
use crate::arch::generic::{TileOuter, TurnGrid, ZipGrid, evened};
use crate::conv::ConvInput;
use crate::conv::lowering::Depth;
use crate::cpu::Cpu;
use crate::geometry::ConvGeometry;
use crate::panels::{PANEL, panels_of};
use crate::scratch::Scratch;

/// Bytes of operands that wait for one another: so many stay in the second-level cache.
const PENDING_BYTES: usize = 1 << 19;

/// The gradients of a layer's weight and bias.
pub(crate) struct Gradients {
    input: Input,
    out_panels: usize,
    /// Parts of images whose products are formed together: the sums, which are larger than a part's operands, are read
    /// and written once for all of them.
    parts_together: usize,
}

/// The operands of a few parts' products, as they are multiplied.
#[derive(Debug)]
pub(crate) struct Pending {
    input: Scratch,
    gradient: Scratch,
    parts: usize,
    /// Nothing was added yet: the sums hold nothing.
    fresh: bool,
}

impl Gradients {
    /// Where the layer is to be in tiles.
    pub(crate) fn new(cpu: &Cpu, geometry: &ConvGeometry, input: ConvInput) -> Option<Self> {
        let input = Input::new(cpu, geometry, input)?;
        let out_panels = geometry.out_panels();
        let mut gradients = Self { input, out_panels, parts_together: 1 };
        let words: usize = gradients.pending_words().iter().sum();
        gradients.parts_together = (PENDING_BYTES / size_of::<f32>() / words).max(1);
        Some(gradients)
    }

    /// The order of the sums' depth.
    pub(crate) fn depth(&self) -> Depth {
        self.input.depth
    }

    fn in_panels(&self) -> usize {
        panels_of(self.input.depth.channels)
    }

    /// Words of both operands.
    fn pending_words(&self) -> [usize; 2] {
        let [input_row, gradient_row] = self.rows();
        [evened(self.in_panels()) * PANEL * input_row, evened(self.out_panels) * gradient_row]
    }

    /// Room for what waits.
    pub(crate) fn pending(&self, cpu: &Cpu) -> Pending {
        let [input, gradient] = self.pending_words().map(|words| cpu.scratch.take(words));
        Pending { input, gradient, parts: 0, fresh: true }
    }

    /// Words from one channel to the next, and from one panel to the next, in what waits.
    fn rows(&self) -> [usize; 2] {
        let Walk { input, places, .. } = &self.input.walk;
        [self.parts_together * input.len / 2, self.parts_together * places.len / 2 * PANEL]
    }

    /// The parts of an image, each of which is to be added.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.input.parts
    }

    /// Adds a part of one image's: the bias's at once, the weight's by the time of [`flush`](Self::flush). What `gradient`
    /// was filled into comes back.
    pub(crate) fn add(
        &self,
        cpu: &Cpu,
        part: Part,
        [image, gradient]: [&[f32]; 2],
        pending: &mut Pending,
        [weight_sums, bias_sums]: [&mut [f32]; 2],
    ) -> Filled {
        let Input { tiles, walk, .. } = &self.input;
        let [input_row, gradient_row] = self.rows();
        let index = pending.parts;
        let grid = self.input.fill(cpu, image, part);
        let (len, words) = (walk.input.len, &mut pending.input[..]);
        tiles.run(TurnGrid { grid: &grid, len, words, row: input_row, first: index * len / 2 });
        drop(grid);
        let gradient = (gradient, self.out_panels);
        let filled = filled(cpu, *tiles, walk.places, part, gradient, Some(bias_sums));
        let (len, words) = (walk.places.len, &mut pending.gradient[..]);
        let first = index * len / 2 * PANEL;
        tiles.run(ZipGrid { grid: &filled.words, len, words, row: gradient_row, first });
        pending.parts += 1;
        if pending.parts == self.parts_together {
            self.flush(pending, weight_sums);
        }
        filled
    }

    /// Adds what waits to the sums of [`Outer`](crate::arch::generic::Outer), of which the first overwrites what they hold.
    pub(crate) fn flush(&self, pending: &mut Pending, sums: &mut [f32]) {
        if pending.parts == 0 {
            return;
        }
        let [input_row, gradient_row] = self.rows();
        self.input.tiles.run(TileOuter {
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

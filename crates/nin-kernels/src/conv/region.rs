//! Regions of an image that threads compute on their own.

use std::ops::Range;

use super::lowering::Lowering;
use crate::arch::generic::balanced;
use crate::panels::PANEL;

/// A part of the output of a product: some of its lines, in some of its panels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Region {
    /// Rows; pixels where there is a single row.
    lines: Range<usize>,
    /// Whole blocks of packed weights.
    pub(super) panels: Range<usize>,
}

impl Region {
    /// All of an image.
    pub(super) fn all(lowering: &Lowering, panels: usize) -> Self {
        Self { lines: 0..lines(lowering), panels: 0..panels }
    }

    /// Divides an image into about `parts` regions. Each reads the weights of its panels and all inputs of its lines: what
    /// is larger is divided first.
    pub(super) fn divide(
        lowering: &Lowering,
        (panels, per_block): (usize, usize),
        parts: usize,
    ) -> Vec<Self> {
        let (lines, blocks) = (lines(lowering), panels.div_ceil(per_block));
        let depth = lowering.segments.len() * lowering.segment_len;
        let weights = depth * panels * PANEL;
        let inputs = lowering.height * lowering.width * lowering.pixel;
        let (by_lines, by_blocks) = if weights > inputs {
            let by_blocks = blocks.min(parts);
            (parts.div_ceil(by_blocks).min(lines), by_blocks)
        } else {
            let by_lines = lines.min(parts);
            (by_lines, parts.div_ceil(by_lines).min(blocks))
        };
        let ranges = |total: usize, parts: usize| {
            balanced(total, total.div_ceil(parts)).map(|(start, len)| start..start + len)
        };
        ranges(blocks, by_blocks)
            .flat_map(|blocks| {
                let panels = blocks.start * per_block..(blocks.end * per_block).min(panels);
                ranges(lines, by_lines).map(move |lines| Self { lines, panels: panels.clone() })
            })
            .collect()
    }

    /// Returns the position of the first value in the input.
    pub(super) fn input(&self, lowering: &Lowering) -> usize {
        self.lines.start * if is_row(lowering) { lowering.pixel } else { lowering.row }
    }

    /// Returns the position of the first value in the output.
    pub(super) fn output(&self, lowering: &Lowering) -> usize {
        let line = if is_row(lowering) { 1 } else { lowering.width };
        let plane = lowering.height * lowering.width;
        (self.panels.start * plane + self.lines.start * line) * PANEL
    }

    pub(super) fn height(&self, lowering: &Lowering) -> usize {
        if is_row(lowering) { 1 } else { self.lines.len() }
    }

    pub(super) fn width(&self, lowering: &Lowering) -> usize {
        if is_row(lowering) { self.lines.len() } else { lowering.width }
    }
}

fn is_row(lowering: &Lowering) -> bool {
    lowering.height == 1
}

fn lines(lowering: &Lowering) -> usize {
    if is_row(lowering) { lowering.width } else { lowering.height }
}

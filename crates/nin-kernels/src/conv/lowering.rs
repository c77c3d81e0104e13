//! Implicit im2col: a convolution as a matrix multiplication that reads the image in place.

use super::operands::Layout;
use crate::arch::generic::{PAIRS, QUADS};
use crate::context::Context;
use crate::geometry::ConvGeometry;
use crate::panels::PANEL;
use crate::scratch::Scratch;

/// Bytes of pixels that stay in L2 while all weights are read.
const PIXEL_BLOCK_BYTES: usize = 192 * 1024;

/// The strides and offsets by which [`Multiply`](crate::arch::generic::Multiply) and
/// [`Outer`](crate::arch::generic::Outer) read an image.
#[derive(Debug)]
pub(crate) struct Lowering {
    pub(crate) segments: Vec<usize>,
    pub(crate) segment_len: usize,
    pub(crate) row: usize,
    pub(crate) pixel: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) pixel_block: usize,
    /// The order of depths in packed weights.
    pub(crate) depth: Depth,
    /// The canvas that the image is copied onto first; `None` where it is read in place.
    pub(crate) canvas: Option<Canvas>,
}

/// The order of depths: `[panels][kernel height][kernel width][lanes]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Depth {
    pub(crate) channels: usize,
    /// 16 in panels, 1 in planes.
    pub(crate) lanes: usize,
    pub(crate) kernel: [usize; 2],
}

impl Depth {
    pub(crate) fn len(self) -> usize {
        self.channels.div_ceil(self.lanes) * self.kernel[0] * self.kernel[1] * self.lanes
    }

    /// Returns the channel and the tap of each depth. Channels beyond the last pad a panel.
    pub(crate) fn entries(self) -> impl Iterator<Item = (usize, usize)> {
        let taps = self.kernel[0] * self.kernel[1];
        (0..self.channels.div_ceil(self.lanes)).flat_map(move |panel| {
            (0..taps).flat_map(move |tap| {
                (0..self.lanes).map(move |lane| (panel * self.lanes + lane, tap))
            })
        })
    }
}

/// An image with zeros around it, and between its pixels for the gradient of a strided convolution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Canvas {
    panels: usize,
    lanes: usize,
    source: [usize; 2],
    size: [usize; 2],
    spacing: [usize; 2],
    /// The position of the first pixel; negative where the edge of the image is cut off.
    offset: [isize; 2],
}

impl Lowering {
    /// Lowers the input of a forward pass.
    pub(crate) fn of(geometry: &ConvGeometry, layout: Layout) -> Self {
        match layout {
            Layout::Panels => Self::of_lanes(geometry, PANEL),
            Layout::Planes => Self::of_input(geometry, 1),
        }
    }

    /// Lowers the input of a forward pass whose channels are bytes, four in a word. Depths are counted in words.
    pub(crate) fn of_quads(geometry: &ConvGeometry) -> Self {
        Self::of_lanes(&in_words(geometry, QUADS), QUADS)
    }

    /// Lowers the input of a forward pass whose channels are bf16, two in a word. Depths are counted in words.
    pub(crate) fn of_pairs(geometry: &ConvGeometry) -> Self {
        Self::of_lanes(&in_words(geometry, PAIRS), PAIRS)
    }

    /// Lowers the output gradient for the input gradient, in bf16, two in a word. Depths are counted in words.
    pub(crate) fn of_gradient_pairs(geometry: &ConvGeometry) -> Self {
        Self::of_gradient_lanes(&in_words(geometry, PAIRS), PAIRS)
    }

    /// Lowers panels of `lanes` words.
    fn of_lanes(geometry: &ConvGeometry, lanes: usize) -> Self {
        if geometry.is_pointwise() {
            let pixels = geometry.in_pixels();
            let panels = geometry.in_channels.div_ceil(lanes);
            return Self {
                segments: (0..panels).map(|panel| panel * pixels * lanes).collect(),
                segment_len: lanes,
                row: pixels * lanes,
                pixel: lanes,
                height: 1,
                width: pixels,
                pixel_block: pixel_block(panels * lanes),
                depth: Depth { channels: geometry.in_channels, lanes, kernel: [1, 1] },
                canvas: None,
            };
        }
        Self::of_input(geometry, lanes)
    }

    fn of_input(geometry: &ConvGeometry, lanes: usize) -> Self {
        let g = geometry;
        let canvas = Canvas {
            panels: g.in_channels.div_ceil(lanes),
            lanes,
            source: g.input,
            size: [g.input[0] + 2 * g.padding[0], g.input[1] + 2 * g.padding[1]],
            spacing: [1, 1],
            offset: [g.padding[0] as isize, g.padding[1] as isize],
        };
        let depth = Depth { channels: g.in_channels, lanes, kernel: g.kernel };
        Self::over(canvas, depth, g.stride, g.output, g.padding != [0, 0])
    }

    /// Lowers the output gradient for the input gradient: a convolution of stride one with the kernel rotated by 180
    /// degrees.
    pub(crate) fn of_gradient(geometry: &ConvGeometry) -> Self {
        Self::of_gradient_lanes(geometry, PANEL)
    }

    fn of_gradient_lanes(geometry: &ConvGeometry, lanes: usize) -> Self {
        let g = geometry;
        if g.is_pointwise() {
            let (in_channels, out_channels) = (g.out_channels, g.in_channels);
            return Self::of_lanes(&ConvGeometry { in_channels, out_channels, ..*g }, lanes);
        }
        let margin = |axis: usize| g.kernel[axis] as isize - 1 - g.padding[axis] as isize;
        let canvas = Canvas {
            panels: g.out_channels.div_ceil(lanes),
            lanes,
            source: g.output,
            size: [g.input[0] + g.kernel[0] - 1, g.input[1] + g.kernel[1] - 1],
            spacing: g.stride,
            offset: [margin(0), margin(1)],
        };
        let depth = Depth { channels: g.out_channels, lanes, kernel: g.kernel };
        Self::over(canvas, depth, [1, 1], g.input, true)
    }

    fn over(
        canvas: Canvas,
        depth: Depth,
        stride: [usize; 2],
        output: [usize; 2],
        copied: bool,
    ) -> Self {
        let (lanes, [height, width]) = (canvas.lanes, canvas.size);
        let rows = 0..depth.kernel[0];
        let panels = 0..canvas.panels;
        Self {
            segments: panels
                .flat_map(|panel| {
                    rows.clone().map(move |row| (panel * height + row) * width * lanes)
                })
                .collect(),
            segment_len: depth.kernel[1] * lanes,
            row: stride[0] * width * lanes,
            pixel: stride[1] * lanes,
            height: output[0],
            width: output[1],
            pixel_block: pixel_block(canvas.panels * lanes * stride[0] * stride[1]),
            depth,
            canvas: copied.then_some(canvas),
        }
    }
}

/// Copies an image onto its canvas, if it needs one.
pub(crate) fn on_canvas(context: &Context, lowering: &Lowering, image: &[f32]) -> Option<Scratch> {
    lowering.canvas.map(|canvas| {
        let mut copy = context.scratch.take(canvas.len());
        canvas.fill(image, &mut copy);
        copy
    })
}

/// Returns a geometry whose channels are words, `lanes` in a panel.
fn in_words(geometry: &ConvGeometry, lanes: usize) -> ConvGeometry {
    let (in_channels, out_channels) = (geometry.in_panels() * lanes, geometry.out_panels() * lanes);
    ConvGeometry { in_channels, out_channels, ..*geometry }
}

/// Returns how many pixels of `values` values fit into [`PIXEL_BLOCK_BYTES`].
pub(crate) fn pixel_block(values: usize) -> usize {
    (PIXEL_BLOCK_BYTES / size_of::<f32>() / values).max(16)
}

impl Canvas {
    /// Creates a canvas for one panel with zeros around it.
    pub(crate) fn around(source: [usize; 2], size: [usize; 2], padding: [usize; 2]) -> Self {
        let offset = [padding[0] as isize, padding[1] as isize];
        Self { panels: 1, lanes: PANEL, source, size, spacing: [1, 1], offset }
    }

    /// Creates a canvas for some rows of an image, from a first one that may lie before it, with zeros beside them.
    pub(crate) fn of_rows(
        [panels, lanes]: [usize; 2],
        source: [usize; 2],
        (start, rows): (isize, usize),
        margin: usize,
    ) -> Self {
        let size = [rows, source[1] + 2 * margin];
        Self { panels, lanes, source, size, spacing: [1, 1], offset: [-start, margin as isize] }
    }

    /// Returns the height and the width.
    pub(crate) fn size(&self) -> [usize; 2] {
        self.size
    }

    /// Returns the number of panels.
    pub(crate) fn panels(&self) -> usize {
        self.panels
    }

    /// Returns the canvas of the first panels.
    pub(crate) fn with_panels(self, panels: usize) -> Self {
        Self { panels, ..self }
    }

    /// Returns the number of values of the image.
    pub(crate) fn source_len(&self) -> usize {
        self.panels * self.source[0] * self.source[1] * self.lanes
    }

    pub(crate) fn len(&self) -> usize {
        self.panels * self.size[0] * self.size[1] * self.lanes
    }

    /// Copies an image onto the canvas, and zeros everywhere else.
    pub(crate) fn fill(&self, source: &[f32], canvas: &mut [f32]) {
        canvas.fill(0.0);
        self.place(source, canvas);
    }

    /// Copies an image onto a canvas that is zero everywhere else.
    pub(crate) fn place(&self, source: &[f32], canvas: &mut [f32]) {
        let [height, width] = self.source;
        // The position on the canvas, unless it is cut off.
        let at = |axis: usize, index: usize| -> Option<usize> {
            let place = (index * self.spacing[axis]) as isize + self.offset[axis];
            usize::try_from(place).ok().filter(|&place| place < self.size[axis])
        };
        let Some(first) = (0..width).find(|&column| at(1, column).is_some()) else {
            return;
        };
        let count = (first..width).take_while(|&column| at(1, column).is_some()).count();
        let left = at(1, first).unwrap_or(0);
        for panel in 0..self.panels {
            for row in 0..height {
                let Some(place) = at(0, row) else { continue };
                let from = ((panel * height + row) * width + first) * self.lanes;
                let to = ((panel * self.size[0] + place) * self.size[1] + left) * self.lanes;
                if self.spacing[1] == 1 {
                    let len = count * self.lanes;
                    canvas[to..to + len].copy_from_slice(&source[from..from + len]);
                    continue;
                }
                for column in 0..count {
                    let (from, to) =
                        (from + column * self.lanes, to + column * self.spacing[1] * self.lanes);
                    canvas[to..to + self.lanes].copy_from_slice(&source[from..from + self.lanes]);
                }
            }
        }
    }
}

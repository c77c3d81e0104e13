//! Max pooling of one panel of one image, and its gradient. [`PoolBytes`], and [`PoolForward`] with positions, loop over the
//! sixteen lanes in plain Rust, which the compiler vectorizes.

use std::ops::Range;

use crate::arch::{Operation, Vector};
use crate::geometry::PoolGeometry;
use crate::panels::PANEL;

type Lanes<T> = [T; PANEL];

/// Max pooling of one panel.
pub(crate) struct PoolForward<'a> {
    pub(crate) geometry: &'a PoolGeometry,
    pub(crate) input: &'a [f32],
    pub(crate) output: &'a mut [f32],
    /// The position of each maximum in its window; empty to skip them.
    pub(crate) positions: &'a mut [u8],
}

/// The input gradient of one panel.
pub(crate) struct PoolBackward<'a> {
    pub(crate) geometry: &'a PoolGeometry,
    pub(crate) positions: &'a [u8],
    pub(crate) gradient: &'a [f32],
    /// The output of the pooling, to mask the ReLU before it too; otherwise empty.
    pub(crate) gate: &'a [f32],
    pub(crate) grad_input: &'a mut [f32],
}

/// Max pooling of one panel of bytes.
pub(crate) struct PoolBytes<'a> {
    pub(crate) geometry: &'a PoolGeometry,
    pub(crate) input: &'a [u8],
    pub(crate) output: &'a mut [u8],
}

/// The taps of a window that lie in the image.
#[derive(Clone, Copy)]
struct Window {
    /// The pixel of the first tap.
    pixel: usize,
    /// Pixels in a row of the image.
    width: usize,
    rows: usize,
    columns: usize,
    /// The position of the first tap in the whole window.
    position: usize,
    /// Positions in a row of the whole window.
    positions_per_row: usize,
}

/// What is done at each window.
trait PerWindow {
    /// Works on the window of an output pixel.
    ///
    /// # Safety
    /// The CPU has `V`. The window has a tap, all of its pixels are in the input, and `output` is in the output.
    unsafe fn window<V: Vector>(&mut self, output: usize, window: Window);
}

/// Returns the taps of a window along one axis that lie in the image, and the pixel of the first.
#[inline(always)]
fn taps(geometry: &PoolGeometry, axis: usize, index: usize) -> (Range<usize>, usize) {
    let start = index * geometry.stride[axis];
    let first = geometry.padding[axis].saturating_sub(start);
    let end = (geometry.input[axis] + geometry.padding[axis])
        .saturating_sub(start)
        .min(geometry.window[axis]);
    (first..end.max(first), (start + first).saturating_sub(geometry.padding[axis]))
}

/// Works on all windows, in the order of the output.
///
/// # Safety
/// The CPU has `V`, and the panels of `work` have the sizes of the geometry.
#[inline(always)]
unsafe fn each_window<V: Vector>(geometry: &PoolGeometry, work: &mut impl PerWindow) {
    let mut output = 0;
    for y in 0..geometry.output[0] {
        let (rows, top) = taps(geometry, 0, y);
        for x in 0..geometry.output[1] {
            let (columns, left) = taps(geometry, 1, x);
            assert!(!rows.is_empty() && !columns.is_empty(), "a geometry has no empty window");
            let window = Window {
                pixel: top * geometry.input[1] + left,
                width: geometry.input[1],
                rows: rows.len(),
                columns: columns.len(),
                position: rows.start * geometry.window[1] + columns.start,
                positions_per_row: geometry.window[1],
            };
            // SAFETY: the caller's promises; the taps lie in the image, and there is one.
            unsafe {
                // A copy of the work for the usual window, with its loops unrolled.
                if window.rows == 3 && window.columns == 3 {
                    work.window::<V>(output, Window { rows: 3, columns: 3, ..window });
                } else {
                    work.window::<V>(output, window);
                }
            }
            output += 1;
        }
    }
}

#[inline(always)]
fn lanes<T>(values: &[T], pixel: usize) -> &Lanes<T> {
    let Some(lanes) = values[pixel * PANEL..].first_chunk() else { unreachable!("whole pixels") };
    lanes
}

#[inline(always)]
fn lanes_mut<T>(values: &mut [T], pixel: usize) -> &mut Lanes<T> {
    let Some(lanes) = values[pixel * PANEL..].first_chunk_mut() else {
        unreachable!("whole pixels")
    };
    lanes
}

/// Asserts that a slice has a whole panel of this size.
#[inline(always)]
fn assert_panel(len: usize, [height, width]: [usize; 2]) {
    assert!(len >= height * width * PANEL, "a panel of {height}x{width}, and {len} values");
}

impl Operation for PoolBytes<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(mut self) {
        // SAFETY: the features, by the caller. Indices are checked.
        unsafe { each_window::<V>(self.geometry, &mut self) }
    }
}

impl PerWindow for PoolBytes<'_> {
    #[inline(always)]
    unsafe fn window<V: Vector>(&mut self, output: usize, window: Window) {
        let mut best = [0; PANEL];
        for row in 0..window.rows {
            for column in 0..window.columns {
                let values = lanes(self.input, window.pixel + row * window.width + column);
                for lane in 0..PANEL {
                    best[lane] = best[lane].max(values[lane]);
                }
            }
        }
        *lanes_mut(self.output, output) = best;
    }
}

impl Operation for PoolForward<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(mut self) {
        // SAFETY: the features, by the caller. Positions are computed with checked indices.
        unsafe {
            if self.positions.is_empty() {
                assert_panel(self.input.len(), self.geometry.input);
                assert_panel(self.output.len(), self.geometry.output);
                each_window::<V>(self.geometry, &mut Maxima(self));
            } else {
                each_window::<V>(self.geometry, &mut self);
            }
        }
    }
}

impl PerWindow for PoolForward<'_> {
    #[inline(always)]
    unsafe fn window<V: Vector>(&mut self, output: usize, window: Window) {
        let input = &self.input[window.pixel * PANEL..];
        let mut best = *lanes(input, 0);
        let mut positions = [window.position as u32; PANEL];
        for row in 0..window.rows {
            for column in 0..window.columns {
                let values = lanes(input, row * window.width + column);
                let position = (window.position + row * window.positions_per_row + column) as u32;
                for lane in 0..PANEL {
                    let value = values[lane];
                    let wins = (value > best[lane]) | value.is_nan();
                    best[lane] = if wins { value } else { best[lane] };
                    positions[lane] = if wins { position } else { positions[lane] };
                }
            }
        }
        *lanes_mut(self.output, output) = best;
        *lanes_mut(self.positions, output) = positions.map(|position| position as u8);
    }
}

/// Writes the maxima alone.
struct Maxima<'a>(PoolForward<'a>);

impl PerWindow for Maxima<'_> {
    #[inline(always)]
    unsafe fn window<V: Vector>(&mut self, output: usize, window: Window) {
        for lane in (0..PANEL).step_by(V::LANES) {
            // SAFETY: the pixels and the features by the caller; the operation has asserted the lengths.
            unsafe {
                let first = self.0.input.as_ptr().add(window.pixel * PANEL + lane);
                let mut best = V::load(first);
                for row in 0..window.rows {
                    let values = first.add(row * window.width * PANEL);
                    let mut best_of_row = V::load(values);
                    for column in 1..window.columns {
                        best_of_row = V::load(values.add(column * PANEL)).max(best_of_row);
                    }
                    best = best_of_row.max(best);
                }
                best.store(self.0.output.as_mut_ptr().add(output * PANEL + lane));
            }
        }
    }
}

impl Operation for PoolBackward<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(mut self) {
        let Self { geometry, positions, gradient, gate, grad_input } = &mut self;
        assert_panel(positions.len(), geometry.output);
        assert_panel(gradient.len(), geometry.output);
        if !gate.is_empty() {
            assert_panel(gate.len(), geometry.output);
        }
        assert_panel(grad_input.len(), geometry.input);
        grad_input.fill(0.0);
        // SAFETY: the features, by the caller; the lengths were asserted.
        unsafe { each_window::<V>(self.geometry, &mut self) }
    }
}

impl PerWindow for PoolBackward<'_> {
    #[inline(always)]
    unsafe fn window<V: Vector>(&mut self, output: usize, window: Window) {
        for lane in (0..PANEL).step_by(V::LANES) {
            let at = output * PANEL + lane;
            // SAFETY: the pixels and the features by the caller; the operation has asserted the lengths.
            unsafe {
                let positions = V::load_bytes(self.positions.as_ptr().add(at));
                let mut gradient = V::load(self.gradient.as_ptr().add(at));
                if !self.gate.is_empty() {
                    gradient = gradient.gated_by(V::load(self.gate.as_ptr().add(at)));
                }
                let one = V::splat(1.0);
                let first = self.grad_input.as_mut_ptr().add(window.pixel * PANEL + lane);
                for row in 0..window.rows {
                    let sums = first.add(row * window.width * PANEL);
                    // Whole numbers up to 255, which are exact.
                    let start = window.position + row * window.positions_per_row;
                    let mut position = V::splat(start as f32);
                    for column in 0..window.columns {
                        let sum = sums.add(column * PANEL);
                        let here = gradient.where_equal(positions, position);
                        V::load(sum).add(here).store(sum);
                        position = position.add(one);
                    }
                }
            }
        }
    }
}

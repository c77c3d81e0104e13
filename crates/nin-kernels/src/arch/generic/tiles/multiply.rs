//! A grid times weights: the inner loop of every forward pass and every input gradient in tiles.

use super::{BLOCK_PIXELS, Grid};
use crate::arch::generic::epilogue::{Epilogue, GATE, RELU, STORE, apply};
use crate::arch::{TILE_LEN, TILE_ROWS, TILE_WORDS, TileBlock, Tiles, TilesOperation};
use crate::panels::PANEL;

/// `output[panel][pixel][lane] = epilogue(bias[panel][lane] + sum over steps)`, with one step for each tap of the kernel
/// and each 32 channels.
pub(crate) struct TileMultiply<'a> {
    /// Filled by [`super::FillGrid`].
    pub(crate) grid: &'a [f32],
    /// The offset in bytes of each step from the place of an output pixel in the grid.
    pub(crate) offsets: &'a [usize],
    /// `[panels][steps][16 pairs of channels][16]` words.
    pub(crate) weight: &'a [f32],
    /// `[panels][16]`.
    pub(crate) bias: &'a [f32],
    /// The places of the output pixels in the grid; the first is 0.
    pub(crate) places: Grid,
    /// `[panels][plane]`; the first `rows * columns` pixels of each panel are written.
    pub(crate) output: &'a mut [f32],
    /// Stride between panels in `output`.
    pub(crate) plane: usize,
    pub(crate) panels: usize,
    /// A gate is laid out as the output.
    pub(crate) epilogue: Epilogue<'a>,
}

impl TilesOperation for TileMultiply<'_> {
    #[inline(always)]
    unsafe fn run<V: Tiles>(self) {
        let Self { grid, offsets, weight, bias, places, output, plane, panels, epilogue } = self;
        places.check();
        assert!(V::LANES == PANEL && places.first == 0 && !offsets.is_empty());
        let written = (panels - 1) * plane + places.rows * places.columns * PANEL;
        assert!(panels > 0 && written <= output.len());
        assert!(weight.len() == panels * offsets.len() * TILE_LEN && bias.len() >= panels * PANEL);
        let reach = offsets.iter().copied().max().unwrap_or(0);
        assert!(reach + places.len * TILE_WORDS * size_of::<f32>() <= size_of_val(grid));
        if let Epilogue::Gate(gate) = epilogue {
            assert!(written <= gate.len());
        }
        let (gate, kind) = match epilogue {
            Epilogue::Store => (output.as_ptr(), STORE),
            Epilogue::Relu => (output.as_ptr(), RELU),
            Epilogue::ReluOperand => unreachable!("tiles are filled from values"),
            Epilogue::Gate(gate) => (gate.as_ptr(), GATE),
        };
        let output = output.as_mut_ptr();
        let used = (places.rows - 1) * places.pitch + places.columns;
        // SAFETY: the assertions bound every access; the features by the caller.
        unsafe {
            V::configure();
            for panel in (0..panels).step_by(2) {
                let weight = weight.as_ptr().add(panel * offsets.len() * TILE_LEN);
                let bias = bias.as_ptr().add(panel * PANEL);
                let work = PanelPair {
                    grid: grid.as_ptr(),
                    offsets,
                    weight: [weight, weight.wrapping_add(offsets.len() * TILE_LEN)],
                    bias: [bias, bias.wrapping_add(PANEL)],
                    places: &places,
                    used,
                    output: output.wrapping_add(panel * plane),
                    gate: gate.wrapping_add(panel * plane),
                    plane,
                };
                match (kind, panels - panel) {
                    (STORE, 1) => pair::<V, STORE, 1>(&work),
                    (RELU, 1) => pair::<V, RELU, 1>(&work),
                    (_, 1) => pair::<V, GATE, 1>(&work),
                    (STORE, _) => pair::<V, STORE, 2>(&work),
                    (RELU, _) => pair::<V, RELU, 2>(&work),
                    _ => pair::<V, GATE, 2>(&work),
                }
            }
            V::release();
        }
    }
}

/// The operands of one or two panels of the output.
struct PanelPair<'a> {
    grid: *const f32,
    offsets: &'a [usize],
    weight: [*const f32; 2],
    bias: [*const f32; 2],
    places: &'a Grid,
    /// The number of places up to the last pixel.
    used: usize,
    output: *mut f32,
    gate: *const f32,
    plane: usize,
}

/// The sums of a block, before the epilogue.
#[repr(align(64))]
struct Sums([f32; 4 * TILE_LEN]);

/// Computes all pixels of `N` panels.
///
/// # Safety
/// The assertions of [`TileMultiply`] hold, the tiles are configured, and the CPU has `V`.
#[inline(always)]
unsafe fn pair<V: Tiles, const EPILOGUE: u8, const N: usize>(work: &PanelPair) {
    let mut sums = Sums([0.0; 4 * TILE_LEN]);
    let to = sums.0.as_mut_ptr();
    let (mut row, mut column) = (0, 0);
    // SAFETY: the caller's promise.
    unsafe {
        let tile = |index: usize| to.add(index * TILE_LEN);
        for place in (0..work.used).step_by(BLOCK_PIXELS) {
            let block = TileBlock {
                start: [work.bias; 2],
                sums: [[tile(0), tile(1)], [tile(2), tile(3)]],
                start_row: 0,
                sums_row: PANEL * size_of::<f32>(),
                left: work.grid.add(place * TILE_WORDS),
                left_row: TILE_WORDS * size_of::<f32>(),
                offsets: work.offsets.as_ptr(),
                steps: work.offsets.len(),
                right: work.weight,
            };
            let rows = (work.used - place).min(BLOCK_PIXELS);
            if rows > TILE_ROWS {
                V::products::<2, N>(&block);
            } else {
                V::products::<1, N>(&block);
            }
            for index in 0..rows {
                if column < work.places.columns {
                    let pixel = (row * work.places.columns + column) * PANEL;
                    for n in 0..N {
                        let from =
                            (index / TILE_ROWS * 2 + n) * TILE_LEN + index % TILE_ROWS * PANEL;
                        let at = n * work.plane + pixel;
                        apply::<V, EPILOGUE>(V::load(to.add(from)), work.gate.add(at))
                            .store(work.output.add(at));
                    }
                }
                column += 1;
                if column == work.places.pitch {
                    (row, column) = (row + 1, 0);
                }
            }
        }
    }
}

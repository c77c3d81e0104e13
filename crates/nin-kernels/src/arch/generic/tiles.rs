//! bf16 operands in tiles of 16 rows of 64 bytes: what a matrix unit (AMX) takes in one instruction.
//!
//! A *grid* holds an image's pixels in bf16, 32 channels (two panels, one cache line) a pixel, with its margins of
//! zeros in place. Rows follow one another, so that what lies under a tap of the kernel is at one distance from every
//! output pixel: sixteen neighbours in memory are a tile's rows, whatever the kernel. Between two rows of the output this
//! computes a few pixels that nobody wants, as many as the margins are wide.

use super::{Bf16, End};
use crate::panels::PANEL;

/// Channels of a pixel in a grid: a row of a tile.
pub(crate) const TILE_CHANNELS: usize = 2 * PANEL;

/// Words of two bf16 in a tile's row.
pub(crate) const TILE_WORDS: usize = TILE_CHANNELS / 2;

/// Words of a tile.
pub(crate) const TILE_LEN: usize = TILE_ROWS * TILE_WORDS;

/// Rows of a tile.
pub(crate) const TILE_ROWS: usize = 16;

/// Pixels that are worked on at a time: two tiles.
pub(crate) const BLOCK_PIXELS: usize = 2 * TILE_ROWS;

/// What a kernel asks of an instruction set that multiplies tiles.
///
/// Every function is unsafe as [`Vector`](super::Vector)'s are.
#[allow(clippy::missing_safety_doc)]
pub(crate) trait Tiles: Bf16 {
    /// Makes the thread's tiles ready. Between it and [`release`](Self::release) nothing else may configure them.
    unsafe fn configure();
    /// Gives the thread's tiles back.
    unsafe fn release();
    /// `M` by `N` tiles of sums, each started from what `block` says, over all of its steps.
    ///
    /// The pointers of `block` are good for so many tiles.
    unsafe fn products<const M: usize, const N: usize>(block: &TileBlock);
    /// The bf16 halves of two vectors in pairs: those of the lower halves of `low` and `high`, then of the upper.
    unsafe fn zip_halves(low: Self, high: Self) -> [Self; 2];
    /// Rows and columns of words change places.
    unsafe fn transpose(words: &mut [Self; 16]);
}

/// Two by two tiles of sums, and where their operands lie. Strides and offsets are in bytes.
#[repr(C)]
pub(crate) struct TileBlock {
    /// Where the sums start from, row by row of tiles.
    pub(crate) start: [[*const f32; 2]; 2],
    /// Where the sums go.
    pub(crate) sums: [[*mut f32; 2]; 2],
    /// From one of a tile's rows to the next in `start`; 0 where all rows start from the same.
    pub(crate) start_row: usize,
    pub(crate) sums_row: usize,
    /// The first step's left operand: sixteen rows, the second tile's behind the first's.
    pub(crate) left: *const f32,
    pub(crate) left_row: usize,
    /// Each step's distance from `left`.
    pub(crate) offsets: *const usize,
    pub(crate) steps: usize,
    /// The first step's right operands; each next step's lies behind.
    pub(crate) right: [*const f32; 2],
}

/// A piece of work that is compiled for every instruction set that multiplies tiles; as [`Operation`](crate::arch::Operation) otherwise.
pub(crate) trait TilesOperation {
    /// The work.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    unsafe fn run<V: Tiles>(self);
}

/// How an image lies in a grid.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    /// Of the image.
    pub(crate) rows: usize,
    /// Of the image.
    pub(crate) columns: usize,
    /// From one row to the next, in pixels.
    pub(crate) pitch: usize,
    /// Of the image's first pixel.
    pub(crate) first: usize,
    /// Pixels with all margins: whole blocks.
    pub(crate) len: usize,
}

impl Grid {
    /// Every pixel's place, and runs of pixels that are none: `each(place, Some(pixel) or None)`.
    #[inline(always)]
    fn check(&self) {
        let last = self.first + (self.rows - 1) * self.pitch + self.columns;
        assert!(self.rows > 0 && self.columns > 0 && self.columns <= self.pitch);
        assert!(last <= self.len && self.len.is_multiple_of(BLOCK_PIXELS));
    }
}

/// Fills a grid: `[ceil(panels / 2)][grid.len][32]`, zeros wherever there is no pixel.
pub(crate) struct FillGrid<'a> {
    pub(crate) grid: Grid,
    /// `[panels][rows * columns][16]`.
    pub(crate) values: &'a [f32],
    pub(crate) words: &'a mut [f32],
    /// `[panels][16]`: every pixel is added, unrounded; empty where nobody wants it.
    pub(crate) sums: &'a mut [f32],
}

impl TilesOperation for FillGrid<'_> {
    #[inline(always)]
    unsafe fn run<V: Tiles>(self) {
        let Self { grid, values, words, sums } = self;
        grid.check();
        let pixels = grid.rows * grid.columns;
        let panels = values.len() / (pixels * PANEL);
        assert!(V::LANES == PANEL && values.len() == panels * pixels * PANEL);
        assert!(words.len() == panels.div_ceil(2) * grid.len * TILE_WORDS);
        assert!(sums.is_empty() || sums.len() >= panels * PANEL);
        for (pair, words) in words.chunks_exact_mut(grid.len * TILE_WORDS).enumerate() {
            let count = (panels - 2 * pair).min(2);
            let mut end = 0;
            for row in 0..grid.rows {
                let start = (grid.first + row * grid.pitch) * TILE_WORDS;
                words[end..start].fill(0.0);
                end = start + grid.columns * TILE_WORDS;
                let at = (2 * pair * pixels + row * grid.columns) * PANEL;
                let sums = if sums.is_empty() { None } else { Some(&mut sums[2 * pair * PANEL..]) };
                // SAFETY: `check` and the lengths above; the features by the caller.
                unsafe {
                    let (from, to) = (values.as_ptr().add(at), words[start..end].as_mut_ptr());
                    if count == 2 {
                        fill_row::<V, 2>(from, pixels * PANEL, grid.columns, to, sums);
                    } else {
                        fill_row::<V, 1>(from, 0, grid.columns, to, sums);
                    }
                }
            }
            words[end..].fill(0.0);
        }
    }
}

/// One row of one or two panels.
///
/// # Safety
/// `from` is good for so many pixels in each panel, `to` for as many rows of a tile, `sums` for each panel; the CPU has `V`.
#[inline(always)]
unsafe fn fill_row<V: Tiles, const N: usize>(
    from: *const f32,
    panel: usize,
    columns: usize,
    to: *mut f32,
    sums: Option<&mut [f32]>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut totals = [V::splat(0.0); 2];
        for column in 0..columns {
            let at = from.add(column * PANEL);
            let first = V::load(at);
            let second = if N == 2 { V::load(at.add(panel)) } else { V::splat(0.0) };
            totals = [totals[0].add(first), totals[1].add(second)];
            V::narrow(first, second).store(to.add(column * TILE_WORDS));
        }
        if let Some(sums) = sums {
            assert!(sums.len() >= N * PANEL);
            for (n, total) in totals.into_iter().enumerate().take(N) {
                let at = sums.as_mut_ptr().add(n * PANEL);
                V::load(at).add(total).store(at);
            }
        }
    }
}

/// A grid with neighbouring pixels in pairs: `[panels, evened][grid.len / 2][16]` words.
pub(crate) struct ZipGrid<'a> {
    pub(crate) grid: &'a [f32],
    pub(crate) len: usize,
    pub(crate) words: &'a mut [f32],
}

impl TilesOperation for ZipGrid<'_> {
    #[inline(always)]
    unsafe fn run<V: Tiles>(self) {
        let Self { grid, len, words } = self;
        assert!(V::LANES == PANEL && len.is_multiple_of(BLOCK_PIXELS) && words.len() == grid.len());
        let pairs = grid.chunks_exact(len * TILE_WORDS);
        for (grid, words) in pairs.zip(words.chunks_exact_mut(len * TILE_WORDS)) {
            let (first, second) = words.split_at_mut(len / 2 * PANEL);
            let pixels = grid.chunks_exact(2 * TILE_WORDS);
            let words = first.chunks_exact_mut(PANEL).zip(second.chunks_exact_mut(PANEL));
            for (pixels, (first, second)) in pixels.zip(words) {
                // SAFETY: chunks of two vectors and of one each; the features by the caller.
                unsafe {
                    let [low, high] =
                        [V::load(pixels.as_ptr()), V::load(pixels.as_ptr().add(TILE_WORDS))];
                    let zipped = V::zip_halves(low, high);
                    zipped[0].store(first.as_mut_ptr());
                    zipped[1].store(second.as_mut_ptr());
                }
            }
        }
    }
}

/// A grid with its pixels one after another for each channel: `[panels, evened][16][grid.len / 2]` words.
pub(crate) struct TurnGrid<'a> {
    pub(crate) grid: &'a [f32],
    pub(crate) len: usize,
    pub(crate) words: &'a mut [f32],
}

impl TilesOperation for TurnGrid<'_> {
    #[inline(always)]
    unsafe fn run<V: Tiles>(self) {
        let Self { grid, len, words } = self;
        assert!(V::LANES == PANEL && len.is_multiple_of(BLOCK_PIXELS) && words.len() == grid.len());
        let pairs = grid.chunks_exact(len * TILE_WORDS);
        for (grid, words) in pairs.zip(words.chunks_exact_mut(len * TILE_WORDS)) {
            for (block, grid) in grid.chunks_exact(BLOCK_PIXELS * TILE_WORDS).enumerate() {
                // SAFETY: a block's rows; `words` has sixteen words for each block in each of 32 channels; the
                // features by the caller.
                unsafe {
                    let mut first = [V::splat(0.0); 16];
                    let mut second = first;
                    for pair in 0..16 {
                        let at = grid.as_ptr().add(2 * pair * TILE_WORDS);
                        [first[pair], second[pair]] =
                            V::zip_halves(V::load(at), V::load(at.add(TILE_WORDS)));
                    }
                    V::transpose(&mut first);
                    V::transpose(&mut second);
                    let to = words.as_mut_ptr().add(block * BLOCK_PIXELS / 2);
                    for channel in 0..16 {
                        first[channel].store(to.add(channel * len / 2));
                        second[channel].store(to.add((channel + 16) * len / 2));
                    }
                }
            }
        }
    }
}

/// `output[panel][pixel][lane] = end(bias[panel][lane] + sum over steps)`, with a step for each tap of the kernel and
/// each 32 channels.
pub(crate) struct TileMultiply<'a> {
    /// Filled by [`FillGrid`].
    pub(crate) grid: &'a [f32],
    /// Bytes from an output pixel's place in the grid to each step's operand.
    pub(crate) offsets: &'a [usize],
    /// `[panels][steps][16 pairs of channels][16]` words.
    pub(crate) weight: &'a [f32],
    /// `[panels][16]`.
    pub(crate) bias: &'a [f32],
    /// The output's places: the first is 0.
    pub(crate) places: Grid,
    /// `[panels][rows * columns][16]`.
    pub(crate) output: &'a mut [f32],
    pub(crate) end: End<'a>,
}

/// Rounded up to an even number.
pub(crate) const fn evened(panels: usize) -> usize {
    panels.next_multiple_of(2)
}

impl TilesOperation for TileMultiply<'_> {
    #[inline(always)]
    unsafe fn run<V: Tiles>(self) {
        let Self { grid, offsets, weight, bias, places, output, end } = self;
        places.check();
        assert!(V::LANES == PANEL && places.first == 0 && !offsets.is_empty());
        let plane = places.rows * places.columns * PANEL;
        let panels = output.len() / plane;
        assert!(panels > 0 && output.len() == panels * plane);
        assert!(weight.len() == panels * offsets.len() * TILE_LEN && bias.len() >= panels * PANEL);
        let reach = offsets.iter().copied().max().unwrap_or(0);
        assert!(reach + places.len * TILE_WORDS * size_of::<f32>() <= size_of_val(grid));
        if let End::Gate(gate) = end {
            assert!(gate.len() >= output.len());
        }
        let (gate, kind) = match end {
            End::Store => (output.as_ptr(), STORE),
            End::Relu => (output.as_ptr(), RELU),
            End::Gate(gate) => (gate.as_ptr(), GATE),
        };
        let output = output.as_mut_ptr();
        let used = (places.rows - 1) * places.pitch + places.columns;
        // SAFETY: what is asserted above bounds every access; the features by the caller.
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

const STORE: u8 = 0;
const RELU: u8 = 1;
const GATE: u8 = 2;

/// One or two panels of the output.
struct PanelPair<'a> {
    grid: *const f32,
    offsets: &'a [usize],
    weight: [*const f32; 2],
    bias: [*const f32; 2],
    places: &'a Grid,
    /// Places up to the last pixel's.
    used: usize,
    output: *mut f32,
    gate: *const f32,
    plane: usize,
}

/// A block's sums on their way to the output.
#[repr(align(64))]
struct Sums([f32; 4 * TILE_LEN]);

/// All pixels of `N` panels.
///
/// # Safety
/// As [`TileMultiply`] asserts; the tiles are configured; the CPU has `V`.
#[inline(always)]
unsafe fn pair<V: Tiles, const END: u8, const N: usize>(work: &PanelPair) {
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
                        let sum = V::load(to.add(from));
                        let sum = match END {
                            RELU => sum.relu(),
                            GATE => sum.gated_by(V::load(work.gate.add(at))),
                            _ => sum,
                        };
                        sum.store(work.output.add(at));
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

/// `sums[panel][depth][lane] += sum over places of input(place)[depth] * gradient[panel][place][lane]`, the sums laid out as
/// [`Outer`](super::Outer)'s.
pub(crate) struct TileOuter<'a> {
    /// Turned by [`TurnGrid`]: `[in_panels, evened][16][len / 2]`.
    pub(crate) input: &'a [f32],
    /// Pixels of a channel of `input`.
    pub(crate) input_len: usize,
    pub(crate) in_panels: usize,
    /// Pixels from a place to what lies under each tap.
    pub(crate) taps: &'a [usize],
    /// Zipped by [`ZipGrid`]: `[out_panels, evened][places / 2][16]`.
    pub(crate) gradient: &'a [f32],
    /// Places: whole blocks.
    pub(crate) places: usize,
    pub(crate) out_panels: usize,
    /// `[out_panels][in_panels][taps][16][16 or 32]`.
    pub(crate) sums: &'a mut [f32],
}

impl TilesOperation for TileOuter<'_> {
    #[inline(always)]
    unsafe fn run<V: Tiles>(self) {
        let Self { input, input_len, in_panels, taps, gradient, places, out_panels, sums } = self;
        let reach = taps.iter().copied().max().unwrap_or(0);
        assert!(V::LANES == PANEL && places.is_multiple_of(BLOCK_PIXELS) && places > 0);
        assert!(places + reach <= input_len && input_len.is_multiple_of(2));
        assert!(input.len() == evened(in_panels) * PANEL * input_len / 2);
        assert!(gradient.len() == evened(out_panels) * places / 2 * PANEL);
        let depth = in_panels * taps.len() * PANEL;
        assert!(in_panels > 0 && sums.len() == out_panels * PANEL * depth);
        let line = TILE_WORDS * size_of::<f32>();
        let offsets: Vec<usize> = (0..places / BLOCK_PIXELS).map(|step| step * line).collect();
        let sums = sums.as_mut_ptr();
        // SAFETY: what is asserted above bounds every access; the features by the caller.
        unsafe {
            V::configure();
            for panel in (0..out_panels).step_by(2) {
                let width = (out_panels - panel).min(2) * PANEL;
                let gradient = gradient.as_ptr().add(panel * places / 2 * PANEL);
                let sums = sums.add(panel * PANEL * depth);
                for in_panel in (0..in_panels).step_by(2) {
                    let channels = input.as_ptr().add(in_panel * PANEL * input_len / 2);
                    for (tap, &distance) in taps.iter().enumerate() {
                        let row = |panel: usize| {
                            let at = sums.add((panel * taps.len() + tap) * PANEL * width);
                            // The second is read and written only where there are so many.
                            [at, at.wrapping_add(PANEL)]
                        };
                        let first = row(in_panel);
                        let second =
                            if in_panel + 1 < in_panels { row(in_panel + 1) } else { first };
                        let block = TileBlock {
                            start: [first, second].map(|row| row.map(<*mut f32>::cast_const)),
                            sums: [first, second],
                            start_row: width * size_of::<f32>(),
                            sums_row: width * size_of::<f32>(),
                            // A bf16's distance: rows need no alignment.
                            left: channels.cast::<u16>().add(distance).cast(),
                            left_row: input_len * size_of::<u16>(),
                            offsets: offsets.as_ptr(),
                            steps: offsets.len(),
                            right: [gradient, gradient.wrapping_add(places / 2 * PANEL)],
                        };
                        match (in_panels - in_panel, width) {
                            (1, PANEL) => V::products::<1, 1>(&block),
                            (1, _) => V::products::<1, 2>(&block),
                            (_, PANEL) => V::products::<2, 1>(&block),
                            _ => V::products::<2, 2>(&block),
                        }
                    }
                }
            }
            V::release();
        }
    }
}

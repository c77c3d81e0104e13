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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// `[panels][plane]`, of which each panel's first `rows * columns` pixels are looked at.
    pub(crate) values: &'a [f32],
    /// Values from one panel to the next.
    pub(crate) plane: usize,
    pub(crate) panels: usize,
    pub(crate) words: &'a mut [f32],
    /// `[panels][16]`: every pixel is added, unrounded; empty where nobody wants it.
    pub(crate) sums: &'a mut [f32],
}

impl TilesOperation for FillGrid<'_> {
    #[inline(always)]
    unsafe fn run<V: Tiles>(self) {
        let Self { grid, values, plane, panels, words, sums } = self;
        grid.check();
        assert!(V::LANES == PANEL && panels > 0);
        assert!((panels - 1) * plane + grid.rows * grid.columns * PANEL <= values.len());
        assert!(words.len() == panels.div_ceil(2) * grid.len * TILE_WORDS);
        assert!(sums.is_empty() || sums.len() >= panels * PANEL);
        for (pair, words) in words.chunks_exact_mut(grid.len * TILE_WORDS).enumerate() {
            let count = (panels - 2 * pair).min(2);
            let mut end = 0;
            for row in 0..grid.rows {
                let start = (grid.first + row * grid.pitch) * TILE_WORDS;
                words[end..start].fill(0.0);
                end = start + grid.columns * TILE_WORDS;
                let at = 2 * pair * plane + row * grid.columns * PANEL;
                let sums = if sums.is_empty() { None } else { Some(&mut sums[2 * pair * PANEL..]) };
                // SAFETY: `check` and the lengths above; the features by the caller.
                unsafe {
                    let (from, to) = (values.as_ptr().add(at), words[start..end].as_mut_ptr());
                    if count == 2 {
                        fill_row::<V, 2>(from, plane, grid.columns, to, sums);
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

/// Fills a grid with what lies under the kernel at each output pixel: `[ceil(depth / 32)][len][32]`, the depth being
/// `[channels][kernel height][kernel width]`. For images of one or three channels, which alone would leave a tile's rows
/// empty.
pub(crate) struct FillPatches<'a> {
    pub(crate) patches: Patches,
    /// `[channels][rows][columns]`.
    pub(crate) planes: &'a [f32],
    /// Room for the image in bf16: [`Patches::canvas_words`].
    pub(crate) canvas: &'a mut [f32],
    /// Room for a block's patches: [`Patches::block_words`].
    pub(crate) block: &'a mut [f32],
    pub(crate) words: &'a mut [f32],
}

/// The sizes of a convolution over planes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patches {
    pub(crate) channels: usize,
    /// Of the input.
    pub(crate) size: [usize; 2],
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) padding: [usize; 2],
    pub(crate) output: [usize; 2],
}

/// Neighbours that are copied at a time: what a kernel's row does not use of them, the next one overwrites.
const COPIED: usize = 16;

impl Patches {
    /// Values under the kernel.
    pub(crate) fn depth(&self) -> usize {
        self.channels * self.kernel[0] * self.kernel[1]
    }

    /// Words of the image with its margins, and of what may be read behind it.
    pub(crate) fn canvas_words(&self) -> usize {
        let [rows, columns] = self.canvas();
        (self.channels * rows * columns + self.kernel[1] + COPIED).div_ceil(2) + PANEL
    }

    /// Words of a block's patches.
    pub(crate) fn block_words(&self) -> usize {
        BLOCK_PIXELS * self.patch() / 2
    }

    fn canvas(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.size[axis] + 2 * self.padding[axis])
    }

    /// From one patch to the next in a block: whole tiles, and what the last copy may write behind.
    fn patch(&self) -> usize {
        (self.depth() + COPIED).next_multiple_of(TILE_CHANNELS)
    }
}

impl TilesOperation for FillPatches<'_> {
    #[inline(always)]
    unsafe fn run<V: Tiles>(self) {
        let Self { patches, planes, canvas, block, words } = self;
        let [rows, columns] = patches.canvas();
        let pixels = patches.output[0] * patches.output[1];
        let (len, depth) = (pixels.next_multiple_of(BLOCK_PIXELS), patches.depth());
        let blocks = depth.div_ceil(TILE_CHANNELS);
        assert!(V::LANES == PANEL && pixels > 0);
        assert!(planes.len() == patches.channels * patches.size[0] * patches.size[1]);
        assert!(canvas.len() >= patches.canvas_words() && block.len() >= patches.block_words());
        assert!(words.len() == blocks * len * TILE_WORDS);
        for axis in 0..2 {
            let last = (patches.output[axis] - 1) * patches.stride[axis] + patches.kernel[axis];
            assert!(last <= patches.canvas()[axis], "every patch lies on the canvas");
        }
        canvas.fill(0.0);
        let (canvas, block) = (canvas.as_mut_ptr().cast::<u16>(), block.as_mut_ptr().cast::<u16>());
        let words = words.as_mut_ptr().cast::<u16>();
        // SAFETY: what is asserted above bounds every access: a copy reads `COPIED` values from within the canvas on, and
        // writes as many from within a patch's depth on. The features by the caller.
        unsafe {
            for (index, row) in planes.chunks_exact(patches.size[1]).enumerate() {
                let (channel, row_index) = (index / patches.size[0], index % patches.size[0]);
                let at = (channel * rows + patches.padding[0] + row_index) * columns;
                narrow_row::<V>(row, canvas.add(at + patches.padding[1]));
            }
            let patch = patches.patch();
            for first in (0..len).step_by(BLOCK_PIXELS) {
                let count = (pixels - first).min(BLOCK_PIXELS);
                for index in 0..count {
                    let to = block.add(index * patch);
                    let [y, x] =
                        [(first + index) / patches.output[1], (first + index) % patches.output[1]];
                    let corner = y * patches.stride[0] * columns + x * patches.stride[1];
                    for line in 0..patches.channels * patches.kernel[0] {
                        let [channel, row] = [line / patches.kernel[0], line % patches.kernel[0]];
                        let from = canvas.add((channel * rows + row) * columns + corner);
                        let to = to.add(line * patches.kernel[1]);
                        for column in (0..patches.kernel[1]).step_by(COPIED) {
                            let values = from.add(column).cast::<[u16; COPIED]>().read_unaligned();
                            to.add(column).cast::<[u16; COPIED]>().write_unaligned(values);
                        }
                    }
                    for behind in depth..blocks * TILE_CHANNELS {
                        *to.add(behind) = 0;
                    }
                }
                for index in 0..BLOCK_PIXELS {
                    for part in 0..blocks {
                        let to = words.add((part * len + first + index) * TILE_CHANNELS);
                        let from = block.add(index * patch + part * TILE_CHANNELS);
                        let values = from.cast::<f32>();
                        let values = if index < count { V::load(values) } else { V::splat(0.0) };
                        values.store(to.cast());
                    }
                }
            }
        }
    }
}

/// A row of values in bf16.
///
/// # Safety
/// `to` is good for as many values; the CPU has `V`.
#[inline(always)]
unsafe fn narrow_row<V: Tiles>(values: &[f32], to: *mut u16) {
    let chunks = values.chunks_exact(2 * PANEL);
    let rest = chunks.remainder();
    // SAFETY: the caller's promise; chunks and `padded` are of two vectors.
    unsafe {
        for (index, chunk) in chunks.enumerate() {
            let narrow = V::narrow(V::load(chunk.as_ptr()), V::load(chunk.as_ptr().add(PANEL)));
            narrow.store(to.add(index * 2 * PANEL).cast());
        }
        let (mut padded, mut words) = ([0.0; 2 * PANEL], [0.0; PANEL]);
        padded[..rest.len()].copy_from_slice(rest);
        V::narrow(V::load(padded.as_ptr()), V::load(padded.as_ptr().add(PANEL)))
            .store(words.as_mut_ptr());
        let done = values.len() - rest.len();
        to.add(done).copy_from_nonoverlapping(words.as_ptr().cast(), rest.len());
    }
}

/// A grid with neighbouring pixels in pairs: `[panels, evened][row / 16][16]` words, of which this image has the part from
/// `first` on.
pub(crate) struct ZipGrid<'a> {
    pub(crate) grid: &'a [f32],
    /// Pixels of the grid.
    pub(crate) len: usize,
    pub(crate) words: &'a mut [f32],
    /// From one panel to the next in `words`.
    pub(crate) row: usize,
    pub(crate) first: usize,
}

impl TilesOperation for ZipGrid<'_> {
    #[inline(always)]
    unsafe fn run<V: Tiles>(self) {
        let Self { grid, len, words, row, first } = self;
        assert!(V::LANES == PANEL && len.is_multiple_of(BLOCK_PIXELS));
        let panels = 2 * (grid.len() / (len * TILE_WORDS));
        assert!(grid.len() * 2 == panels * len * TILE_WORDS && words.len() == panels * row);
        assert!(first + len / 2 * PANEL <= row);
        for (pair, grid) in grid.chunks_exact(len * TILE_WORDS).enumerate() {
            let (lower, upper) = words[2 * pair * row..].split_at_mut(row);
            let words = lower[first..].chunks_exact_mut(PANEL);
            let words = words.zip(upper[first..].chunks_exact_mut(PANEL));
            for (pixels, (lower, upper)) in grid.chunks_exact(2 * TILE_WORDS).zip(words) {
                // SAFETY: chunks of two vectors and of one each; the features by the caller.
                unsafe {
                    let at = pixels.as_ptr();
                    let zipped = V::zip_halves(V::load(at), V::load(at.add(TILE_WORDS)));
                    zipped[0].store(lower.as_mut_ptr());
                    zipped[1].store(upper.as_mut_ptr());
                }
            }
        }
    }
}

/// A grid with its pixels one after another for each channel: `[panels, evened][16][row]` words of two, of which this image
/// has the part from `first` on.
pub(crate) struct TurnGrid<'a> {
    pub(crate) grid: &'a [f32],
    /// Pixels of the grid.
    pub(crate) len: usize,
    pub(crate) words: &'a mut [f32],
    /// From one channel to the next in `words`.
    pub(crate) row: usize,
    pub(crate) first: usize,
}

impl TilesOperation for TurnGrid<'_> {
    #[inline(always)]
    unsafe fn run<V: Tiles>(self) {
        let Self { grid, len, words, row, first } = self;
        assert!(V::LANES == PANEL && len.is_multiple_of(BLOCK_PIXELS));
        let blocks = grid.len() / (len * TILE_WORDS);
        assert!(grid.len() == blocks * len * TILE_WORDS);
        assert!(words.len() == blocks * TILE_CHANNELS * row && first + len / 2 <= row);
        for (grid, words) in
            grid.chunks_exact(len * TILE_WORDS).zip(words.chunks_exact_mut(TILE_CHANNELS * row))
        {
            for (block, grid) in grid.chunks_exact(BLOCK_PIXELS * TILE_WORDS).enumerate() {
                // SAFETY: a block's rows; `words` has sixteen words for each block in each of 32 channels; the
                // features by the caller.
                unsafe {
                    let mut lower = [V::splat(0.0); 16];
                    let mut upper = lower;
                    for pair in 0..16 {
                        let at = grid.as_ptr().add(2 * pair * TILE_WORDS);
                        [lower[pair], upper[pair]] =
                            V::zip_halves(V::load(at), V::load(at.add(TILE_WORDS)));
                    }
                    let to = words.as_mut_ptr().add(first + block * BLOCK_PIXELS / 2);
                    V::transpose(&mut lower);
                    for channel in 0..16 {
                        lower[channel].store(to.add(channel * row));
                    }
                    V::transpose(&mut upper);
                    for channel in 0..16 {
                        upper[channel].store(to.add((channel + 16) * row));
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
    /// `[panels][plane]`, of which each panel's first `rows * columns` pixels are written.
    pub(crate) output: &'a mut [f32],
    /// Values from one panel to the next.
    pub(crate) plane: usize,
    pub(crate) panels: usize,
    /// A gate lies as the output.
    pub(crate) end: End<'a>,
}

/// Rounded up to an even number.
pub(crate) const fn evened(panels: usize) -> usize {
    panels.next_multiple_of(2)
}

impl TilesOperation for TileMultiply<'_> {
    #[inline(always)]
    unsafe fn run<V: Tiles>(self) {
        let Self { grid, offsets, weight, bias, places, output, plane, panels, end } = self;
        places.check();
        assert!(V::LANES == PANEL && places.first == 0 && !offsets.is_empty());
        let written = (panels - 1) * plane + places.rows * places.columns * PANEL;
        assert!(panels > 0 && written <= output.len());
        assert!(weight.len() == panels * offsets.len() * TILE_LEN && bias.len() >= panels * PANEL);
        let reach = offsets.iter().copied().max().unwrap_or(0);
        assert!(reach + places.len * TILE_WORDS * size_of::<f32>() <= size_of_val(grid));
        if let End::Gate(gate) = end {
            assert!(written <= gate.len());
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

/// `sums[panel][depth][lane] += sum over images and places of input(place)[depth] * gradient[panel][place][lane]`, the sums
/// laid out as [`Outer`](super::Outer)'s.
pub(crate) struct TileOuter<'a> {
    pub(crate) images: usize,
    /// Turned by [`TurnGrid`]: `[in_panels, evened][16][input_row]` words.
    pub(crate) input: &'a [f32],
    pub(crate) input_row: usize,
    /// Pixels of an image in a channel of `input`.
    pub(crate) input_len: usize,
    pub(crate) in_panels: usize,
    /// Pixels from a place to what lies under each tap.
    pub(crate) taps: &'a [usize],
    /// Zipped by [`ZipGrid`]: `[out_panels, evened][gradient_row]` words.
    pub(crate) gradient: &'a [f32],
    pub(crate) gradient_row: usize,
    /// Places of an image: whole blocks.
    pub(crate) places: usize,
    pub(crate) out_panels: usize,
    /// `[out_panels][in_panels][taps][16][16 or 32]`.
    pub(crate) sums: &'a mut [f32],
    /// `sums` holds nothing yet: what is there is overwritten.
    pub(crate) overwrite: bool,
}

/// Steps (of 32 pixels) after which the next taps' sums come: both operands of so many stay in the first-level cache.
const STEPS_OF_TAPS: usize = 8;

/// The same where there is one tap: the gradient stays there for all channels.
const STEPS_OF_CHANNELS: usize = 16;

/// What sums start from that start from nothing.
#[repr(align(64))]
struct Zeros([f32; PANEL]);

impl TilesOperation for TileOuter<'_> {
    #[inline(always)]
    unsafe fn run<V: Tiles>(self) {
        let Self { images, taps, places, in_panels, out_panels, .. } = self;
        let reach = taps.iter().copied().max().unwrap_or(0);
        assert!(V::LANES == PANEL && places.is_multiple_of(BLOCK_PIXELS) && images * places > 0);
        assert!(places + reach <= self.input_len && self.input_len.is_multiple_of(2));
        assert!(images * self.input_len <= 2 * self.input_row);
        assert!(self.input.len() == evened(in_panels) * PANEL * self.input_row);
        assert!(images * places / 2 * PANEL <= self.gradient_row);
        assert!(self.gradient.len() == evened(out_panels) * self.gradient_row);
        let depth = in_panels * taps.len() * PANEL;
        assert!(in_panels > 0 && self.sums.len() == out_panels * PANEL * depth);
        let offsets: Vec<usize> = (0..images)
            .flat_map(|image| {
                let steps = (0..places).step_by(BLOCK_PIXELS);
                steps.map(move |place| (image * self.input_len + place) * size_of::<u16>())
            })
            .collect();
        let chunk = if taps.len() > 1 { STEPS_OF_TAPS } else { STEPS_OF_CHANNELS };
        let zeros = Zeros([0.0; PANEL]);
        let sums = self.sums.as_mut_ptr();
        // SAFETY: what is asserted above bounds every access; the features by the caller.
        unsafe {
            V::configure();
            for panel in (0..out_panels).step_by(2) {
                let width = (out_panels - panel).min(2) * PANEL;
                let gradient = self.gradient.as_ptr().add(panel * self.gradient_row);
                let sums = sums.add(panel * PANEL * depth);
                for (index, offsets) in offsets.chunks(chunk).enumerate() {
                    let gradient = gradient.add(index * chunk * TILE_LEN);
                    let start = (self.overwrite && index == 0).then_some(zeros.0.as_ptr());
                    for in_panel in (0..in_panels).step_by(2) {
                        let channels = self.input.as_ptr().add(in_panel * PANEL * self.input_row);
                        for (tap, &distance) in taps.iter().enumerate() {
                            // The second of each pair is read and written only where there are so many.
                            let row = |panel: usize| {
                                let at = (panel * taps.len() + tap) * PANEL * width;
                                let first = sums.wrapping_add(at);
                                [first, first.wrapping_add(PANEL)]
                            };
                            let rows = [row(in_panel), row(in_panel + 1)];
                            let row_bytes = width * size_of::<f32>();
                            let block = TileBlock {
                                start: start.map_or_else(
                                    || rows.map(|row| row.map(<*mut f32>::cast_const)),
                                    |zeros| [[zeros; 2]; 2],
                                ),
                                sums: rows,
                                start_row: if start.is_some() { 0 } else { row_bytes },
                                sums_row: row_bytes,
                                left: channels.byte_add(distance * size_of::<u16>()),
                                left_row: self.input_row * size_of::<f32>(),
                                offsets: offsets.as_ptr(),
                                steps: offsets.len(),
                                right: [gradient, gradient.wrapping_add(self.gradient_row)],
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
            }
            V::release();
        }
    }
}

//! im2col: the conversion of planes into a grid of patches.

use super::BLOCK_PIXELS;
use crate::arch::{TILE_CHANNELS, TILE_WORDS, Tiles, TilesOperation};
use crate::panels::PANEL;

/// Fills a grid with the patch under the kernel at each output pixel: `[ceil(depth / 32)][len][32]`, with a depth of
/// `[channels][kernel height][kernel width]`. For images, whose one or three channels would leave the rows of a tile
/// mostly empty.
pub(crate) struct FillPatches<'a> {
    pub(crate) patches: Patches,
    /// `[channels][rows][columns]`.
    pub(crate) planes: &'a [f32],
    /// Scratch for the padded image in bf16, of [`Patches::canvas_words`].
    pub(crate) canvas: &'a mut [f32],
    /// Scratch for the patches of a block, of [`Patches::block_words`].
    pub(crate) block: &'a mut [f32],
    pub(crate) words: &'a mut [f32],
}

/// The sizes of a convolution over planes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patches {
    pub(crate) channels: usize,
    /// Size of the input, `[height, width]`.
    pub(crate) size: [usize; 2],
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) padding: [usize; 2],
    pub(crate) output: [usize; 2],
}

/// Values copied at a time. The next copy overwrites those beyond the row of the kernel.
const COPIED: usize = 16;

impl Patches {
    /// Returns the number of values in a patch.
    pub(crate) fn depth(&self) -> usize {
        self.channels * self.kernel[0] * self.kernel[1]
    }

    /// Returns the words of the padded image, including those that a copy may read beyond its end.
    pub(crate) fn canvas_words(&self) -> usize {
        let [rows, columns] = self.canvas();
        (self.channels * rows * columns + self.kernel[1] + COPIED).div_ceil(2) + PANEL
    }

    /// Returns the words of the patches of a block.
    pub(crate) fn block_words(&self) -> usize {
        BLOCK_PIXELS * self.patch() / 2
    }

    fn canvas(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.size[axis] + 2 * self.padding[axis])
    }

    /// Returns the stride between patches in a block: whole tiles, with space for what the last copy writes beyond.
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
        let canvas = canvas.as_mut_ptr().cast::<u16>();
        let (block, words) = (block.as_mut_ptr(), words.as_mut_ptr());
        // SAFETY: the assertions bound every access: a copy of `COPIED` values starts within the canvas and within the
        // depth of a patch, and both have space for one more copy. The features by the caller.
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
                    let to = block.add(index * patch / 2).cast::<u16>();
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
                        let from = block.add(index * patch / 2 + part * TILE_WORDS);
                        let values = if index < count { V::load(from) } else { V::splat(0.0) };
                        values.store(words.add((part * len + first + index) * TILE_WORDS));
                    }
                }
            }
        }
    }
}

/// Rounds a row of values to bf16.
///
/// # Safety
/// `to` is valid for as many values, and the CPU has `V`.
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

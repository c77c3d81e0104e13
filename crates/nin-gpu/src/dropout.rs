//! Dropout whose mask is drawn by the kernel that applies it.

use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::Error;
use crate::buffer::{Lines, allocate, argument, check};

/// The random words of Philox4x32-10 at a position.
const WORDS: usize = 4;

/// Dropout of a buffer: a value is multiplied by zero or by `scale`, as its random word says.
///
/// The words are those of Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
/// The block at a position has four of them, and its counter is `[position, position >> 32, upper[0], upper[1]]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// The key of the generator.
    pub key: [u32; 2],
    /// The upper half of the counter.
    pub upper: [u32; 2],
    /// The number of the first value's word, counted from the first word of the block at position 0.
    pub first_word: u64,
    /// Values with a word below this become zero.
    pub threshold: u32,
    /// The factor of the others.
    pub scale: f32,
}

/// Computes the four words of a counter and a key.
#[cube]
fn philox(
    counter_0: u32,
    counter_1: u32,
    counter_2: u32,
    counter_3: u32,
    key_0: u32,
    key_1: u32,
) -> Array<u32> {
    let mut counter = Array::<u32>::new(comptime!(WORDS));
    counter[0] = counter_0;
    counter[1] = counter_1;
    counter[2] = counter_2;
    counter[3] = counter_3;
    let mut first_key = key_0;
    let mut second_key = key_1;
    #[unroll]
    for _ in 0..10 {
        let low_0 = counter[0] * 0xD251_1F53u32;
        let high_0 = counter[0].mul_hi(0xD251_1F53u32);
        let low_1 = counter[2] * 0xCD9E_8D57u32;
        let high_1 = counter[2].mul_hi(0xCD9E_8D57u32);
        counter[0] = high_1 ^ counter[1] ^ first_key;
        counter[1] = low_1;
        counter[2] = high_0 ^ counter[3] ^ second_key;
        counter[3] = low_0;
        first_key += 0x9E37_79B9u32;
        second_key += 0xBB67_AE85u32;
    }
    counter
}

/// Multiplies each value by its factor. A thread draws a block of words; of the first block, `skipped` are not used.
#[cube(launch)]
fn dropout_kernel(
    input: &Array<f32>,
    output: &mut Array<f32>,
    len: usize,
    skipped: usize,
    block_low: u32,
    block_high: u32,
    upper_0: u32,
    upper_1: u32,
    key_0: u32,
    key_1: u32,
    threshold: u32,
    scale: f32,
) {
    if ABSOLUTE_POS < (len + skipped).div_ceil(comptime!(WORDS)) {
        let low = block_low + ABSOLUTE_POS as u32;
        let high = block_high + select(low < block_low, 1u32, 0u32);
        let words = philox(low, high, upper_0, upper_1, key_0, key_1);
        #[unroll]
        for word in 0..comptime!(WORDS) {
            // Before the first value, this wraps around to a number that is too large.
            let place = ABSOLUTE_POS * comptime!(WORDS) + word - skipped;
            if place < len {
                output[place] = input[place] * select(words[word] < threshold, 0.0, scale);
            }
        }
    }
}

impl Dropout {
    /// Returns the values of `input` times their factors.
    ///
    /// # Errors
    /// [`Error::Length`] or [`Error::TooLarge`].
    pub fn apply<R: Runtime>(
        &self,
        client: &ComputeClient<R>,
        len: usize,
        input: &Handle,
    ) -> Result<Handle, Error> {
        let Self { key, upper, first_word, threshold, scale } = *self;
        check("the values", input, len)?;
        let skipped = (first_word % WORDS as u64) as usize;
        let block = first_word / WORDS as u64;
        let lines = Lines::of((len + skipped).div_ceil(WORDS))?;
        let output = allocate(client, "the values", len)?;
        dropout_kernel::launch::<R>(
            client,
            lines.count(),
            Lines::dim(),
            argument(input, len),
            argument(&output, len),
            len,
            skipped,
            block as u32,
            (block >> 32) as u32,
            upper[0],
            upper[1],
            key[0],
            key[1],
            threshold,
            scale,
        );
        Ok(output)
    }
}

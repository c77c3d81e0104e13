//! Decodes the coefficients of one block, sequential or progressive.

use super::bits::Bits;
use super::error::{JpegError, damaged};
use super::huffman::{HuffmanTable, with_sign};

/// Twice the largest coefficient that 8-bit pixels can cause, because encoders round and sharpen.
const LARGEST: i32 = 2 * 1024;
/// The bits of the largest DC difference and of the largest AC coefficient.
const MOST_DC_BITS: u8 = 11;
const MOST_AC_BITS: u32 = 10;

/// The number of trailing coefficients that may not all be equal and negative.
const MOST_ALIKE: usize = 16;

/// The row-major position of each coefficient, by its index in zigzag order.
pub(super) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// The coefficients of a progressive block, in zigzag order.
pub(super) type Coefficients = [i16; 64];

fn erased<T>() -> Result<T, JpegError> {
    damaged("zeros in place of its data")
}

fn bad_code<T>() -> Result<T, JpegError> {
    damaged("a code that its table does not have")
}

fn too_large<T>() -> Result<T, JpegError> {
    damaged("a coefficient beyond the range of pixels")
}

/// Reads a signed value of `size` bits; `size` must be at least 1.
#[inline]
fn signed(bits: &mut Bits<'_>, size: u32) -> i32 {
    with_sign(bits.take(size) as i32, size)
}

#[inline]
fn dc_difference(bits: &mut Bits<'_>, table: &HuffmanTable) -> Result<i32, JpegError> {
    bits.fill();
    let Some((length, size)) = table.find(bits.peek()) else { return bad_code() };
    bits.skip(length);
    match size {
        0 => Ok(0),
        1..=MOST_DC_BITS => Ok(signed(bits, u32::from(size))),
        _ => too_large(),
    }
}

/// Reads the run of zeros before the next coefficient, and the size of the coefficient in bits.
#[inline]
fn ac_symbol(bits: &mut Bits<'_>, table: &HuffmanTable) -> Result<(usize, u32), JpegError> {
    bits.fill();
    let Some((length, symbol)) = table.find(bits.peek()) else { return bad_code() };
    bits.skip(length);
    Ok((usize::from(symbol >> 4), u32::from(symbol & 15)))
}

/// Reads the coefficients of a sequential block, dequantized and in row-major order, into `block`, which must
/// be zero. Returns the number of coefficients up to the last one in zigzag order.
#[inline]
pub(super) fn sequential(
    bits: &mut Bits<'_>,
    dc: &HuffmanTable,
    ac: &HuffmanTable,
    steps: &[u16; 64],
    prediction: &mut i32,
    block: &mut [i32; 64],
) -> Result<usize, JpegError> {
    *prediction += dc_difference(bits, dc)?;
    block[0] = prediction.saturating_mul(i32::from(steps[0]));
    if block[0].abs() > LARGEST + i32::from(steps[0]) {
        return too_large();
    }
    let mut at = 1;
    while at < 64 {
        bits.fill();
        let short = ac.find_short(bits.peek());
        let level = if short.length > 0 {
            bits.skip(u32::from(short.length));
            at += usize::from(short.run);
            i32::from(short.value)
        } else {
            let (run, size) = ac_symbol(bits, ac)?;
            if size == 0 {
                match run {
                    0 => return Ok(at),
                    15 => at += 16,
                    _ => return bad_code(),
                }
                continue;
            }
            if size > MOST_AC_BITS {
                return too_large();
            }
            at += run;
            signed(bits, size)
        };
        if at > 63 {
            return damaged("a run of zeros leaves its block");
        }
        let step = i32::from(steps[at]);
        let value = level * step;
        if value.abs() > LARGEST + step {
            return too_large();
        }
        block[usize::from(ZIGZAG[at] & 63)] = value;
        at += 1;
    }
    if at > 64 {
        return damaged("a run of zeros leaves its block");
    }
    let levels =
        (64 - MOST_ALIKE..64).map(|at| block[usize::from(ZIGZAG[at])] / i32::from(steps[at]));
    if is_erased(levels) { erased() } else { Ok(64) }
}

/// Returns whether these coefficients come from data that was overwritten with zeros. In most tables, zeros
/// repeat one shortest code with a negative value. No real picture has been seen with such a block.
fn is_erased(mut levels: impl Iterator<Item = i32>) -> bool {
    let Some(first) = levels.next().filter(|&level| level < 0) else { return false };
    levels.all(|level| level == first)
}

/// Reads the DC coefficient of a progressive block for the first time.
pub(super) fn first_mean(
    bits: &mut Bits<'_>,
    table: &HuffmanTable,
    low_bit: u32,
    prediction: &mut i32,
    block: &mut Coefficients,
) -> Result<(), JpegError> {
    *prediction += dc_difference(bits, table)?;
    let Ok(value) = i16::try_from(*prediction << low_bit) else { return too_large() };
    block[0] = value;
    Ok(())
}

/// Reads the next bit of the DC coefficient of a progressive block.
pub(super) fn refine_mean(bits: &mut Bits<'_>, low_bit: u32, block: &mut Coefficients) {
    if bits.bit() {
        block[0] |= 1 << low_bit;
    }
}

/// A band of AC coefficients in a progressive scan of one component.
#[derive(Debug, Clone, Copy)]
pub(super) struct Band {
    pub(super) first: usize,
    pub(super) last: usize,
    /// The lowest bit that the scan encodes.
    pub(super) low_bit: u32,
    /// The number of blocks left in the current end-of-band run.
    pub(super) empty_blocks: u32,
}

impl Band {
    /// Reads the length of an end-of-band run, including this block. It has `size` extra bits.
    fn start_empty(&mut self, bits: &mut Bits<'_>, size: u32) {
        self.empty_blocks = 1 << size;
        if size > 0 {
            bits.fill();
            self.empty_blocks += bits.take(size);
        }
    }

    /// Reads the coefficients of a block for the first time.
    pub(super) fn first(
        &mut self,
        bits: &mut Bits<'_>,
        table: &HuffmanTable,
        block: &mut Coefficients,
    ) -> Result<(), JpegError> {
        if self.empty_blocks > 0 {
            self.empty_blocks -= 1;
            return Ok(());
        }
        let mut at = self.first;
        while at <= self.last {
            let (run, size) = ac_symbol(bits, table)?;
            if size == 0 {
                if run == 15 {
                    at += 16;
                    continue;
                }
                self.start_empty(bits, run as u32);
                self.empty_blocks -= 1;
                return Ok(());
            }
            at += run;
            if at > self.last {
                return damaged("a run of zeros leaves its block");
            }
            if size > MOST_AC_BITS {
                return too_large();
            }
            let Ok(value) = i16::try_from(signed(bits, size) << self.low_bit) else {
                return too_large();
            };
            block[at] = value;
            at += 1;
        }
        if at > self.last + 1 {
            return damaged("a run of zeros leaves its block");
        }
        let band = &block[self.first..=self.last];
        match band.split_last_chunk::<MOST_ALIKE>() {
            Some((_, levels)) if is_erased(levels.iter().copied().map(i32::from)) => erased(),
            _ => Ok(()),
        }
    }

    /// Reads the next bit of the coefficients of a block, and new coefficients of that magnitude.
    pub(super) fn refine(
        &mut self,
        bits: &mut Bits<'_>,
        table: &HuffmanTable,
        block: &mut Coefficients,
    ) -> Result<(), JpegError> {
        let unit = 1_i16 << self.low_bit;
        let mut at = self.first;
        while self.empty_blocks == 0 && at <= self.last {
            let (mut run, size) = ac_symbol(bits, table)?;
            let new = match size {
                0 if run < 15 => {
                    self.start_empty(bits, run as u32);
                    break;
                }
                0 => 0,
                1 if bits.bit() => unit,
                1 => -unit,
                _ => return damaged("a refinement of more than one bit"),
            };
            // Skip `run` zeros, refining nonzero coefficients on the way.
            loop {
                if at > self.last {
                    return damaged("a run of zeros leaves its block");
                }
                let value = &mut block[at];
                at += 1;
                if *value != 0 {
                    refine_value(bits, unit, value);
                } else if run == 0 {
                    *value = new;
                    break;
                } else {
                    run -= 1;
                }
            }
        }
        if self.empty_blocks > 0 {
            for value in block.get_mut(at..=self.last).unwrap_or_default() {
                if *value != 0 {
                    refine_value(bits, unit, value);
                }
            }
            self.empty_blocks -= 1;
        }
        Ok(())
    }
}

fn refine_value(bits: &mut Bits<'_>, unit: i16, value: &mut i16) {
    if bits.bit() && *value & unit == 0 {
        *value = value.saturating_add(if *value > 0 { unit } else { -unit });
    }
}

/// Dequantizes a progressive block. Returns the coefficients in row-major order, and their number up to the
/// last one in zigzag order.
pub(super) fn dequantized(
    block: &Coefficients,
    steps: &[u16; 64],
) -> Result<([i32; 64], usize), JpegError> {
    let mut values = [0; 64];
    for (at, (&value, &step)) in block.iter().zip(steps).enumerate() {
        let step = i32::from(step);
        let value = i32::from(value) * step;
        if value.abs() > LARGEST + step {
            return too_large();
        }
        values[usize::from(ZIGZAG[at])] = value;
    }
    let last = block.iter().rposition(|&value| value != 0);
    Ok((values, last.unwrap_or(0) + 1))
}

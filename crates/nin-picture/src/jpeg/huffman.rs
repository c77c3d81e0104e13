//! Huffman tables.

use super::error::{JpegError, damaged};

/// Extends a value of `size` bits, at least 1, to a signed number. A leading 0 means negative.
#[inline]
pub(super) fn with_sign(value: i32, size: u32) -> i32 {
    if value < 1 << (size - 1) { value - (1 << size) + 1 } else { value }
}

/// The width of the lookup table, in bits.
const LOOKUP_BITS: u32 = 10;
/// The length that marks a missing code.
const NONE: u8 = 0;

/// A code and the value after it, if both fit into the bits of one lookup.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Short {
    /// The bits of code and value; 0 if they do not fit.
    pub(super) length: u8,
    /// Zeros before the value.
    pub(super) run: u8,
    pub(super) value: i16,
}

/// A Huffman table: codes and their symbols.
#[derive(Debug, Clone)]
pub(super) struct HuffmanTable {
    /// `[length, symbol]`, indexed by the next bits; length 0 for longer codes.
    lookup: Vec<[u8; 2]>,
    /// Like `lookup`, but includes the value after the code. For symbols that hold a run and a size.
    shorts: Vec<Short>,
    /// For each length, the end of its codes, left-aligned in 16 bits.
    ends: [u32; 17],
    /// For each length, the offset from a code to the index of its symbol.
    offsets: [i32; 17],
    symbols: [u8; 256],
}

impl HuffmanTable {
    /// Builds a table from the number of codes of each length, 1 to 16, and their symbols in order.
    pub(super) fn new(counts: &[u8; 16], values: &[u8]) -> Result<Self, JpegError> {
        let mut symbols = [0; 256];
        symbols[..values.len()].copy_from_slice(values);
        let mut table = Self {
            lookup: vec![[NONE, 0]; 1 << LOOKUP_BITS],
            shorts: vec![Short::default(); 1 << LOOKUP_BITS],
            ends: [0; 17],
            offsets: [0; 17],
            symbols,
        };
        let (mut code, mut place) = (0_u32, 0_usize);
        for length in 1..=16_u32 {
            let count = u32::from(counts[length as usize - 1]);
            table.offsets[length as usize] = place as i32 - code as i32;
            // The code of all ones is reserved.
            if count > 0 && code + count >= 1 << length {
                return damaged("a Huffman table with too many codes");
            }
            for _ in 0..count {
                if length <= LOOKUP_BITS {
                    let spare = LOOKUP_BITS - length;
                    let first = (code << spare) as usize;
                    table.lookup[first..first + (1 << spare)].fill([length as u8, symbols[place]]);
                }
                (code, place) = (code + 1, place + 1);
            }
            table.ends[length as usize] = code << (16 - length);
            code <<= 1;
        }
        for (bits, (short, &[length, symbol])) in
            table.shorts.iter_mut().zip(&table.lookup).enumerate()
        {
            let (run, size) = (symbol >> 4, symbol & 15);
            let total = u32::from(length) + u32::from(size);
            if length != NONE && size > 0 && total <= LOOKUP_BITS {
                let value = (bits >> (LOOKUP_BITS - total)) as i32 & ((1 << size) - 1);
                let value = with_sign(value, u32::from(size)) as i16;
                *short = Short { length: total as u8, run, value };
            }
        }
        Ok(table)
    }

    /// Looks up the code and value at the start of 16 bits, if both are short.
    #[inline]
    pub(super) fn find_short(&self, bits: u32) -> Short {
        self.shorts[(bits >> (16 - LOOKUP_BITS)) as usize & 0x3FF]
    }

    /// Looks up the length and symbol of the code at the start of 16 bits.
    #[inline]
    pub(super) fn find(&self, bits: u32) -> Option<(u32, u8)> {
        let [length, symbol] = self.lookup[(bits >> (16 - LOOKUP_BITS)) as usize & 0x3FF];
        if length != NONE {
            return Some((u32::from(length), symbol));
        }
        self.find_long(bits)
    }

    #[cold]
    fn find_long(&self, bits: u32) -> Option<(u32, u8)> {
        let length = (LOOKUP_BITS + 1..=16).find(|&length| bits < self.ends[length as usize])?;
        let code = (bits >> (16 - length)) as i32;
        let place = usize::try_from(code + self.offsets[length as usize]).ok()?;
        Some((length, *self.symbols.get(place)?))
    }
}

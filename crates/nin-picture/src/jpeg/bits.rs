//! Reads the bits of a scan.

use super::error::{JpegError, damaged};

/// The most bits that a code and its value take together.
const MOST_AT_ONCE: u32 = 32;

/// A reader for the data of a scan, which ends at a marker or with the file. It yields zeros past the end;
/// the caller checks [`Bits::is_overrun`] after each unit.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bits, highest first.
    buffer: u64,
    count: u32,
    /// Bits of the buffer past the end.
    behind: u32,
    is_at_end: bool,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, buffer: 0, count: 0, behind: 0, is_at_end: false }
    }

    /// Ensures that the buffer holds a code and its value.
    #[inline]
    pub(super) fn fill(&mut self) {
        if self.count < MOST_AT_ONCE {
            self.refill();
        }
    }

    #[inline]
    fn refill(&mut self) {
        if !self.is_at_end
            && let Some(&next) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<4>)
        {
            let next = u32::from_be_bytes(next);
            // No byte is 0xFF if no byte of the complement is 0.
            let complement = !next;
            if complement.wrapping_sub(0x0101_0101) & next & 0x8080_8080 == 0 {
                self.buffer |= u64::from(next) << (32 - self.count);
                self.count += 32;
                self.at += 4;
                return;
            }
        }
        self.refill_bytes();
    }

    #[cold]
    fn refill_bytes(&mut self) {
        while self.count <= 56 {
            let byte = match self.bytes.get(self.at..) {
                Some(&[0xFF, 0, ..]) if !self.is_at_end => {
                    self.at += 2;
                    0xFF
                }
                Some(&[byte, ..]) if byte != 0xFF && !self.is_at_end => {
                    self.at += 1;
                    byte
                }
                _ => {
                    self.is_at_end = true;
                    self.behind += 8;
                    0
                }
            };
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    /// Returns the next 16 bits without consuming them.
    #[inline]
    pub(super) fn peek(&self) -> u32 {
        (self.buffer >> 48) as u32
    }

    /// Takes 1 to 16 bits, which must be in the buffer.
    #[inline]
    pub(super) fn take(&mut self, count: u32) -> u32 {
        let bits = (self.buffer >> (64 - count)) as u32;
        self.skip(count);
        bits
    }

    /// Skips bits, which must be in the buffer.
    #[inline]
    pub(super) fn skip(&mut self, count: u32) {
        self.buffer <<= count;
        self.count -= count;
    }

    /// Takes one bit, refilling the buffer if necessary.
    #[inline]
    pub(super) fn bit(&mut self) -> bool {
        self.fill();
        self.take(1) == 1
    }

    /// Returns whether bits past the end were taken.
    #[inline]
    pub(super) fn is_overrun(&self) -> bool {
        self.behind > self.count
    }

    /// Checks that only padding is left before the marker: ones, as the standard requires, or zeros up to the
    /// next byte.
    pub(super) fn finish(&mut self) -> Result<(), JpegError> {
        self.fill();
        if self.is_overrun() {
            return damaged("its data ends too early");
        }
        if !self.is_at_end {
            self.refill_bytes();
        }
        let left = self.count - self.behind;
        let bits = if left == 0 { 0 } else { self.buffer >> (64 - left) };
        let is_padding =
            left == 0 || (left < 16 && bits == (1 << left) - 1) || (left < 8 && bits == 0);
        if self.is_at_end && is_padding {
            return Ok(());
        }
        damaged("more data than its size needs")
    }

    /// Continues after the restart marker that must follow here.
    pub(super) fn restart(&mut self, number: u8) -> Result<(), JpegError> {
        self.finish()?;
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let fill = rest.iter().take_while(|&&byte| byte == 0xFF).count();
        if fill == 0 || rest.get(fill) != Some(&(0xD0 + number)) {
            return damaged("a restart marker is missing or out of order");
        }
        *self = Self { at: self.at + fill + 1, ..Self::new(self.bytes) };
        Ok(())
    }

    /// Returns the number of bytes read, up to the marker.
    pub(super) fn length(&self) -> usize {
        self.at
    }
}

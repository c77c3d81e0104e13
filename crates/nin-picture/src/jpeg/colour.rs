//! Converts components to grey or RGB: libjpeg's conversions (`jdcolor.c`), and PIL's conversion of CMYK.

// Vectorized code must be inlined; `nin_kernels::Vectorize` explains why.
#![allow(clippy::inline_always)]

use nin_kernels::{Vectorize, vectorized};

use super::frame::Frame;
use super::upsample::Rows;
use crate::memory;

/// The meaning of the components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColourSpace {
    Grey,
    YCbCr,
    Rgb,
    /// CMYK, stored inverted as Adobe does.
    Cmyk,
    Ycck,
}

/// Converts the samples of all components to the planes of the picture.
pub(super) fn to_pixels(frame: &Frame, samples: &[Vec<u8>], space: ColourSpace) -> Vec<Vec<u8>> {
    let [height, width] = frame.size;
    let mut sources: Vec<_> = frame
        .components
        .iter()
        .zip(samples)
        .map(|(component, samples)| Rows::new(frame, component, samples))
        .collect();
    if space == ColourSpace::Grey {
        let mut plane = memory::take(height * width);
        for (y, row) in plane.chunks_exact_mut(width).enumerate() {
            row.copy_from_slice(sources[0].row(y));
        }
        return vec![plane];
    }
    let [mut red, mut green, mut blue] = [0; 3].map(|_| memory::take(height * width));
    let rows = red.chunks_exact_mut(width).zip(green.chunks_exact_mut(width));
    for (y, ((red, green), blue)) in rows.zip(blue.chunks_exact_mut(width)).enumerate() {
        let [first, second, third, rest @ ..] = &mut sources[..] else { continue };
        let rows = [first.row(y), second.row(y), third.row(y)];
        let row = [red, green, blue];
        match space {
            ColourSpace::Grey | ColourSpace::Rgb | ColourSpace::Cmyk => {
                for (row, source) in row.into_iter().zip(rows) {
                    row.copy_from_slice(source);
                    darken(row, rest, y);
                }
            }
            ColourSpace::YCbCr => vectorized(FromYcbcr(rows, row)),
            ColourSpace::Ycck => {
                let [red, green, blue] = row;
                vectorized(FromYcbcr(rows, [&mut *red, &mut *green, &mut *blue]));
                for row in [red, green, blue] {
                    for value in &mut *row {
                        *value = 255 - *value;
                    }
                    darken(row, rest, y);
                }
            }
        }
    }
    vec![red, green, blue]
}

/// Applies black to a row of ink, as PIL's `convert("RGB")` does for CMYK; both are stored inverted.
fn darken(row: &mut [u8], black: &mut [Rows<'_>], y: usize) {
    let Some(black) = black.first_mut() else { return };
    for (value, &black) in row.iter_mut().zip(black.row(y)) {
        let ink = u32::from(255 - *value) * u32::from(black) + 128;
        *value = black.saturating_sub((((ink >> 8) + ink) >> 8) as u8);
    }
}

/// Rows of luma and two colour differences to convert, and rows of red, green and blue to write.
struct FromYcbcr<'a>([&'a [u8]; 3], [&'a mut [u8]; 3]);

impl Vectorize for FromYcbcr<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        from_ycbcr(self.0, self.1);
    }
}

#[inline(always)]
fn from_ycbcr([luma, blueness, redness]: [&[u8]; 3], [red, green, blue]: [&mut [u8]; 3]) {
    const HALF: i32 = 1 << 15;
    // Values fit in 16 bits, and 16-bit lanes clamp faster.
    let clamped = |value: i32| (value as i16).clamp(0, 255) as u8;
    let sources = luma.iter().zip(blueness).zip(redness);
    let pixels = red.iter_mut().zip(green).zip(blue);
    for (((&luma, &blueness), &redness), ((red, green), blue)) in sources.zip(pixels) {
        let [luma, blueness, redness] = [luma, blueness, redness].map(i32::from);
        let (blueness, redness) = (blueness - 128, redness - 128);
        *red = clamped(luma + ((91_881 * redness + HALF) >> 16));
        *green = clamped(luma + ((HALF - 22_554 * blueness - 46_802 * redness) >> 16));
        *blue = clamped(luma + ((116_130 * blueness + HALF) >> 16));
    }
}

//! Brightness, contrast, saturation and hue, bit-identical to torchvision on PIL images (PIL's
//! `ImageEnhance`).

use nin_picture::grey_of;

/// A colour change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ColourChange {
    /// Blends with black; 0 is black, 1 changes nothing.
    Brightness(f32),
    /// Blends with the mean grey; 0 is flat grey, 1 changes nothing.
    Contrast(f32),
    /// Blends with the grey image; 0 is grey, 1 changes nothing.
    Saturation(f32),
    /// Shifts the hue by this share of the colour circle, -0.5 to 0.5.
    Hue(f32),
}

impl ColourChange {
    /// Changes an image in place: one or three planes of `pixels` values each.
    pub(crate) fn apply(self, image: &mut [u8], pixels: usize) {
        match self {
            Self::Brightness(factor) => {
                for value in image {
                    *value = blend(0, *value, factor);
                }
            }
            Self::Contrast(factor) => {
                let sum: u64 = match grey(image, pixels) {
                    Some(grey) => grey.map(u64::from).sum(),
                    None => image.iter().copied().map(u64::from).sum(),
                };
                let mean = (sum as f64 / pixels as f64 + 0.5) as u8;
                for value in image {
                    *value = blend(mean, *value, factor);
                }
            }
            Self::Saturation(factor) => {
                let Some(grey) = grey(image, pixels) else { return };
                let grey: Vec<u8> = grey.collect();
                for plane in image.chunks_exact_mut(pixels) {
                    for (value, &grey) in plane.iter_mut().zip(&grey) {
                        *value = blend(grey, *value, factor);
                    }
                }
            }
            Self::Hue(turn) => turn_hue(image, pixels, turn),
        }
    }
}

/// Computes PIL's `Image.blend` for two bytes.
fn blend(from: u8, to: u8, factor: f32) -> u8 {
    if factor == 1.0 {
        return to;
    }
    let value = f32::from(from) + factor * (f32::from(to) - f32::from(from));
    // The cast truncates and saturates, as PIL does.
    value as u8
}

/// Computes PIL's `convert("L")` for three planes; returns `None` for a single plane.
fn grey(image: &[u8], pixels: usize) -> Option<impl Iterator<Item = u8>> {
    if image.len() < 3 * pixels {
        return None;
    }
    let (red, rest) = image.split_at(pixels);
    let (green, blue) = rest.split_at(pixels);
    Some(red.iter().zip(green).zip(blue).map(|((&red, &green), &blue)| grey_of([red, green, blue])))
}

fn turn_hue(image: &mut [u8], pixels: usize, turn: f32) {
    if image.len() < 3 * pixels {
        return;
    }
    // torchvision: `np.int32(hue_factor * 255).astype(np.uint8)`, which wraps.
    let turn = (f64::from(turn) * 255.0) as i32 as u8;
    let (red, rest) = image.split_at_mut(pixels);
    let (green, blue) = rest.split_at_mut(pixels);
    for ((red, green), blue) in red.iter_mut().zip(green).zip(blue) {
        let [hue, saturation, value] = to_hsv([*red, *green, *blue]);
        [*red, *green, *blue] = to_rgb([hue.wrapping_add(turn), saturation, value]);
    }
}

/// Computes PIL's `rgb2hsv_row` (libImaging/Convert.c) with its mix of 32-bit and 64-bit floats.
fn to_hsv([red, green, blue]: [u8; 3]) -> [u8; 3] {
    let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
    if most == least {
        return [0, 0, most];
    }
    let range = f32::from(most - least);
    let saturation = range / f32::from(most);
    let [red_c, green_c, blue_c] = [red, green, blue].map(|value| f32::from(most - value) / range);
    let hue = if red == most {
        blue_c - green_c
    } else if green == most {
        (2.0 + f64::from(red_c) - f64::from(blue_c)) as f32
    } else {
        (4.0 + f64::from(green_c) - f64::from(red_c)) as f32
    };
    let hue = ((f64::from(hue) / 6.0 + 1.0) % 1.0) as f32;
    [(f64::from(hue) * 255.0) as u8, (f64::from(saturation) * 255.0) as u8, most]
}

/// Computes PIL's `hsv2rgb` (libImaging/Convert.c).
fn to_rgb([hue, saturation, value]: [u8; 3]) -> [u8; 3] {
    if saturation == 0 {
        return [value; 3];
    }
    let sixth = f64::from(hue) * 6.0 / 255.0;
    let whole = sixth.floor();
    let rest = (sixth - whole) as f32;
    let saturation = (f64::from(saturation) / 255.0) as f32;
    let [rest, saturation, exact] = [f64::from(rest), f64::from(saturation), f64::from(value)];
    let [low, falling, rising] = [
        exact * (1.0 - saturation),
        exact * (1.0 - saturation * rest),
        exact * (1.0 - saturation * (1.0 - rest)),
    ]
    .map(|value| value.round() as u8);
    match whole as u8 % 6 {
        0 => [value, rising, low],
        1 => [falling, value, low],
        2 => [low, value, rising],
        3 => [low, falling, value],
        4 => [rising, low, value],
        _ => [value, low, falling],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_of_1_and_a_hue_shift_of_grey_change_nothing() {
        let original: Vec<u8> = (0..60).map(|at| (at * 7 % 256) as u8).collect();
        for change in [
            ColourChange::Brightness(1.0),
            ColourChange::Contrast(1.0),
            ColourChange::Saturation(1.0),
        ] {
            for channels in [1, 3] {
                let mut image = original.clone();
                change.apply(&mut image, 60 / channels);
                assert_eq!(image, original, "{change:?}");
            }
        }
        let mut grey = original.clone();
        ColourChange::Hue(0.3).apply(&mut grey, 60);
        assert_eq!(grey, original);
    }

    #[test]
    fn colour_changes_match_values_computed_by_hand() {
        let mut image = [200, 100, 50];
        ColourChange::Brightness(0.5).apply(&mut image, 1);
        assert_eq!(image, [100, 50, 25]);
        ColourChange::Saturation(0.0).apply(&mut image, 1);
        assert_eq!(image, [62; 3]);
        let mut red = [255, 0, 0];
        ColourChange::Hue(1.0 / 3.0).apply(&mut red, 1);
        assert_eq!(red, [0, 255, 0]);
    }
}

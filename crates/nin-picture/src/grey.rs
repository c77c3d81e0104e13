//! Converts colour to grey.

/// Computes the grey of a colour like PIL's `convert("L")`, with the weights of ITU-R 601-2.
pub fn grey_of(colour: [u8; 3]) -> u8 {
    let [red, green, blue] = colour.map(u32::from);
    ((red * 19_595 + green * 38_470 + blue * 7_471 + 0x8000) >> 16) as u8
}

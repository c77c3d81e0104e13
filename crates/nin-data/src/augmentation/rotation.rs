//! Rotation, bit-identical to PIL's `Image.rotate` and so to torchvision's `RandomRotation`: nearest
//! neighbour, unchanged size, black corners.

/// Rotates a plane of `[height, width]` counterclockwise around its centre.
pub(crate) fn rotate(plane: &[u8], [height, width]: [usize; 2], degrees: f64, output: &mut [u8]) {
    let degrees = degrees.rem_euclid(360.0);
    if degrees == 0.0 {
        output.copy_from_slice(plane);
        return;
    }
    // PIL/Image.py, `rotate`: the inverse transform, rounded to 15 digits.
    let angle = -degrees.to_radians();
    let digits = |value: f64| (value * 1e15).round_ties_even() / 1e15;
    let (cosine, sine) = (digits(angle.cos()), digits(angle.sin()));
    let [middle_x, middle_y] = [width as f64 / 2.0, height as f64 / 2.0];
    let [offset_x, offset_y] = [
        cosine * -middle_x + sine * -middle_y + middle_x,
        -sine * -middle_x + cosine * -middle_y + middle_y,
    ];
    // libImaging/Geometry.c, `affine_fixed`: 16.16 fixed point, from pixel centres.
    let fixed = |value: f64| (value * 65536.0 + 0.5).floor() as i64;
    let (step_x, step_y) = ([fixed(cosine), fixed(-sine)], [fixed(sine), fixed(cosine)]);
    let mut row_start =
        [fixed(offset_x + cosine * 0.5 + sine * 0.5), fixed(offset_y - sine * 0.5 + cosine * 0.5)];
    for row in output.chunks_exact_mut(width) {
        let [mut x, mut y] = row_start;
        for pixel in row {
            let inside =
                |at: i64, length: usize| usize::try_from(at >> 16).ok().filter(|&at| at < length);
            *pixel = match (inside(x, width), inside(y, height)) {
                (Some(column), Some(line)) => plane[line * width + column],
                _ => 0,
            };
            x += step_x[0];
            y += step_x[1];
        }
        row_start[0] += step_y[0];
        row_start[1] += step_y[1];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_turn_rotates_and_a_full_turn_changes_nothing() {
        let plane = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        let mut output = [0; 9];
        rotate(&plane, [3, 3], 90.0, &mut output);
        assert_eq!(output, [3, 6, 9, 2, 5, 8, 1, 4, 7]);
        rotate(&plane, [3, 3], -360.0, &mut output);
        assert_eq!(output, plane);
    }
}

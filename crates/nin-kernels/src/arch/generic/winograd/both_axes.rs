//! From a transform of lines to one of squares.

/// A transform along both axes, from a square of `inputs` to one of `outputs`. A macro, because a closure cannot be told
/// to inline always.
macro_rules! both_axes {
    ($square:expr, $inputs:expr => $outputs:expr, $transform:expr) => {{
        let square: Square<V> = $square;
        let zero = V::splat(0.0);
        let mut half = [[zero; LARGEST_TILE]; LARGEST_TILE];
        for x in 0..$inputs {
            let mut column = [zero; LARGEST_TILE];
            for y in 0..$inputs {
                column[y] = square[y][x];
            }
            let column: Line<V> = $transform(&column);
            for y in 0..$outputs {
                half[y][x] = column[y];
            }
        }
        let mut full = [[zero; LARGEST_TILE]; LARGEST_TILE];
        for y in 0..$outputs {
            full[y] = $transform(&half[y]);
        }
        full
    }};
}

pub(super) use both_axes;

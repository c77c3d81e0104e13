//! Transposition of small squares.

// Vectorized code must be inlined; see `Vectorize`.
#![allow(clippy::inline_always)]

/// Transposes a square whose side is a power of two. Inlined, for use in [`Vectorize`](crate::Vectorize).
///
/// Each pass interleaves lines that are half a square apart, which compilers turn into vector instructions. There are
/// log2(`SIDE`) passes.
#[inline(always)]
pub fn transposed<T: Copy, const SIDE: usize>(mut lines: [[T; SIDE]; SIDE]) -> [[T; SIDE]; SIDE] {
    const { assert!(SIDE.is_power_of_two()) };
    for _ in 0..SIDE.ilog2() {
        let before = lines;
        for (at, pair) in lines.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            let both = [before[at], before[at + SIDE / 2]];
            for (half, line) in pair.iter_mut().enumerate() {
                *line = std::array::from_fn(|to| both[to % 2][half * SIDE / 2 + to / 2]);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::transposed;

    #[test]
    fn lines_become_columns() {
        let lines: [[usize; 8]; 8] =
            std::array::from_fn(|line| std::array::from_fn(|column| line * 8 + column));
        let expected =
            std::array::from_fn(|line| std::array::from_fn(|column| lines[column][line]));
        assert_eq!(transposed(lines), expected);
    }
}

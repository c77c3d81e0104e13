//! Counter-based random numbers: a pure function of a seed, a purpose and a position.
//!
//! There is no state to save or to consume in a different order: the number at a position does not
//! depend on the thread that asks for it, or on earlier draws. This is why the order of an epoch, the
//! initial weights, dropout and augmentation are bit-identical on every backend, with any number of
//! data loader workers, and after a resume.
//!
//! The generator is Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy
//! as 1, 2, 3", SC 2011), checked against the known-answer tests of the authors' Random123.
//!
//! ```
//! use nin_random::{Purpose, Stream};
//!
//! let stream = Stream::new(42, Purpose::Order, [3, 0]); // seed 42, epoch 3
//! assert_eq!(stream.block(7), stream.block(7));
//! let order = stream.permutation(5);
//! assert_eq!(order.len(), 5);
//! ```

mod beta;

/// What the numbers of a [`Stream`] are for. Streams with different purposes are independent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// Initial weights.
    Weights,
    /// The order of the images in an epoch.
    Order,
    /// Dropout masks.
    Dropout,
    /// Image augmentation.
    Augmentation,
    /// Sampling a subset of a data set.
    Sampling,
    /// Mixup and CutMix within a batch.
    Mixing,
    /// Corruptions of test images.
    Corruption,
    /// The values that a search for a recipe tries.
    Search,
    /// The seeds of a run that restarts.
    Restart,
}

impl Purpose {
    /// Must never change: published runs depend on these numbers.
    const fn number(self) -> u32 {
        match self {
            Self::Weights => 1,
            Self::Order => 2,
            Self::Dropout => 3,
            Self::Augmentation => 4,
            Self::Sampling => 5,
            Self::Mixing => 6,
            Self::Corruption => 7,
            Self::Search => 8,
            Self::Restart => 16,
        }
    }
}

/// A random stream: one block of four 32-bit words at each 64-bit position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    key: [u32; 2],
    upper: [u32; 2],
}

impl Stream {
    /// Creates the stream of a seed, a purpose and a place such as `[epoch, step]`.
    pub fn new(seed: u64, purpose: Purpose, place: [u64; 2]) -> Self {
        // Seed, place and purpose do not fit into one key and counter. Enciphering them first keeps
        // the streams of neighbouring seeds and places independent.
        let [first, second] = place.map(halves);
        let seed = halves(seed);
        let mixed = philox([first[0], first[1], second[0], second[1]], seed);
        let purpose = purpose.number();
        let counter = [mixed[0], mixed[1], mixed[2], mixed[3] ^ purpose];
        let drawn = philox(counter, [seed[0] ^ purpose, seed[1]]);
        Self { key: [drawn[0], drawn[1]], upper: [drawn[2], drawn[3]] }
    }

    /// Returns the key and the upper half of the counter, for a generator elsewhere that draws the same words.
    pub fn parts(&self) -> ([u32; 2], [u32; 2]) {
        (self.key, self.upper)
    }

    /// Returns the four random words at `position`.
    pub fn block(&self, position: u64) -> [u32; 4] {
        let [low, high] = halves(position);
        philox([low, high, self.upper[0], self.upper[1]], self.key)
    }

    /// Returns a uniform number in `[0, 1)` with 24 random bits. Four positions share a block.
    pub fn uniform(&self, position: u64) -> f32 {
        unit(self.word(position))
    }

    /// Returns a normal number with mean 0 and standard deviation 1 (Box-Muller). Two positions share a
    /// block.
    pub fn normal(&self, position: u64) -> f32 {
        let [a, b, c, d] = self.block(position / 2);
        let (words, is_second) = (
            [u64::from(a) << 32 | u64::from(b), u64::from(c) << 32 | u64::from(d)],
            position % 2 == 1,
        );
        // In (0, 1] for the logarithm, in [0, 1) for the angle.
        let radius = (-2.0 * (((words[0] >> 11) + 1) as f64 * UNIT_53).ln()).sqrt();
        let angle = std::f64::consts::TAU * (words[1] >> 11) as f64 * UNIT_53;
        (radius * if is_second { angle.sin() } else { angle.cos() }) as f32
    }

    /// Returns `0..length` in random order (Fisher-Yates).
    pub fn permutation(&self, length: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..length).collect();
        for last in (1..length).rev() {
            order.swap(last, self.below(last as u64 + 1, last as u64) as usize);
        }
        order
    }

    /// Returns an unbiased integer in `0..bound` (Lemire, arXiv:1805.10941).
    ///
    /// # Panics
    /// Panics if `bound` is 0.
    pub fn below(&self, bound: u64, position: u64) -> u64 {
        assert!(bound > 0, "the bound must be above 0");
        let threshold = bound.wrapping_neg() % bound;
        // Each attempt uses a counter far from every position in use.
        for attempt in 0_u64.. {
            let [a, b, c, d] = self.block(position ^ (attempt << 48));
            for word in [u64::from(a) << 32 | u64::from(b), u64::from(c) << 32 | u64::from(d)] {
                let product = u128::from(word) * u128::from(bound);
                if product as u64 >= threshold {
                    return (product >> 64) as u64;
                }
            }
        }
        0 // unreachable: an attempt fails with probability below 0.5
    }

    /// Returns the random word at `position`. Four positions share a block.
    pub fn word(&self, position: u64) -> u32 {
        self.block(position / 4)[(position % 4) as usize]
    }
}

const UNIT_53: f64 = 1.0 / (1_u64 << 53) as f64;

/// Converts the upper 24 bits of a word to a number in `[0, 1)`.
pub fn unit(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / (1 << 24) as f32)
}

fn halves(word: u64) -> [u32; 2] {
    [word as u32, (word >> 32) as u32]
}

/// Computes Philox4x32-10: four random words from a counter and a key.
#[inline]
pub fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    const MULTIPLIERS: [u64; 2] = [0xD251_1F53, 0xCD9E_8D57];
    const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
    for _ in 0..10 {
        let [low_0, high_0] = halves(MULTIPLIERS[0] * u64::from(counter[0]));
        let [low_1, high_1] = halves(MULTIPLIERS[1] * u64::from(counter[2]));
        counter = [high_1 ^ counter[1] ^ key[0], low_1, high_0 ^ counter[3] ^ key[1], low_0];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `kat_vectors` of Random123 1.14, entry `philox4x32 10`.
    #[test]
    fn philox_gives_the_known_answers() {
        let cases = [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, expected) in cases {
            assert_eq!(philox(counter, key), expected);
        }
    }

    #[test]
    fn streams_differ_by_seed_purpose_and_place() {
        let base = Stream::new(1, Purpose::Order, [1, 0]);
        for other in [
            Stream::new(2, Purpose::Order, [1, 0]),
            Stream::new(1, Purpose::Dropout, [1, 0]),
            Stream::new(1, Purpose::Order, [2, 0]),
            Stream::new(1, Purpose::Order, [1, 1]),
            Stream::new(1, Purpose::Order, [0, 1]),
        ] {
            assert_ne!(base.block(0), other.block(0));
        }
    }

    #[test]
    fn a_permutation_contains_each_number_once() {
        let stream = Stream::new(3, Purpose::Order, [1, 0]);
        for length in [0, 1, 2, 1000] {
            let mut order = stream.permutation(length);
            order.sort_unstable();
            assert_eq!(order, (0..length).collect::<Vec<_>>());
        }
        assert_ne!(stream.permutation(50), (0..50).collect::<Vec<_>>());
    }

    /// Five standard errors of the mean of 10^5 uniform numbers.
    const UNIFORM_MEAN_TOLERANCE: f64 = 5.0 * 0.288_675 / 316.2;

    #[test]
    fn means_and_variance_match_the_distributions() {
        let stream = Stream::new(9, Purpose::Weights, [0, 0]);
        let count = 100_000;
        let mean = (0..count).map(|at| f64::from(stream.uniform(at))).sum::<f64>() / count as f64;
        assert!((mean - 0.5).abs() < UNIFORM_MEAN_TOLERANCE, "{mean}");

        let normal: Vec<f64> = (0..count).map(|at| f64::from(stream.normal(at))).collect();
        let mean = normal.iter().sum::<f64>() / count as f64;
        let variance =
            normal.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count as f64;
        assert!(mean.abs() < 5.0 / 316.2, "{mean}");
        assert!((variance - 1.0).abs() < 5.0 * 2_f64.sqrt() / 316.2, "{variance}");
    }

    #[test]
    fn bounded_numbers_cover_every_value_evenly() {
        let stream = Stream::new(5, Purpose::Sampling, [0, 0]);
        let mut seen = [0; 7];
        for position in 0..7000 {
            seen[stream.below(7, position) as usize] += 1;
        }
        assert!(seen.iter().all(|&count| (800..1200).contains(&count)), "{seen:?}");
    }
}

//! Gamma and Beta distributions.

use super::{Stream, UNIT_53};

/// Where the numbers of another attempt lie: positions of one draw are below it.
const NEXT_ATTEMPT: u64 = 1 << 32;

impl Stream {
    /// A number of the distribution Beta(`first`, `second`), from 0 to 1: the share that one of two Gamma
    /// distributed numbers has of their sum. Positions are below 2^30.
    ///
    /// # Panics
    /// Where a parameter is not above 0.
    pub fn beta(&self, first: f64, second: f64, position: u64) -> f64 {
        let [first, second] = [(first, 2 * position), (second, 2 * position + 1)]
            .map(|(shape, position)| self.ln_gamma(shape, position));
        // In logarithms: with a small parameter both numbers are nearly 0.
        1.0 / (1.0 + (second - first).exp())
    }

    /// The logarithm of a Gamma distributed number of this shape and scale 1 (Marsaglia and Tsang, "A simple
    /// method for generating gamma variables", ACM TOMS 26 (3), 2000; shapes below 1 as in its section 6).
    fn ln_gamma(&self, shape: f64, position: u64) -> f64 {
        assert!(shape > 0.0, "a Gamma distribution's shape is above 0");
        let boosted = if shape < 1.0 { shape + 1.0 } else { shape };
        let d = boosted - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        for attempt in 0_u64.. {
            // Two blocks each: one for the normal number, one for two uniform ones.
            let place = 2 * position + attempt * NEXT_ATTEMPT;
            let x = f64::from(self.normal(2 * place));
            let [accept, boost] = self.above_0(place + 1);
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && accept.ln() < 0.5 * x * x + d * (1.0 - v + v.ln()) {
                let drawn = (d * v).ln();
                return if shape < 1.0 { drawn + boost.ln() / shape } else { drawn };
            }
        }
        0.0 // not reached: an attempt fails with a probability below 0.05
    }

    /// Two numbers in `(0, 1]` of 53 random bits.
    fn above_0(&self, position: u64) -> [f64; 2] {
        let [a, b, c, d] = self.block(position);
        [(a, b), (c, d)].map(|(high, low)| {
            (((u64::from(high) << 32 | u64::from(low)) >> 11) + 1) as f64 * UNIT_53
        })
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use crate::{Purpose, Stream};

    const DRAWS: usize = 20_000;
    /// Kolmogorov's statistic times the root of the draws; 1.95 is exceeded once in a thousand times.
    const KOLMOGOROV: f64 = 1.95;

    fn draws(first: f64, second: f64) -> Vec<f64> {
        let stream = Stream::new(11, Purpose::Mixing, [1, 2]);
        let mut drawn: Vec<_> =
            (0..DRAWS as u64).map(|at| stream.beta(first, second, at)).collect();
        drawn.sort_by(f64::total_cmp);
        drawn
    }

    #[test]
    fn betas_are_distributed_as_their_closed_forms() {
        type Distribution = fn(f64) -> f64;
        let cases: [(f64, f64, Distribution); 5] = [
            (1.0, 1.0, |x| x),
            (0.5, 0.5, |x| 2.0 / PI * x.sqrt().asin()),
            (2.0, 2.0, |x| x * x * (3.0 - 2.0 * x)),
            (0.2, 1.0, |x| x.powf(0.2)),
            (1.0, 4.0, |x| 1.0 - (1.0 - x).powi(4)),
        ];
        for (first, second, distribution) in cases {
            let furthest = draws(first, second)
                .into_iter()
                .enumerate()
                .map(|(at, x)| {
                    let expected = distribution(x) * DRAWS as f64;
                    (expected - at as f64).abs().max((expected - at as f64 - 1.0).abs())
                })
                .fold(0.0, f64::max);
            let statistic = furthest / (DRAWS as f64).sqrt();
            assert!(statistic < KOLMOGOROV, "Beta({first}, {second}): {statistic}");
        }
    }

    #[test]
    fn extreme_parameters_give_numbers() {
        for alpha in [1e-9, 1e-3, 100.0, 1e6] {
            let drawn = draws(alpha, alpha);
            assert!(drawn.iter().all(|x| (0.0..=1.0).contains(x)), "{alpha}");
            let mean = drawn.iter().sum::<f64>() / DRAWS as f64;
            // Five deviations of the mean of numbers whose own deviation is at most a half.
            assert!((mean - 0.5).abs() < 2.5 / (DRAWS as f64).sqrt(), "{alpha}: {mean}");
        }
    }

    #[test]
    fn a_beta_is_a_function_of_its_position() {
        let stream = Stream::new(11, Purpose::Mixing, [1, 2]);
        assert!(stream.beta(0.2, 0.2, 3) == stream.beta(0.2, 0.2, 3));
        assert!(stream.beta(0.2, 0.2, 3) != stream.beta(0.2, 0.2, 4));
    }
}

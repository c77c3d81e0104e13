//! Gamma and Beta distributions.

use super::{Stream, UNIT_53};

/// The distance between the positions of successive attempts, above every position of one attempt.
const NEXT_ATTEMPT: u64 = 1 << 32;

impl Stream {
    /// Draws from Beta(`first`, `second`) as X / (X + Y), where X and Y are Gamma-distributed. The result
    /// lies in `[0, 1]`. `position` must be below 2^30.
    ///
    /// # Panics
    /// Panics if a parameter is not above 0.
    pub fn beta(&self, first: f64, second: f64, position: u64) -> f64 {
        let [first, second] = [(first, 2 * position), (second, 2 * position + 1)]
            .map(|(shape, position)| self.ln_gamma(shape, position));
        // In log space, because both numbers underflow for small parameters.
        1.0 / (1.0 + (second - first).exp())
    }

    /// Draws the logarithm of a Gamma variable with this shape and scale 1 (Marsaglia and Tsang, "A simple
    /// method for generating gamma variables", ACM TOMS 26 (3), 2000; section 6 for shapes below 1).
    fn ln_gamma(&self, shape: f64, position: u64) -> f64 {
        assert!(shape > 0.0, "the shape of a Gamma distribution must be above 0");
        let boosted = if shape < 1.0 { shape + 1.0 } else { shape };
        let d = boosted - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        for attempt in 0_u64.. {
            // An attempt takes two blocks: one for the normal draw, one for two uniform draws.
            let place = 2 * position + attempt * NEXT_ATTEMPT;
            let x = f64::from(self.normal(2 * place));
            let [accept, boost] = self.above_0(place + 1);
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && accept.ln() < 0.5 * x * x + d * (1.0 - v + v.ln()) {
                let drawn = (d * v).ln();
                return if shape < 1.0 { drawn + boost.ln() / shape } else { drawn };
            }
        }
        0.0 // unreachable: an attempt fails with probability below 0.05
    }

    /// Returns two uniform numbers in `(0, 1]` with 53 random bits each.
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
    /// The Kolmogorov-Smirnov statistic times the square root of the number of draws exceeds 1.95 once in
    /// a thousand samples.
    const KOLMOGOROV: f64 = 1.95;

    fn draws(first: f64, second: f64) -> Vec<f64> {
        let stream = Stream::new(11, Purpose::Mixing, [1, 2]);
        let mut drawn: Vec<_> =
            (0..DRAWS as u64).map(|at| stream.beta(first, second, at)).collect();
        drawn.sort_by(f64::total_cmp);
        drawn
    }

    #[test]
    fn beta_draws_match_the_closed_form_distributions() {
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
    fn extreme_parameters_give_finite_draws() {
        for alpha in [1e-9, 1e-3, 100.0, 1e6] {
            let drawn = draws(alpha, alpha);
            assert!(drawn.iter().all(|x| (0.0..=1.0).contains(x)), "{alpha}");
            let mean = drawn.iter().sum::<f64>() / DRAWS as f64;
            // Five standard errors; the standard deviation of a Beta variable is at most 0.5.
            assert!((mean - 0.5).abs() < 2.5 / (DRAWS as f64).sqrt(), "{alpha}: {mean}");
        }
    }

    #[test]
    fn a_beta_draw_depends_only_on_its_position() {
        let stream = Stream::new(11, Purpose::Mixing, [1, 2]);
        assert!(stream.beta(0.2, 0.2, 3) == stream.beta(0.2, 0.2, 3));
        assert!(stream.beta(0.2, 0.2, 3) != stream.beta(0.2, 0.2, 4));
    }
}

//! Dropout whose masks are a pure function of seed, epoch, step and position in the batch.

use std::ops::Range;

use burn::tensor::backend::Backend;
use nin_random::{Purpose, Stream};

use crate::activations::Activations;

/// Identifies the dropout masks of one training step.
///
/// Masks are functions of a counter, drawn on the host or by a GPU, so that every backend drops the same values. They depend on nothing else, so that a resumed
/// run drops the same values as an uninterrupted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DropoutKey {
    /// The run's seed.
    pub seed: u64,
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The step within the epoch, counted from 0.
    pub step: usize,
    /// The position of the first image in its batch, counted from 0. Not 0 for a later part of a batch.
    pub first_image: usize,
}

/// Sets each value to zero with this probability, and divides the others by one minus it (inverted dropout, as in
/// `torch.nn.Dropout`).
pub(crate) fn dropout<B: Backend>(
    input: Activations<B>,
    probability: f64,
    block: usize,
    key: &DropoutKey,
) -> Activations<B> {
    let [images, ..] = input.dims();
    let count: usize = input.dims().iter().product();
    let skipped = count / images.max(1) * key.first_image;
    let draw = Draw::new(probability, block, key);
    #[cfg(feature = "wgpu")]
    let input = match draw.on_gpu(input, skipped) {
        Ok(dropped) => return dropped,
        Err(input) => input,
    };
    input.scaled_by(draw.mask(skipped..skipped + count))
}

/// The masks of a block in a step.
struct Draw {
    stream: Stream,
    /// Values whose random word is below this are dropped: the probability, exact to 2^-32.
    threshold: u32,
    /// The factor of the others.
    scale: f32,
}

impl Draw {
    fn new(probability: f64, block: usize, key: &DropoutKey) -> Self {
        let place = [key.epoch as u64, (key.step as u64) << 8 | block as u64];
        Self {
            stream: Stream::new(key.seed, Purpose::Dropout, place),
            threshold: (probability * 2_f64.powi(32)) as u32,
            scale: (1.0 / (1.0 - probability)) as f32,
        }
    }

    /// Drops values by nin-gpu on wgpu, which draws the same masks; otherwise returns the input.
    #[cfg(feature = "wgpu")]
    fn on_gpu<B: Backend>(
        &self,
        input: Activations<B>,
        first_value: usize,
    ) -> Result<Activations<B>, Activations<B>> {
        use crate::operation::{primitive, tensor};

        let Activations::Planes(planes) = input else { return Err(input) };
        let Self { ref stream, threshold, scale } = *self;
        let (key, upper) = stream.parts();
        let first_word = first_value as u64;
        let dropout = nin_gpu::Dropout { key, upper, first_word, threshold, scale };
        match crate::gpu::dropout::<B>(dropout, primitive(planes)) {
            Ok(dropped) => Ok(Activations::Planes(tensor(dropped))),
            Err(input) => Err(Activations::Planes(tensor(input))),
        }
    }

    /// Returns the factor of each of these values of the batch, image after image.
    fn mask(&self, values: Range<usize>) -> Vec<f32> {
        const WORDS: usize = 4;
        let blocks = values.start / WORDS..values.end.div_ceil(WORDS);
        let mut mask = Vec::with_capacity(blocks.len() * WORDS);
        for position in blocks {
            let words = self.stream.block(position as u64);
            mask.extend(words.map(|word| if word < self.threshold { 0.0 } else { self.scale }));
        }
        mask.drain(..values.start % WORDS);
        mask.truncate(values.len());
        mask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: DropoutKey = DropoutKey { seed: 1, epoch: 1, step: 0, first_image: 0 };

    fn mask(values: Range<usize>, probability: f64, block: usize, key: &DropoutKey) -> Vec<f32> {
        Draw::new(probability, block, key).mask(values)
    }

    #[test]
    fn the_share_dropped_is_the_probability_and_the_mean_stays() {
        let count = 100_000;
        let mask = mask(0..count, 0.25, 0, &KEY);
        let dropped = mask.iter().filter(|&&factor| factor == 0.0).count() as f64 / count as f64;
        let mean = mask.iter().map(|&factor| f64::from(factor)).sum::<f64>() / count as f64;
        // Five deviations of a binomial share.
        let tolerance = 5.0 * (0.25 * 0.75 / count as f64).sqrt();
        assert!((dropped - 0.25).abs() < tolerance, "{dropped}");
        assert!((mean - 1.0).abs() < tolerance / 0.75, "{mean}");
    }

    #[test]
    fn an_image_keeps_its_mask_in_a_part_of_the_batch() {
        let whole = mask(0..90, 0.5, 2, &KEY);
        for part in [0..30, 30..60, 29..71, 62..90, 90..90] {
            assert_eq!(mask(part.clone(), 0.5, 2, &KEY), whole[part]);
        }
    }

    #[test]
    fn masks_differ_by_step_epoch_seed_and_block() {
        let base = mask(0..64, 0.5, 0, &KEY);
        assert_eq!(base, mask(0..64, 0.5, 0, &KEY));
        for (block, key) in [
            (1, KEY),
            (0, DropoutKey { step: 1, ..KEY }),
            (0, DropoutKey { epoch: 2, ..KEY }),
            (0, DropoutKey { seed: 2, ..KEY }),
        ] {
            assert_ne!(base, mask(0..64, 0.5, block, &key));
        }
    }
}

//! Mixup and CutMix: each image of a batch is mixed with another one.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};
use nin_random::{Purpose, Stream};

use crate::targets::targets;

/// Mixup and CutMix for training batches, as in torchvision's `v2.MixUp` and `v2.CutMix`.
///
/// Each image is mixed with the previous one in the batch (the first with the last). One ratio, drawn from
/// Beta(alpha, alpha), applies to the whole batch. Draws depend only on seed, epoch and step.
///
/// If both are enabled, each batch gets one of them with equal probability (`v2.RandomChoice`; timm's
/// switch probability of 0.5).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Mixing {
    /// The alpha of mixup (Zhang, Cisse, Dauphin and Lopez-Paz, arXiv:1710.09412), which takes the weighted
    /// mean of both images. 0 disables it.
    pub mixup: f64,
    /// The alpha of `CutMix` (Yun, Han, Oh, Chun, Choe and Yoo, arXiv:1905.04899), which pastes a box from
    /// the other image. 0 disables it.
    pub cutmix: f64,
}

/// The second label of each image in a mixed batch: the class with the smaller share.
#[derive(Debug, Clone, PartialEq)]
pub struct MixedTargets {
    /// The second class of each image.
    pub labels: Vec<usize>,
    /// Its share of the target, in `[0, 0.5]`; the first label has the rest.
    pub share: f64,
}

impl MixedTargets {
    /// Moves the classes to a device, `[batch]`.
    pub fn targets<B: Backend>(&self, device: &B::Device) -> Tensor<B, 1, Int> {
        targets(&self.labels, device)
    }
}

/// Positions of the draws in the random stream of a batch.
const WHICH: u64 = 0;
const CENTRE: u64 = 8;
const RATIO: u64 = 1 << 16;

/// A rectangle of pixels: a range of rows and a range of columns.
type Rectangle = [std::ops::Range<usize>; 2];

impl Mixing {
    /// Returns whether images stay as they are.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Mixes the images of a batch in place. `values` is `[batch, channels, height, width]`, `size` is
    /// `[height, width]`, and `place` is the epoch and step of the batch. Sets `labels` to the classes with
    /// the larger share and returns the others.
    pub(crate) fn apply(
        &self,
        values: &mut [f32],
        size: [usize; 2],
        labels: &mut Vec<usize>,
        seed: u64,
        place: [usize; 2],
    ) -> Option<MixedTargets> {
        if self.is_none() || labels.is_empty() {
            return None;
        }
        let stream = Stream::new(seed, Purpose::Mixing, place.map(|part| part as u64));
        let cuts = self.cutmix > 0.0 && (self.mixup == 0.0 || stream.word(WHICH) & 1 == 1);
        let alpha = if cuts { self.cutmix } else { self.mixup };
        let mut ratio = stream.beta(alpha, alpha, RATIO);
        if cuts {
            let cut = cut_out(ratio, size, centre(&stream, size));
            let area = cut[0].len() * cut[1].len();
            ratio = 1.0 - area as f64 / (size[0] * size[1]) as f64;
            each_with_the_one_before(values, labels.len(), |image, before| {
                paste(image, before, size, &cut);
            });
        } else {
            let weight = ratio as f32;
            each_with_the_one_before(values, labels.len(), |image, before| {
                for (value, before) in image.iter_mut().zip(before) {
                    *value = weight * *value + (1.0 - weight) * before;
                }
            });
        }
        let mut second = labels.clone();
        second.rotate_right(1);
        if ratio < 0.5 {
            std::mem::swap(labels, &mut second);
        }
        Some(MixedTargets { labels: second, share: ratio.min(1.0 - ratio) })
    }
}

/// Draws the centre of a box, uniformly over all pixels.
fn centre(stream: &Stream, size: [usize; 2]) -> [usize; 2] {
    // Each axis uses its own position, because `below` consumes a whole block.
    [0, 1].map(|axis| stream.below(size[axis] as u64, CENTRE + axis as u64) as usize)
}

/// Returns the box around a centre that covers `1 - ratio` of the image, before rounding and clipping.
fn cut_out(ratio: f64, size: [usize; 2], centre: [usize; 2]) -> Rectangle {
    let half = 0.5 * (1.0 - ratio).sqrt();
    [0, 1].map(|axis| {
        let reach = (half * size[axis] as f64) as usize;
        centre[axis].saturating_sub(reach)..(centre[axis] + reach).min(size[axis])
    })
}

/// Copies a box from another image, in every plane.
fn paste(image: &mut [f32], other: &[f32], [height, width]: [usize; 2], cut: &Rectangle) {
    let [rows, columns] = cut;
    for start in (0..image.len()).step_by(height * width) {
        for row in rows.clone() {
            let at = start + row * width;
            let at = at + columns.start..at + columns.end;
            image[at.clone()].copy_from_slice(&other[at]);
        }
    }
}

/// Calls `mix` on each image with the unmixed previous one; the first image is paired with the last.
fn each_with_the_one_before(
    values: &mut [f32],
    images: usize,
    mut mix: impl FnMut(&mut [f32], &[f32]),
) {
    let length = values.len() / images;
    let last = values[values.len() - length..].to_vec();
    // Backwards, so that the previous image is still unmixed.
    for at in (1..images).rev() {
        let (before, from_here) = values.split_at_mut(at * length);
        mix(&mut from_here[..length], &before[(at - 1) * length..]);
    }
    mix(&mut values[..length], &last);
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: [usize; 2] = [6, 5];
    const CHANNELS: usize = 2;
    const IMAGES: usize = 4;
    const LENGTH: usize = CHANNELS * 30;

    fn values() -> Vec<f32> {
        (0..IMAGES * LENGTH).map(|at| at as f32 / 100.0).collect()
    }

    fn mixed(mixing: Mixing, step: usize) -> (Vec<f32>, Vec<usize>, MixedTargets) {
        let (mut values, mut labels) = (values(), vec![3, 1, 4, 0]);
        let second = mixing.apply(&mut values, SIZE, &mut labels, 7, [2, step]).unwrap();
        (values, labels, second)
    }

    /// Infers the share of the image itself from the order of the labels. Assumes it is not 0.5.
    fn own_share(labels: &[usize], second: &MixedTargets) -> f64 {
        let own = [3, 1, 4, 0];
        let before = [0, 3, 1, 4];
        if labels == own {
            assert_eq!(second.labels, before);
            1.0 - second.share
        } else {
            assert_eq!((labels, &second.labels[..]), (&before[..], &own[..]));
            second.share
        }
    }

    #[test]
    fn the_default_mixes_nothing() {
        let (mut changed, mut labels) = (values(), vec![3, 1, 4, 0]);
        let mixing = Mixing::default();
        assert_eq!(mixing.apply(&mut changed, SIZE, &mut labels, 7, [2, 0]), None);
        assert_eq!((changed, labels), (values(), vec![3, 1, 4, 0]));
    }

    /// torchvision's `MixUp` computes `x.roll(1, 0).mul(1 - lam).add(x.mul(lam))`.
    #[test]
    fn mixup_is_the_weighted_mean_with_the_batch_rolled_by_one() {
        let mut swapped = 0;
        for step in 0..200 {
            let (found, labels, second) = mixed(Mixing { mixup: 0.4, cutmix: 0.0 }, step);
            let ratio = own_share(&labels, &second) as f32;
            let mut rolled = values();
            rolled.rotate_right(LENGTH);
            for (at, (own, before)) in values().iter().zip(&rolled).enumerate() {
                let expected = ratio * own + (1.0 - ratio) * before;
                assert!((found[at] - expected).abs() < 1e-6, "{step}, {at}");
            }
            assert!((0.0..=0.5).contains(&second.share));
            swapped += usize::from(ratio < 0.5);
        }
        assert!((60..140).contains(&swapped), "{swapped} of 200");
    }

    /// torchvision's `CutMix` pastes a box of the rolled batch and derives the ratio from its area.
    #[test]
    fn cutmix_pastes_one_box_and_the_labels_follow_its_area() {
        let mut areas = std::collections::BTreeSet::new();
        for step in 0..200 {
            let (found, labels, second) = mixed(Mixing { mixup: 0.0, cutmix: 1.0 }, step);
            let mut rolled = values();
            rolled.rotate_right(LENGTH);
            let is_cut: Vec<bool> = found.iter().zip(values()).map(|(a, b)| *a != b).collect();
            for (at, &cut) in is_cut.iter().enumerate() {
                assert_eq!(found[at], if cut { rolled[at] } else { values()[at] });
                // The box is the same in all planes of all images.
                assert_eq!(cut, is_cut[at % 30]);
            }
            let cut: Vec<usize> = (0..30).filter(|&at| is_cut[at]).collect();
            let rows: std::collections::BTreeSet<_> = cut.iter().map(|at| at / 5).collect();
            let columns: std::collections::BTreeSet<_> = cut.iter().map(|at| at % 5).collect();
            assert_eq!(cut.len(), rows.len() * columns.len(), "not a rectangle: {cut:?}");
            let expected = 1.0 - cut.len() as f64 / 30.0;
            assert!((own_share(&labels, &second) - expected).abs() < 1e-12);
            areas.insert(cut.len());
        }
        assert!(areas.len() > 5, "{areas:?}");
    }

    /// torchvision computes `r_w_half = int(0.5 * sqrt(1 - lam) * W)` and clamps to the image.
    #[test]
    fn boxes_match_torchvision() {
        for (ratio, centre, expected) in [
            (0.0, [14, 14], [0..28, 0..28]),
            (0.75, [14, 14], [7..21, 7..21]),
            (0.75, [2, 27], [0..9, 20..28]),
            (0.9, [5, 0], [1..9, 0..4]),
            (1.0, [5, 5], [5..5, 5..5]),
        ] {
            assert_eq!(cut_out(ratio, [28, 28], centre), expected, "{ratio}");
        }
    }

    #[test]
    fn with_both_enabled_each_batch_gets_one() {
        let both = Mixing { mixup: 0.4, cutmix: 1.0 };
        let mixups = (0..200).filter(|&step| {
            let only = |mixing| mixed(mixing, step) == mixed(both, step);
            let is_mixup = only(Mixing { cutmix: 0.0, ..both });
            assert!(is_mixup || only(Mixing { mixup: 0.0, ..both }));
            is_mixup
        });
        assert!((70..130).contains(&mixups.count()));
    }

    #[test]
    fn a_single_image_is_mixed_with_itself() {
        let mut alone = values()[..LENGTH].to_vec();
        let mut labels = vec![5];
        let mixing = Mixing { mixup: 1.0, cutmix: 0.0 };
        let second = mixing.apply(&mut alone, SIZE, &mut labels, 7, [1, 1]).unwrap();
        assert_eq!((labels, second.labels), (vec![5], vec![5]));
        assert!(alone.iter().zip(values()).all(|(a, b)| (a - b).abs() < 1e-6));
    }
}

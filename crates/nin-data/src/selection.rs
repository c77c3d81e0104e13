//! Selects a subset of a data set.

use serde::{Deserialize, Serialize};

use crate::ImageDataset;

/// How a subset of a data set is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Selection {
    /// The first images, regardless of class.
    #[default]
    First,
    /// The first images of each class, in proportion to its size.
    Stratified,
}

impl Selection {
    /// Returns at most `count` images.
    pub(crate) fn first(self, images: &ImageDataset, count: usize) -> ImageDataset {
        match self {
            Self::First => images.part(0..count),
            Self::Stratified => images.select(&stratified(images.labels(), count)),
        }
    }

    /// Holds out `count` images. Returns the others and the held-out ones.
    pub(crate) fn hold_out(
        self,
        images: &ImageDataset,
        count: usize,
    ) -> (ImageDataset, ImageDataset) {
        let kept = images.len().saturating_sub(count);
        match self {
            Self::First => (images.part(0..kept), images.part(kept..images.len())),
            Self::Stratified => {
                let chosen = stratified(images.labels(), kept);
                let mut is_kept = vec![false; images.len()];
                for &index in &chosen {
                    is_kept[index] = true;
                }
                let others: Vec<usize> = (0..images.len()).filter(|&at| !is_kept[at]).collect();
                (images.select(&chosen), images.select(&others))
            }
        }
    }
}

/// Returns the positions of `count` labels in ascending order: the first ones of each class, in proportion
/// to its size, rounded by the largest remainder method.
fn stratified(labels: &[u16], count: usize) -> Vec<usize> {
    let classes = labels.iter().max().map_or(0, |&label| usize::from(label) + 1);
    let mut of_class = vec![Vec::new(); classes];
    for (at, &label) in labels.iter().enumerate() {
        of_class[usize::from(label)].push(at);
    }
    let (count, all) = (count.min(labels.len()) as u64, labels.len().max(1) as u64);
    let exact = |positions: &Vec<usize>| positions.len() as u64 * count;
    let mut takes: Vec<u64> = of_class.iter().map(|positions| exact(positions) / all).collect();
    let missing = count - takes.iter().sum::<u64>();
    let mut by_remainder: Vec<usize> = (0..classes).collect();
    by_remainder.sort_by_key(|&class| std::cmp::Reverse(exact(&of_class[class]) % all));
    for &class in by_remainder.iter().take(missing as usize) {
        takes[class] += 1;
    }
    let mut chosen: Vec<usize> = of_class
        .iter()
        .zip(takes)
        .flat_map(|(positions, take)| positions.iter().take(take as usize).copied())
        .collect();
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Images;

    fn sorted_labels() -> Vec<u16> {
        [vec![0; 100], vec![1; 150], vec![2; 50]].concat()
    }

    #[test]
    fn each_class_gets_its_share_and_shares_add_up() {
        for count in 0..=301 {
            let chosen = stratified(&sorted_labels(), count);
            assert_eq!(chosen.len(), count.min(300));
            for (class, size) in [(0_u16, 100.0), (1, 150.0), (2, 50.0)] {
                let found = chosen.iter().filter(|&&at| sorted_labels()[at] == class).count();
                let share = size * count.min(300) as f64 / 300.0;
                assert!((found as f64 - share).abs() < 1.0, "{count}: {class} {found}");
            }
        }
        assert_eq!(stratified(&[], 5), Vec::<usize>::new());
    }

    #[test]
    fn stratified_selection_keeps_every_class_of_sorted_labels() {
        let images = Images { count: 300, channels: 1, height: 1, width: 1, pixels: vec![0; 300] };
        let images = ImageDataset::new(images, sorted_labels()).unwrap();
        let (rest, held) = Selection::Stratified.hold_out(&images, 90);
        assert_eq!((rest.len(), held.len()), (210, 90));
        for part in [&rest, &held, &Selection::Stratified.first(&images, 30)] {
            for class in 0..3 {
                assert!(part.labels().contains(&class));
            }
        }
        let (rest, held) = Selection::First.hold_out(&images, 50);
        assert!(!rest.labels().contains(&2) && held.labels() == [2; 50]);
    }
}

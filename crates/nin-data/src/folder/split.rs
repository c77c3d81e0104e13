//! Splits pictures into training, validation and test parts by their content.
//!
//! The content of a picture and a seed hash to a number in `[0, 1)`. The lowest numbers go to the test part,
//! the next to validation, the rest to training. Names, order and platform therefore do not matter, copies of
//! a picture stay together, and most pictures keep their part when others are added. Within a class, the parts
//! match their shares to about half a standard deviation; exact shares would move more pictures whenever some
//! are added.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::part::Part;

/// A part may always deviate from its share of a class by this number of pictures.
const LEAST_SLACK: f64 = 1.5;

/// The content of a picture, as the SHA-256 of its file.
pub(crate) type Content = [u8; 32];

/// The shares of pictures that are held out from training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shares {
    /// The share for validation, 0 to 1.
    pub validation: f64,
    /// The share for testing, 0 to 1.
    pub test: f64,
    /// The seed of the split.
    pub seed: u64,
}

impl Default for Shares {
    fn default() -> Self {
        Self { validation: 0.1, test: 0.1, seed: 0 }
    }
}

/// Returns the part of each picture, given its content and class.
pub(crate) fn split(pictures: &[(Content, u16)], shares: Shares) -> Vec<Part> {
    let mut parts: BTreeMap<Content, Part> = BTreeMap::new();
    let mut of_class: BTreeMap<u16, Vec<(f64, Content)>> = BTreeMap::new();
    for (content, class) in pictures {
        of_class.entry(*class).or_default().push((place(content, shares.seed), *content));
    }
    for contents in of_class.values_mut() {
        // Copies within a class count once; copies in an earlier class already have a part.
        contents.sort_unstable_by(|one, other| {
            one.0.total_cmp(&other.0).then_with(|| one.1.cmp(&other.1))
        });
        contents.dedup();
        contents.retain(|(_, content)| !parts.contains_key(content));
        let places: Vec<f64> = contents.iter().map(|(place, _)| *place).collect();
        let [test, validation] = counts(&places, shares);
        for (at, (_, content)) in contents.iter().enumerate() {
            let part = match at {
                at if at < test => Part::Test,
                at if at < test + validation => Part::Validation,
                _ => Part::Train,
            };
            parts.insert(*content, part);
        }
    }
    pictures.iter().map(|(content, _)| parts.get(content).copied().unwrap_or(Part::Train)).collect()
}

/// Returns how many pictures of a class go to the test and validation parts, given their numbers in
/// ascending order.
fn counts(places: &[f64], Shares { validation, test, .. }: Shares) -> [usize; 2] {
    let count = places.len();
    let below = |limit: f64| places.partition_point(|&place| place < limit);
    let (tested, held) = (below(test), below(test + validation));
    // The first picture is for training; the next two are for the other parts.
    let room = count.saturating_sub(1);
    let for_test = near(tested, test * count as f64).min(room);
    let room = room - for_test;
    let for_validation = near(held.saturating_sub(for_test), validation * count as f64).min(room);
    // With three or more pictures, each part gets at least one.
    if count >= 3 && validation > 0.0 && test > 0.0 && for_validation == 0 {
        return [for_test - 1, 1];
    }
    [for_test, for_validation]
}

/// Clamps a count to within the slack around its share, and to at least 1 if the share is above 0.
fn near(count: usize, share: f64) -> usize {
    if share <= 0.0 {
        return 0;
    }
    let slack = (share.sqrt() / 2.0).max(LEAST_SLACK);
    let lowest = ((share - slack).floor().max(1.0)) as usize;
    let highest = ((share + slack).ceil().max(1.0)) as usize;
    count.clamp(lowest, highest)
}

/// Maps content and seed to a number in `[0, 1)`.
fn place(content: &Content, seed: u64) -> f64 {
    let sum = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(content).finalize();
    let word = sum.iter().take(8).fold(0_u64, |word, &byte| word << 8 | u64::from(byte));
    (word >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Over ten seeds, the expected share of pictures that change parts is below 1 %.
    const MOST_MOVED: f64 = 0.02;

    fn content(number: usize) -> Content {
        Sha256::digest(number.to_le_bytes()).into()
    }

    fn pictures(of_each: usize, classes: u16) -> Vec<(Content, u16)> {
        let all = (0..of_each).flat_map(|at| (0..classes).map(move |class| (at, class)));
        all.map(|(at, class)| (content(at * 1000 + usize::from(class)), class)).collect()
    }

    fn count(parts: &[Part], part: Part) -> usize {
        parts.iter().filter(|&&found| found == part).count()
    }

    #[test]
    fn each_class_is_split_by_its_shares() {
        for (of_each, lowest, highest) in [(3, 1, 1), (10, 1, 3), (100, 8, 12), (1000, 95, 106)] {
            let pictures = pictures(of_each, 20);
            let parts = split(&pictures, Shares::default());
            for class in 0..20 {
                let of_class: Vec<Part> = parts
                    .iter()
                    .zip(&pictures)
                    .filter(|(_, picture)| picture.1 == class)
                    .map(|(part, _)| *part)
                    .collect();
                for part in [Part::Validation, Part::Test] {
                    let found = count(&of_class, part);
                    assert!((lowest..=highest).contains(&found), "{of_each}: {part:?} {found}");
                }
                assert!(count(&of_class, Part::Train) >= 1);
            }
        }
    }

    #[test]
    fn order_does_not_matter_and_the_seed_does() {
        let pictures = pictures(50, 4);
        let parts = split(&pictures, Shares::default());
        let mut reversed = pictures.clone();
        reversed.reverse();
        let mut back = split(&reversed, Shares::default());
        back.reverse();
        assert_eq!(back, parts);
        assert_ne!(split(&pictures, Shares { seed: 1, ..Shares::default() }), parts);
    }

    #[test]
    fn copies_share_a_part_even_across_classes() {
        let mut pictures = pictures(40, 3);
        let copies: Vec<_> =
            pictures.iter().map(|(content, class)| (*content, 2 - class)).collect();
        pictures.extend(copies);
        let parts = split(&pictures, Shares::default());
        let (one, other) = parts.split_at(parts.len() / 2);
        assert_eq!(one, other);
    }

    #[test]
    fn most_pictures_keep_their_part_when_a_tenth_is_added() {
        for of_each in [20, 50, 200, 1000] {
            let (mut moved, mut all) = (0, 0);
            for seed in 0..10 {
                let shares = Shares { seed, ..Shares::default() };
                let before = split(&pictures(of_each, 10), shares);
                let after = split(&pictures(of_each + of_each / 10, 10), shares);
                moved += before.iter().zip(&after).filter(|(one, other)| one != other).count();
                all += before.len();
            }
            let share = moved as f64 / all as f64;
            assert!(share < MOST_MOVED, "{of_each}: {share}");
        }
    }

    #[test]
    fn a_share_of_0_gives_no_part_and_small_classes_are_for_training() {
        let none = Shares { validation: 0.0, test: 0.0, seed: 0 };
        assert!(split(&pictures(30, 2), none).iter().all(|part| *part == Part::Train));
        let parts = split(&pictures(1, 5), Shares::default());
        assert_eq!(parts, [Part::Train; 5]);
        let parts = split(&pictures(2, 5), Shares::default());
        assert_eq!((count(&parts, Part::Train), count(&parts, Part::Test)), (5, 5));
    }
}

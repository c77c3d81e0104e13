//! Finds suspicious things about the pictures of a folder.

use std::collections::BTreeMap;
use std::fmt;

use unicode_normalization::UnicodeNormalization;

use super::inventory::Inventory;
use super::part::Part;
use crate::names::named;

/// Something that the owner of a data set may want to fix.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Files with the same content.
    Duplicates {
        /// Their paths.
        paths: Vec<String>,
        /// Whether they belong to more than one class.
        across_classes: bool,
        /// Whether they belong to more than one part.
        across_parts: bool,
    },
    /// A class with a single picture.
    SinglePicture {
        /// The class.
        class: String,
    },
    /// A picture with a side of one pixel.
    OnePixel {
        /// Its path.
        path: String,
    },
    /// Classes whose names differ only in case.
    SimilarNames {
        /// The names.
        classes: Vec<String>,
    },
    /// A class has more than ten times as many training pictures as another.
    Imbalance {
        /// The class with the most, and how many.
        most: (String, usize),
        /// The class with the fewest, and how many.
        fewest: (String, usize),
    },
}

impl Problem {
    /// Returns the kind of problem as an identifier, such as `duplicates`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Duplicates { .. } => "duplicates",
            Self::SinglePicture { .. } => "single_picture",
            Self::OnePixel { .. } => "one_pixel",
            Self::SimilarNames { .. } => "similar_names",
            Self::Imbalance { .. } => "imbalance",
        }
    }

    /// Returns the affected files.
    pub fn paths(&self) -> &[String] {
        match self {
            Self::Duplicates { paths, .. } => paths,
            Self::OnePixel { path } => std::slice::from_ref(path),
            Self::SinglePicture { .. } | Self::SimilarNames { .. } | Self::Imbalance { .. } => &[],
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicates { paths, across_classes, across_parts } => {
                let place = match (across_classes, across_parts) {
                    (true, true) => " in different classes and parts",
                    (true, false) => " in different classes",
                    (false, true) => " in different parts",
                    (false, false) => "",
                };
                write!(formatter, "the same picture{place}: {}", named(paths))
            }
            Self::SinglePicture { class } => {
                write!(formatter, "class `{class}` has a single picture")
            }
            Self::OnePixel { path } => write!(formatter, "`{path}` has a side of one pixel"),
            Self::SimilarNames { classes } => {
                write!(formatter, "class names that differ only in case: {}", named(classes))
            }
            Self::Imbalance { most, fewest } => write!(
                formatter,
                "class `{}` has {} training pictures, `{}` has {}; consider \
                 --set training.class_weights=balanced",
                most.0, most.1, fewest.0, fewest.1
            ),
        }
    }
}

impl Inventory {
    /// Returns the problems of the usable pictures, given the part of each picture.
    pub fn problems(&self, parts: &[Part], is_usable: impl Fn(usize) -> bool) -> Vec<Problem> {
        let usable: Vec<usize> = (0..self.files.len()).filter(|&at| is_usable(at)).collect();
        let mut problems = self.duplicates(parts, &usable);
        let mut counts = vec![[0_usize; 2]; self.listing.classes.len()];
        for &at in &usable {
            let [all, trained_on] = &mut counts[usize::from(self.listing.pictures[at].class)];
            *all += 1;
            *trained_on += usize::from(parts[at] == Part::Train);
            if self.files[at].header.as_ref().is_ok_and(|header| header.size.contains(&1)) {
                let path = self.listing.pictures[at].path.clone();
                problems.push(Problem::OnePixel { path });
            }
        }
        let classes = || self.listing.classes.iter().zip(&counts);
        problems.extend(
            classes()
                .filter(|(_, [all, _])| *all == 1)
                .map(|(class, _)| Problem::SinglePicture { class: class.clone() }),
        );
        problems.extend(self.similar_names());
        let trained = || classes().map(|(class, [_, count])| (class.clone(), *count));
        let trained = || trained().filter(|(_, count)| *count > 0);
        if let (Some(most), Some(fewest)) =
            (trained().max_by_key(|class| class.1), trained().min_by_key(|class| class.1))
            && most.1 > 10 * fewest.1
        {
            problems.push(Problem::Imbalance { most, fewest });
        }
        problems
    }

    fn duplicates(&self, parts: &[Part], usable: &[usize]) -> Vec<Problem> {
        let mut same: BTreeMap<&[u8; 32], Vec<usize>> = BTreeMap::new();
        for &at in usable {
            same.entry(&self.files[at].sha256).or_default().push(at);
        }
        let mut groups: Vec<Vec<usize>> =
            same.into_values().filter(|group| group.len() > 1).collect();
        groups.sort();
        let differ = |group: &[usize], same: &dyn Fn(usize, usize) -> bool| {
            group.iter().any(|&at| !same(group[0], at))
        };
        let pictures = &self.listing.pictures;
        groups
            .into_iter()
            .map(|group| Problem::Duplicates {
                across_classes: differ(&group, &|one, other| {
                    pictures[one].class == pictures[other].class
                }),
                across_parts: differ(&group, &|one, other| parts[one] == parts[other]),
                paths: group.iter().map(|&at| pictures[at].path.clone()).collect(),
            })
            .collect()
    }

    fn similar_names(&self) -> Vec<Problem> {
        let mut same: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for class in &self.listing.classes {
            let folded: String = class.to_lowercase().nfc().collect();
            same.entry(folded).or_default().push(class.clone());
        }
        let groups = same.into_values().filter(|classes| classes.len() > 1);
        groups.map(|classes| Problem::SimilarNames { classes }).collect()
    }
}

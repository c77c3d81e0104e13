//! Finds what a data set lacks: whole parts, classes, and classes within a part.

use std::collections::BTreeMap;

use crate::names::named;
use crate::{DataError, DataSet, ImageDataset, Part};

impl DataSet {
    /// Checks that there is something to train on.
    ///
    /// # Errors
    /// Returns [`DataError::NotTrainable`] if there are no training images, no validation or test images, or
    /// fewer than two classes.
    pub fn check_trainable(&self) -> Result<(), DataError> {
        let classes = self.class_names.len();
        let reason = if self.train.is_empty() {
            "no images to train on".to_owned()
        } else if classes < 2 {
            format!("only one class, `{}`", self.class_names.concat())
        } else if self.evaluated_on() == Part::Test && self.test.is_empty() {
            "neither validation nor test images".to_owned()
        } else {
            return Ok(());
        };
        Err(DataError::NotTrainable { name: self.name.clone(), reason })
    }

    /// Describes classes without images and classes that a part lacks, one phrase per finding.
    pub fn gaps(&self) -> Vec<String> {
        let parts = Part::ALL.map(|part| (part, self.part(part)));
        let counts = parts.each_ref().map(|(_, images)| self.counts(images));
        let class_count = self.class_names.len();
        let is_empty = |class: usize| counts.iter().all(|counts| counts[class] == 0);
        let empty: Vec<usize> = (0..class_count).filter(|&class| is_empty(class)).collect();
        let mut gaps = Vec::new();
        if !empty.is_empty() {
            gaps.push(format!("no images of {}", self.names(&empty)));
            gaps.extend(parts.iter().filter_map(|(part, images)| stray(*part, images, &empty)));
        }
        for ((part, images), counts) in parts.iter().zip(&counts) {
            let lacking: Vec<usize> =
                (0..class_count).filter(|&at| counts[at] == 0 && !is_empty(at)).collect();
            if !images.is_empty() && !lacking.is_empty() {
                gaps.push(format!("no {} images of {}", part.name(), self.names(&lacking)));
            }
        }
        gaps
    }

    /// Counts the images of each class.
    fn counts(&self, images: &ImageDataset) -> Vec<usize> {
        let mut counts = vec![0; self.class_names.len()];
        for &label in images.labels() {
            if let Some(count) = counts.get_mut(usize::from(label)) {
                *count += 1;
            }
        }
        counts
    }

    fn names(&self, classes: &[usize]) -> String {
        let names: Vec<String> =
            classes.iter().map(|&class| self.class_names[class].clone()).collect();
        let word = if classes.len() == 1 { "class" } else { "classes" };
        format!("{word} {}", named(&names))
    }
}

/// Describes the highest label if a class below it has no images, because it may be a stray label.
fn stray(part: Part, images: &ImageDataset, empty: &[usize]) -> Option<String> {
    let first_empty = *empty.first()?;
    let mut seen: BTreeMap<u16, (usize, usize)> = BTreeMap::new();
    for (position, &label) in images.labels().iter().enumerate() {
        seen.entry(label).or_insert((position, 0)).1 += 1;
    }
    let (label, (position, count)) = seen.into_iter().next_back()?;
    let part = part.name();
    (usize::from(label) > first_empty).then(|| {
        let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
        format!("label {label} occurs {times} in the {part} part, first at position {position}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Images;

    fn data(train: &[u16], test: &[u16]) -> DataSet {
        let part = |labels: &[u16]| {
            let pixels = vec![0; labels.len()];
            let images = Images { count: labels.len(), channels: 1, height: 1, width: 1, pixels };
            ImageDataset::new(images, labels.to_vec()).unwrap()
        };
        DataSet::new("made", part(train), part(test), Vec::new())
    }

    #[test]
    fn complete_data_has_no_gaps() {
        let data = data(&[0, 1, 2, 0], &[2, 1, 0]);
        assert!(data.gaps().is_empty() && data.check_trainable().is_ok());
    }

    #[test]
    fn stray_labels_and_missing_classes_are_named() {
        let gaps = data(&[1, 2, 9, 1], &[1]).gaps();
        assert_eq!(
            gaps,
            [
                "no images of classes `0`, `3`, `4`, `5`, `6` and 2 more",
                "label 9 occurs once in the train part, first at position 2",
                "label 1 occurs once in the test part, first at position 0",
                "no test images of classes `2`, `9`",
            ]
        );
        assert_eq!(data(&[0, 0], &[0]).gaps(), ["no images of class `1`"]);
    }

    #[test]
    fn data_without_training_or_evaluation_images_is_an_error() {
        for (train, test) in [(&[][..], &[0, 1][..]), (&[0, 1], &[])] {
            let error = data(train, test).check_trainable().unwrap_err();
            assert!(matches!(error, DataError::NotTrainable { .. }), "{error}");
        }
    }
}

//! `fashion-mnist-sample`: a stratified sample of Fashion-MNIST, embedded in the program.

use std::collections::HashMap;
use std::path::Path;

use nin_random::{Purpose, Stream};

use crate::catalogue::{FASHION_MNIST_SAMPLE, FILES};
use crate::{DataError, DataSet, FileChecksum, ImageDataset, idx};

/// The four files, gzipped, in the order of [`FILES`]; `examples/make_sample.rs` wrote them.
const CONTENT: [&[u8]; 4] = [
    include_bytes!("../sample/train-images-idx3-ubyte.gz"),
    include_bytes!("../sample/train-labels-idx1-ubyte.gz"),
    include_bytes!("../sample/t10k-images-idx3-ubyte.gz"),
    include_bytes!("../sample/t10k-labels-idx1-ubyte.gz"),
];

/// The seed of the sample; must never change.
const SEED: u64 = 28;

/// Draws a stratified sample: shuffles the positions in a fixed order and keeps the first `per_class` of each
/// class. `split` is 0 for training images and 1 for test images.
pub fn choose(labels: &[u16], per_class: usize, split: u64) -> Vec<usize> {
    let stream = Stream::new(SEED, Purpose::Sampling, [split, 0]);
    let mut taken: HashMap<u16, usize> = HashMap::new();
    stream
        .permutation(labels.len())
        .into_iter()
        .filter(|&at| {
            let taken = taken.entry(labels[at]).or_default();
            *taken += 1;
            *taken <= per_class
        })
        .collect()
}

/// Opens the embedded sample.
pub(crate) fn open() -> Result<DataSet, DataError> {
    let mut checksums = Vec::new();
    let mut record = |index: usize, sha256: String| {
        let name = FILES[index].to_owned();
        checksums.push(FileChecksum { name, sha256, known: Some(true) });
    };
    let mut split = |at: usize| {
        let path = |index: usize| Path::new("embedded").join(FILES[index]);
        let (images, sum) = idx::parse_images(&path(at), CONTENT[at])?;
        record(at, sum);
        let (labels, sum) = idx::parse_labels(&path(at + 1), CONTENT[at + 1])?;
        record(at + 1, sum);
        ImageDataset::new(images, labels.into_iter().map(u16::from).collect())
    };
    let (train, test) = (split(0)?, split(2)?);
    Ok(DataSet::new(FASHION_MNIST_SAMPLE, train, test, checksums))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_stratified_and_shuffled() {
        let data = open().unwrap();
        for (part, per_class) in [(&data.train, 600), (&data.test, 100)] {
            let mut counts = [0; 10];
            for &label in part.labels() {
                counts[usize::from(label)] += 1;
            }
            assert_eq!(counts, [per_class; 10]);
            assert!(!part.labels().is_sorted());
        }
        assert_eq!(data.class_names[9], "Ankle boot");
    }

    #[test]
    fn a_sample_has_equal_classes_and_no_duplicates() {
        let labels: Vec<u16> = (0..1000).map(|at| (at % 7) as u16).collect();
        let mut chosen = choose(&labels, 20, 0);
        assert_eq!(chosen.len(), 140);
        chosen.sort_unstable();
        chosen.dedup();
        assert_eq!(chosen.len(), 140);
    }
}

use nin_model::{Block, Initialization, Precision, Whitening};

use super::*;

fn block(kernel: usize, widths: [Width; 3]) -> Block {
    Block { kernel, stride: 1, padding: 0, widths, pool: None, dropout: 0.0 }
}

fn plain(width: usize) -> [Width; 3] {
    [Width::Channels(width); 3]
}

/// Creates a network whose weights depend on the seed.
fn network(
    channels: usize,
    classes: &[&str],
    blocks: &[Block],
    seed: u64,
) -> (ModelMetadata, Weights) {
    let architecture =
        Architecture::new("small", channels, classes.len(), blocks.to_vec()).unwrap();
    let weights = Initialization::PyTorch.weights(&architecture, seed);
    let metadata = ModelMetadata {
        classes: classes.iter().map(|&name| name.to_owned()).collect(),
        dataset: "animals".to_owned(),
        preprocessing: Preprocessing::resized([6, 6]),
        precision: Precision::Fp32,
        architecture,
    };
    (metadata, weights)
}

fn begin(source: (ModelMetadata, Weights), target: &(ModelMetadata, Weights)) -> Begun {
    let (metadata, weights) = source;
    StartingWeights { metadata, weights }.begin(&target.0, target.1.clone()).unwrap()
}

fn to_classes() -> [Block; 2] {
    let last = [Width::Channels(4), Width::Channels(3), Width::CLASSES];
    [block(3, plain(2)), block(1, last)]
}

#[test]
fn classes_of_the_same_name_keep_their_channel_and_the_rest_of_the_layer_begins_anew() {
    let source = network(1, &["cat", "dog", "eel"], &to_classes(), 1);
    let target = network(1, &["ant", "dog", "cat", "owl"], &to_classes(), 2);
    let begun = begin(source.clone(), &target);
    let name = "blocks.1.cccp2";
    for (ours, theirs) in target.1.iter().zip(source.1.iter()) {
        let loaded = begun.weights.get(ours.0).unwrap();
        if !ours.0.starts_with(name) {
            assert_eq!(loaded, theirs.1, "{}", ours.0);
        }
    }
    let row = |weights: &Weights, class: usize| {
        let tensor = |kind: &str| weights.get(&format!("{name}.{kind}")).unwrap().clone();
        let (weight, bias) = (tensor("weight"), tensor("bias"));
        (weight.values[class * 3..][..3].to_vec(), bias.values[class])
    };
    assert_eq!(row(&begun.weights, 0), row(&target.1, 0), "ant begins anew");
    assert_eq!(row(&begun.weights, 1), row(&source.1, 1), "dog is kept");
    assert_eq!(row(&begun.weights, 2), row(&source.1, 0), "cat is kept, at another place");
    assert_eq!(row(&begun.weights, 3), row(&target.1, 3), "owl begins anew");
    assert_eq!(begun.new_part(name), LayerPart::Channels(vec![0, 3]));
    assert_eq!(begun.new_part("blocks.0.cccp1"), LayerPart::None);
    let Transfer { loaded, initialized, kept_classes, unused } = &begun.transfer;
    assert_eq!((loaded.len(), initialized.as_slice()), (5, &[name.to_owned()][..]));
    assert_eq!(kept_classes, &["dog", "cat"]);
    assert!(unused.is_empty());
}

#[test]
fn other_layers_as_wide_as_there_are_classes_begin_anew_unless_the_classes_are_the_same() {
    // Like the book's last block, whose three layers all have the width `classes`.
    let blocks = [block(3, plain(2)), block(1, [Width::CLASSES; 3])];
    let source = network(1, &["cat", "dog"], &blocks, 1);
    let target = network(1, &["cat", "owl"], &blocks, 2);
    let begun = begin(source.clone(), &target);
    let new = ["blocks.1.convolution", "blocks.1.cccp1", "blocks.1.cccp2"];
    assert_eq!(begun.transfer.initialized, new);
    assert_eq!(begun.transfer.unused, ["blocks.1.cccp1", "blocks.1.cccp2", "blocks.1.convolution"]);
    for name in new {
        let name = format!("{name}.weight");
        assert_eq!(begun.weights.get(&name), target.1.get(&name), "{name}");
    }
    let same = network(1, &["dog", "cat"], &blocks, 2);
    let begun = begin(source.clone(), &same);
    assert!(begun.transfer.initialized.is_empty());
    let weights = |weights: &Weights| weights.get("blocks.1.cccp2.weight").unwrap().values.clone();
    let (theirs, ours) = (weights(&source.1), weights(&begun.weights));
    assert_eq!(ours, [&theirs[2..], &theirs[..2]].concat(), "the classes change places");
}

#[test]
fn grey_becomes_colour_by_a_third_each_and_colour_grey_by_the_sum() {
    let grey = network(1, &["cat", "dog"], &to_classes(), 1);
    let colour = network(3, &["cat", "dog"], &to_classes(), 2);
    let name = "blocks.0.convolution.weight";
    let begun = begin(grey.clone(), &colour);
    let (one, three) = (grey.1.get(name).unwrap(), begun.weights.get(name).unwrap());
    assert_eq!(three.shape, [2, 3, 3, 3]);
    for (at, value) in three.values.iter().enumerate() {
        let (kernel, place) = (at / 27, at % 9);
        assert_eq!(*value, one.values[kernel * 9 + place] / 3.0);
    }
    let begun = begin(colour.clone(), &grey);
    let (three, one) = (colour.1.get(name).unwrap(), begun.weights.get(name).unwrap());
    assert_eq!(one.shape, [2, 1, 3, 3]);
    for (at, value) in one.values.iter().enumerate() {
        let (kernel, place) = (at / 9, at % 9);
        let of = |channel: usize| three.values[kernel * 27 + channel * 9 + place];
        assert_eq!(*value, of(0) + of(1) + of(2));
    }
    assert_eq!(begun.transfer.initialized, [""; 0], "the classes are the same");
}

#[test]
fn networks_of_other_depths_share_the_blocks_that_are_alike() {
    let [first, last] = to_classes();
    let middle = block(1, plain(2));
    let deep = network(1, &["cat", "dog"], &[first, middle, last], 1);
    let flat = network(1, &["cat", "dog"], &[first, last], 2);
    let layers = |block: usize| {
        ["convolution", "cccp1", "cccp2"].map(|layer| format!("blocks.{block}.{layer}"))
    };
    // The middle block of one network is the last block of the other, with another shape.
    let (metadata, weights) = flat.clone();
    let error = StartingWeights { metadata, weights }.begin(&deep.0, deep.1.clone()).err().unwrap();
    let message = error.to_string();
    let expected = "tensor `blocks.1.convolution.weight` of the starting weights has shape \
                    [4, 2, 1, 1], the recipe's network has [2, 2, 1, 1]";
    assert_eq!(message, expected);
    assert!(error.hint().contains("model.blocks"));

    let one = network(
        1,
        &["cat", "dog"],
        &[first, block(1, [Width::Channels(2), Width::Channels(2), Width::CLASSES])],
        3,
    );
    let begun = begin(one, &deep);
    assert_eq!(begun.transfer.loaded[..3], layers(0));
    assert_eq!(begun.transfer.loaded[3..], layers(1)[..2]);
    assert_eq!(begun.transfer.initialized[0], "blocks.1.cccp2", "there it was the last layer");
    assert_eq!(begun.transfer.initialized[1..], layers(2));
    assert_eq!(begun.transfer.unused, ["blocks.1.cccp2"]);
}

#[test]
fn only_new_channels_are_fitted_to_the_data() {
    let (metadata, weights) = network(1, &["cat", "dog", "eel"], &to_classes(), 1);
    // Every layer's output is above 0, so that no ReLU is dead.
    let above = |tensor: &HostTensor| HostTensor {
        shape: tensor.shape.clone(),
        values: tensor.values.iter().map(|value| value.abs()).collect(),
    };
    let weights = weights.iter().map(|(name, tensor)| (name.to_owned(), above(tensor)));
    let source = (metadata, weights.collect());
    let mut target = network(1, &["ant", "dog", "owl"], &to_classes(), 2);
    target.1 = Initialization::LsuvOpen.weights(&target.0.architecture, 2);
    let mut begun = begin(source, &target);
    let images: Vec<f32> = (0..8 * 36).map(|at| (at * 7 % 11) as f32 / 11.0).collect();
    let before = begun.weights.clone();
    let new = begun.new.clone();
    let new = |layer: &str| new.get(layer).cloned().unwrap_or(LayerPart::None);
    let architecture = &target.0.architecture;
    let scales = Initialization::LsuvOpen
        .fit_new(&mut begun.weights, architecture, &images, [1, 6, 6], &new)
        .unwrap();
    assert_eq!(scales.len(), 1, "one layer has new channels");
    for (name, tensor) in before.iter() {
        let after = begun.weights.get(name).unwrap();
        let per_class = tensor.values.len() / 3;
        for class in 0..3 {
            let row = class * per_class..(class + 1) * per_class;
            let is_new = name.starts_with("blocks.1.cccp2") && class != 1;
            let is_same = tensor.values[row.clone()] == after.values[row];
            assert_eq!(is_same, !is_new, "{name}, {class}");
        }
    }
}

#[test]
fn preprocessing_comes_along_for_other_channels_and_not_for_another_whitened_size() {
    let (mut metadata, weights) = network(3, &["cat", "dog"], &to_classes(), 1);
    let (target, _) = network(1, &["cat", "dog"], &to_classes(), 2);
    metadata.preprocessing.normalization =
        Normalization::Channels { mean: vec![0.25, 0.5, 0.75], deviation: vec![0.5, 0.25, 0.75] };
    let mut start = StartingWeights { metadata, weights };
    let grey = Normalization::Channels { mean: vec![0.5], deviation: vec![0.5] };
    assert_eq!(start.preprocessing(&target).unwrap().normalization, grey);
    start.metadata.preprocessing.whitening = Some(Whitening::default());
    let error = start.preprocessing(&target).unwrap_err();
    assert!(error.to_string().contains("whitens images of 3x6x6, not of 1x6x6"), "{error}");
}

#[test]
fn frozen_parameters_are_told_by_their_block() {
    assert!(is_frozen("blocks.0.cccp1.bias", 1) && is_frozen("network.blocks.1.cccp1.bias", 2));
    assert!(!is_frozen("blocks.1.cccp1.bias", 1) && !is_frozen("blocks.10.cccp1.bias", 10));
    assert!(!is_frozen("blocks.0.cccp1.bias", 0) && !is_frozen("other", 3));
}

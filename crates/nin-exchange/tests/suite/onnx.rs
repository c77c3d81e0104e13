//! The exported graph computes what the network computes, and the file carries its metadata.

use burn::tensor::{Tensor, TensorData};
use burn_flex::{Flex, FlexDevice};
use nin_exchange::onnx::message::{Graph, Model};
use nin_exchange::{ExchangeError, onnx};
use nin_model::{
    Architecture, Block, HostTensor, Initialization, ModelMetadata, NetworkInNetwork,
    Normalization, Pool, Precision, Preprocessing, Weights, Whitening, Width,
};
use nin_random::{Purpose, Stream};
use prost::Message;

use crate::interpreter::{Value, evaluate};

/// Sums of a few hundred products, in another order.
const TOLERANCE: f32 = 1e-5;

pub(crate) fn block(kernel: usize, stride: usize, padding: usize, widths: [Width; 3]) -> Block {
    Block { kernel, stride, padding, widths, pool: None, dropout: 0.0 }
}

pub(crate) fn pool(kernel: usize, stride: usize, padding: usize, ceil_mode: bool) -> Pool {
    Pool { kernel, stride, padding, ceil_mode }
}

/// A network with every kind of layer, on two channels.
pub(crate) fn mixed() -> Architecture {
    let channels = Width::Channels;
    let first = block(5, 2, 2, [channels(6), channels(5), channels(4)]);
    let second = block(3, 1, 1, [channels(7), channels(4), channels(3)]);
    let last = block(3, 1, 1, [channels(5), Width::CLASSES, Width::CLASSES]);
    let blocks = vec![
        Block { pool: Some(pool(3, 2, 1, false)), dropout: 0.5, ..first },
        Block { pool: Some(pool(3, 2, 0, true)), ..second },
        last,
    ];
    Architecture::new("mixed", 2, 3, blocks).unwrap()
}

pub(crate) fn metadata(architecture: Architecture) -> ModelMetadata {
    ModelMetadata {
        classes: (0..architecture.classes()).map(|class| format!("\"class\" {class}")).collect(),
        dataset: "made-up".to_owned(),
        preprocessing: Preprocessing::resized([21, 30]),
        precision: Precision::Fp32,
        architecture,
    }
}

fn decoded(metadata: &ModelMetadata, weights: &Weights) -> Model {
    Model::decode(&onnx::encode(metadata, weights).unwrap()[..]).unwrap()
}

#[test]
fn the_graph_matches_the_network_at_any_input_size() {
    let metadata = metadata(mixed());
    let weights = lively(&Initialization::Kaiming.weights(&metadata.architecture, 1));
    let graph: Graph = decoded(&metadata, &weights).graph.unwrap();
    let network =
        NetworkInNetwork::<Flex>::from_weights(&metadata.architecture, &weights, &FlexDevice)
            .unwrap();
    for shape in [[1, 2, 21, 30], [3, 2, 28, 28], [2, 2, 33, 20]] {
        let count = shape.iter().product();
        let stream = Stream::new(3, Purpose::Sampling, [0, 0]);
        let values: Vec<f32> =
            stream.permutation(count).into_iter().map(|at| at as f32 / count as f32).collect();
        let images =
            Tensor::<Flex, 4>::from_data(TensorData::new(values.clone(), shape), &FlexDevice);
        let computed = evaluate(&graph, Value { shape: shape.to_vec(), values });

        let maps = network.class_maps(images.clone());
        assert_eq!(computed["maps"].shape, maps.dims());
        assert_close(&computed["maps"].values, &maps.into_data().to_vec().unwrap());
        let logits = network.forward(images);
        assert_eq!(computed["logits"].shape, logits.dims());
        let logits: Vec<f32> = logits.into_data().to_vec().unwrap();
        assert!(logits.iter().any(|&logit| logit > 0.01), "a dead network proves nothing");
        assert_close(&computed["logits"].values, &logits);
    }
}

/// The same weights with biases of 0.3, which keep enough of the few channels alive.
fn lively(weights: &Weights) -> Weights {
    let lifted = |(name, tensor): (&str, &HostTensor)| {
        let mut tensor = tensor.clone();
        if name.ends_with("bias") {
            tensor.values.fill(0.3);
        }
        (name.to_owned(), tensor)
    };
    weights.iter().map(lifted).collect()
}

fn assert_close(found: &[f32], expected: &[f32]) {
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= TOLERANCE, "{found} is not {expected}");
    }
}

#[test]
fn the_file_has_metadata_and_named_dimensions() {
    let metadata = metadata(mixed());
    let weights = Initialization::Kaiming.weights(&metadata.architecture, 1);
    let model = decoded(&metadata, &weights);
    assert_eq!(model.opset_import[0].version, Some(onnx::OPSET));
    let properties: Vec<_> = model
        .metadata_props
        .iter()
        .map(|entry| (entry.key.as_str(), entry.value.as_str()))
        .collect();
    assert_eq!(
        properties,
        [
            ("classes", r#"["\"class\" 0","\"class\" 1","\"class\" 2"]"#),
            ("architecture", "mixed"),
            ("dataset", "made-up"),
            ("input_size", "[21,30]"),
            (
                "preprocessing",
                "turn upright by EXIF; 16 bits as round(v/257); transparent parts over white; RGB; with an \
                 antialiased bilinear filter resize to fit into input_size and fill up with the median of \
                 the rim; divide by 255; normalization is in the model",
            ),
        ]
    );
    let graph = model.graph.unwrap();
    let dimensions = graph.input[0].r#type.clone().unwrap().tensor_type.unwrap().shape.unwrap().dim;
    let names: Vec<_> = dimensions.iter().map(|dimension| dimension.dim_param.as_deref()).collect();
    assert_eq!(names, [Some("batch"), None, Some("height"), Some("width")]);
    assert_eq!(dimensions[1].dim_value, Some(2));
    let outputs: Vec<_> = graph.output.iter().map(|output| output.name.as_str()).collect();
    assert_eq!(outputs, ["logits", "maps"]);
}

#[test]
fn a_layer_that_runtimes_disagree_on_is_an_error() {
    let odd = Block { pool: Some(pool(3, 2, 1, true)), ..block(3, 1, 1, [Width::CLASSES; 3]) };
    let metadata = metadata(Architecture::new("odd", 1, 2, vec![odd]).unwrap());
    let weights = Initialization::Kaiming.weights(&metadata.architecture, 1);
    let error = onnx::encode(&metadata, &weights).unwrap_err();
    assert!(
        matches!(&error, ExchangeError::NotInOnnx { layer, .. } if layer == "pool 1"),
        "{error}"
    );

    let other = Initialization::Kaiming.weights(&mixed(), 1);
    assert!(matches!(onnx::encode(&metadata, &other), Err(ExchangeError::Model(_))));
}

#[test]
fn channel_normalization_is_in_the_graph_and_other_preprocessing_is_an_error() {
    let plain = metadata(mixed());
    let (mean, deviation) = (vec![0.25, 0.5], vec![0.5, 0.125]);
    let normalization =
        Normalization::Channels { mean: mean.clone(), deviation: deviation.clone() };
    let with = |normalization: Normalization, whitening: Option<Whitening>| ModelMetadata {
        preprocessing: Preprocessing { normalization, whitening, ..plain.preprocessing.clone() },
        ..plain.clone()
    };
    let weights = lively(&Initialization::Kaiming.weights(&plain.architecture, 1));
    let normalized = decoded(&with(normalization, None), &weights).graph.unwrap();
    let shape = vec![2, 2, 21, 30];
    let values: Vec<f32> = (0..2 * 2 * 630).map(|at| (at * 37 % 256) as f32 / 255.0).collect();
    let by_hand = values.iter().enumerate().map(|(at, value)| {
        let channel = at / 630 % 2;
        (value - mean[channel]) / deviation[channel]
    });
    let by_hand = Value { shape: shape.clone(), values: by_hand.collect() };
    let expected = evaluate(&decoded(&plain, &weights).graph.unwrap(), by_hand);
    let found = evaluate(&normalized, Value { shape, values });
    assert_eq!(found["logits"], expected["logits"]);
    assert!(expected["logits"].values.iter().any(|&logit| logit > 0.01));

    let contrast = with(Normalization::Contrast { scale: 55.0 }, None);
    let error = onnx::encode(&contrast, &weights).unwrap_err();
    assert!(error.to_string().contains("contrast normalization cannot be written"), "{error}");
    let whitened = with(Normalization::None, Some(Whitening::default()));
    let error = onnx::encode(&whitened, &weights).unwrap_err();
    assert!(
        matches!(error, ExchangeError::Whitening) && error.hint().contains("model.safetensors")
    );
}

//! int8 weights: their file, and inference on bytes.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use burn_flex::{Flex, FlexDevice};
use burn_ndarray::NdArray;
use nin_model::{
    Architecture, Block, Builtin, Calibration, HostTensor, InferencePlan, Initialization,
    ModelError, ModelMetadata, NetworkInNetwork, Precision, Preprocessing, Weights, Width,
};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::kernels::override_instruction_set;

const BATCH: usize = 3;

fn images() -> Vec<f32> {
    (0..BATCH * 28 * 28).map(|at| (at * 37 % 256) as f32 / 255.0).collect()
}

/// Returns a network with its weights in fp32 and in int8.
fn network() -> (ModelMetadata, Weights, Weights) {
    override_instruction_set();
    let architecture = Builtin::PaperMnist.architecture(1, 10).unwrap();
    let weights = Initialization::Kaiming.weights(&architecture, 5);
    let mut calibration = Calibration::new(&architecture);
    calibration.observe(&architecture, &weights, [BATCH, 1, 28, 28], &images()).unwrap();
    let quantized = weights.quantized(&architecture, &calibration.ranges(0.0)).unwrap();
    let metadata = ModelMetadata {
        classes: (0..10).map(|class| class.to_string()).collect(),
        dataset: "mnist".to_owned(),
        preprocessing: Preprocessing::resized([28, 28]),
        precision: Precision::Fp32,
        architecture,
    };
    (metadata, weights, quantized)
}

fn logits<B: Backend>(metadata: &ModelMetadata, weights: &Weights, batch: usize) -> Vec<f32> {
    let device = Default::default();
    let network =
        NetworkInNetwork::<B>::from_weights(&metadata.architecture, weights, &device).unwrap();
    let plan = InferencePlan::new(network).unwrap();
    let images = images();
    let answers = images.chunks(batch * 28 * 28).flat_map(|images| {
        let shape = [images.len() / (28 * 28), 1, 28, 28];
        let images = Tensor::<B, 4>::from_data(TensorData::new(images.to_vec(), shape), &device);
        HostTensor::read("logits", &plan.forward(images)).unwrap().values
    });
    answers.collect()
}

#[test]
fn answers_are_near_those_of_fp32_and_do_not_depend_on_batch_or_backend() {
    let (metadata, weights, quantized) = network();
    let found = logits::<Flex>(&metadata, &quantized, BATCH);
    assert_eq!(logits::<Flex>(&metadata, &quantized, 1), found);
    assert_eq!(logits::<NdArray>(&metadata, &quantized, BATCH), found);
    let expected = logits::<Flex>(&metadata, &weights, BATCH);
    let norm =
        |values: &mut dyn Iterator<Item = f32>| values.map(|value| value * value).sum::<f32>();
    let difference =
        norm(&mut found.iter().zip(&expected).map(|(found, expected)| found - expected));
    let share = (difference / norm(&mut expected.iter().copied())).sqrt();
    // Bytes, not fp32 with rounded weights; eight layers that each round to 1 in 255 of their range.
    assert!(share > 1e-4 && share < 0.05, "{share}");
    let network =
        NetworkInNetwork::<Flex>::from_weights(&metadata.architecture, &quantized, &FlexDevice);
    assert_eq!(network.unwrap().to_weights().unwrap(), quantized);
}

#[test]
fn an_image_with_nan_is_answered_by_nan_as_in_fp32() {
    let (metadata, weights, quantized) = network();
    let mut values = images();
    // In the second image.
    values[28 * 28 + 400] = f32::NAN;
    for weights in [&weights, &quantized] {
        let network =
            NetworkInNetwork::<Flex>::from_weights(&metadata.architecture, weights, &FlexDevice)
                .unwrap();
        let images = TensorData::new(values.clone(), [BATCH, 1, 28, 28]);
        let images = Tensor::<Flex, 4>::from_data(images, &FlexDevice);
        let logits = InferencePlan::new(network).unwrap().forward(images);
        let logits = HostTensor::read("logits", &logits).unwrap().values;
        let expected = self::logits::<Flex>(&metadata, weights, BATCH);
        let rows = logits.chunks(10).zip(expected.chunks(10)).enumerate();
        for (image, (found, expected)) in rows {
            if image == 1 {
                assert!(found.iter().all(|logit| logit.is_nan()), "{found:?}");
            } else {
                assert_eq!(found, expected);
            }
        }
    }
}

#[test]
fn the_file_holds_integers_and_their_scales() {
    let (metadata, weights, quantized) = network();
    let bytes = metadata.to_safetensors(&quantized).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let types: BTreeMap<&str, Dtype> =
        file.iter().map(|(name, view)| (name, view.dtype())).collect();
    assert_eq!(types["blocks.0.convolution.weight"], Dtype::F32);
    assert_eq!(types["blocks.0.cccp1.weight"], Dtype::I8);
    assert_eq!(types["blocks.0.cccp1.bias"], Dtype::F32);
    assert_eq!(types["blocks.2.cccp2.input_scale"], Dtype::F32);
    assert_eq!(file.tensor("blocks.1.convolution.weight_scale").unwrap().shape(), [128]);

    let (read, weights_read) = ModelMetadata::from_safetensors(&bytes).unwrap();
    assert_eq!((&read, &weights_read), (&metadata, &quantized));
    assert!(weights_read.is_quantized() && !weights.is_quantized());
    assert_eq!(read.to_safetensors(&weights_read).unwrap(), bytes);
    assert!(bytes.len() < metadata.to_safetensors(&weights).unwrap().len() * 3 / 10);
}

/// A file's tensors and metadata, to change some of them.
struct File {
    tensors: BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>,
    metadata: std::collections::HashMap<String, String>,
}

impl File {
    fn new(bytes: &[u8]) -> Self {
        let (_, header) = SafeTensors::read_metadata(bytes).unwrap();
        let file = SafeTensors::deserialize(bytes).unwrap();
        let tensors = file.iter().map(|(name, view)| {
            (name.to_owned(), (view.dtype(), view.shape().to_vec(), view.data().to_vec()))
        });
        Self { tensors: tensors.collect(), metadata: header.metadata().clone().unwrap() }
    }

    fn error(self) -> ModelError {
        let views = self.tensors.iter().map(|(name, (dtype, shape, bytes))| {
            (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
        });
        let bytes = safetensors::serialize(views, Some(self.metadata)).unwrap();
        ModelMetadata::from_safetensors(&bytes).unwrap_err()
    }
}

#[test]
fn files_that_do_not_fit_are_refused() {
    let (metadata, _, quantized) = network();
    let bytes = metadata.to_safetensors(&quantized).unwrap();
    let refused = |change: &dyn Fn(&mut File), expected: &str| {
        let mut file = File::new(&bytes);
        change(&mut file);
        let error = file.error();
        assert!(error.to_string().contains(expected), "{error}, expected {expected}");
        assert!(!error.hint().is_empty());
    };
    let step = "blocks.1.cccp2.weight_scale";
    let value = |value: f32| value.to_le_bytes().to_vec();
    // As earlier versions read it.
    refused(
        &|file| file.tensors.retain(|name, _| !name.ends_with(".weight_scale")),
        "holds I8, expected F32",
    );
    refused(&|file| drop(file.tensors.remove(step)), "`blocks.1.cccp2.weight_scale` is missing");
    refused(
        &|file| drop(file.tensors.remove("blocks.1.cccp2.weight")),
        "`blocks.1.cccp2.weight` is missing",
    );
    for bad in [f32::NAN, 0.0, -1.0, f32::INFINITY] {
        let input_scale = (Dtype::F32, vec![1], value(bad));
        refused(
            &|file| {
                drop(file.tensors.insert("blocks.0.cccp1.input_scale".into(), input_scale.clone()));
            },
            "expected positive numbers",
        );
    }
    let (short, scalar) = ((Dtype::F32, vec![1], value(1.0)), (Dtype::I8, vec![], vec![1]));
    refused(&|file| drop(file.tensors.insert(step.into(), short.clone())), "has shape [1]");
    refused(
        &|file| drop(file.tensors.insert("blocks.1.cccp2.weight".into(), scalar.clone())),
        "has shape",
    );
    let empty = (Dtype::I8, vec![0, 96, 1, 1], vec![]);
    let none = (Dtype::F32, vec![0], vec![]);
    refused(
        &|file| {
            file.tensors.insert("blocks.1.cccp2.weight".into(), empty.clone());
            file.tensors.insert(step.into(), none.clone());
        },
        "has shape [0, 96, 1, 1]",
    );
    // A scale that is an integer.
    let integer = (Dtype::I8, vec![96], vec![1; 96]);
    refused(
        &|file| drop(file.tensors.insert(step.into(), integer.clone())),
        "`blocks.1.cccp2.weight_scale` holds I8",
    );
    // The first layer is fp32.
    refused(
        &|file| {
            let first = (Dtype::I8, vec![96, 1, 5, 5], vec![1; 96 * 25]);
            file.tensors.insert("blocks.0.convolution.weight".into(), first);
            let steps = (Dtype::F32, vec![96], value(0.1).repeat(96));
            file.tensors.insert("blocks.0.convolution.weight_scale".into(), steps);
            let step = (Dtype::F32, vec![1], value(0.1));
            file.tensors.insert("blocks.0.convolution.input_scale".into(), step);
        },
        "`blocks.0.convolution.weight` holds I8",
    );
}

#[test]
fn a_new_tensor_keeps_the_scales_and_other_weights_drop_them() {
    let (_, _, mut quantized) = network();
    // As the whitening of the preprocessing, which is in the same file.
    quantized.insert("preprocessing.mean", HostTensor { shape: vec![1], values: vec![0.5] });
    assert!(quantized.is_quantized());
    let name = "blocks.1.cccp2.weight";
    let weight = quantized.get(name).unwrap().clone();
    quantized.insert(name, weight);
    assert!(!quantized.is_quantized());
}

#[test]
fn ranges_that_do_not_fit_are_errors() {
    let (metadata, weights, _) = network();
    let refused = |ranges: &[f32]| weights.quantized(&metadata.architecture, ranges).unwrap_err();
    let short = refused(&[1.0; 7]);
    assert!(matches!(short, ModelError::MissingTensor { .. }), "{short}");
    for bad in [f32::NAN, f32::INFINITY, -1.0] {
        let error = refused(&[1.0, 1.0, bad, 1.0, 1.0, 1.0, 1.0, 1.0]);
        assert!(matches!(error, ModelError::Scale { .. }), "{error}");
    }
}

/// Adds a hundredth to every weight, as a step of training might.
struct Step;

impl<B: Backend> ModuleMapper<B> for Step {
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        parameter.map(|tensor| tensor.add_scalar(0.01))
    }
}

#[test]
fn a_trained_int8_network_is_fp32_and_loses_nothing() {
    let (metadata, _, quantized) = network();
    let network =
        NetworkInNetwork::<Flex>::from_weights(&metadata.architecture, &quantized, &FlexDevice)
            .unwrap()
            .map(&mut Step);
    let weights = network.to_weights().unwrap();
    assert!(!weights.is_quantized());
    let name = "blocks.1.cccp2.weight";
    let before = quantized.get(name).unwrap().values.iter().map(|value| value + 0.01);
    assert_eq!(weights.get(name).unwrap().values, before.collect::<Vec<f32>>());
    // The file holds what training left, and the plan computes it.
    let bytes = metadata.to_safetensors(&weights).unwrap();
    assert_eq!(ModelMetadata::from_safetensors(&bytes).unwrap().1, weights);
    let images =
        Tensor::<Flex, 4>::from_data(TensorData::new(images(), [BATCH, 1, 28, 28]), &FlexDevice);
    let expected = HostTensor::read("logits", &network.forward(images.clone())).unwrap().values;
    let plan = InferencePlan::new(network).unwrap();
    let found = HostTensor::read("logits", &plan.forward(images)).unwrap().values;
    let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    for (found, expected) in found.iter().zip(&expected) {
        // The order of fp32 sums; bytes would differ by more than a thousandth.
        assert!((found - expected).abs() <= 1e-5 * largest, "{found}, {expected}");
    }
}

#[test]
fn a_network_whose_sums_may_overflow_is_an_error_of_the_plan() {
    let block = |kernel, third| Block {
        kernel,
        stride: 1,
        padding: kernel / 2,
        widths: [1, 1, third].map(Width::Channels),
        pool: None,
        dropout: 0.0,
    };
    let plan = |width| {
        let blocks = vec![block(1, width), block(3, 2)];
        let architecture = Architecture::new("wide", 1, 2, blocks).unwrap();
        let weights = Initialization::Kaiming.weights(&architecture, 5);
        let quantized = weights.quantized(&architecture, &[1.0; 5]).unwrap();
        let network =
            NetworkInNetwork::<Flex>::from_weights(&architecture, &quantized, &FlexDevice).unwrap();
        InferencePlan::new(network)
    };
    plan(1_000).unwrap();
    let error = plan(8_000).unwrap_err();
    assert!(matches!(error, ModelError::Kernel { .. }), "{error}");
}

//! Exports a network as an ONNX file: opset 17, IR version 8 (onnxruntime 1.12 and later).
//!
//! The input `images` is `[batch, channels, height, width]`, 32-bit floats in `[0, 1]`. The output `logits`
//! is `[batch, classes]`. Batch, height and width are dynamic: the network is fully convolutional, and
//! global average pooling accepts maps of any size. A second output, `maps`, holds the class maps before
//! pooling, `[batch, classes, map_height, map_width]`.
//!
//! Channel normalization is part of the graph; contrast normalization and whitening are errors. Decoding,
//! orientation, resize and inversion are left to the caller.
//!
//! The metadata has the keys `classes` (a JSON list of names, in the order of the logits), `architecture`,
//! `dataset`, `input_size` (a JSON list: height and width in training) and `preprocessing` (in words, how
//! a caller turns a picture into `images`).

pub mod message;

use nin_model::{Block, Fit, HostTensor, ModelMetadata, Normalization, Pool, Weights};
use prost::Message;

use crate::ExchangeError;
use crate::error::refuse_int8;
use message::{
    Attribute, Dimension, Entry, Graph, Model, Node, OperatorSet, Shape, Tensor, TensorType, Type,
    ValueInfo,
};

/// The operator set version of exported files.
pub const OPSET: i64 = 17;
/// The IR version that was released with [`OPSET`].
const IR_VERSION: i64 = 8;
/// Names of the normalization's initializers.
const MEAN: &str = "preprocessing.mean";
const DEVIATION: &str = "preprocessing.deviation";
/// The protobuf limit of 2 GiB, minus 1 MiB for everything but the weights.
const MOST_WEIGHT_BYTES: u64 = (2 << 30) - (1 << 20);

/// Encodes a network as the bytes of an ONNX file.
///
/// # Errors
/// Returns [`ExchangeError::Model`] if the weights do not match the architecture,
/// [`ExchangeError::NotInOnnx`] for contrast normalization and for a max pool with both padding and ceil
/// mode, [`ExchangeError::Whitening`] if the network whitens its input, and
/// [`ExchangeError::TooLargeForOnnx`] if the weights exceed 2 GiB. [`ExchangeError::Int8`] for int8 weights.
pub fn encode(metadata: &ModelMetadata, weights: &Weights) -> Result<Vec<u8>, ExchangeError> {
    refuse_int8(weights)?;
    weights.check(&metadata.architecture)?;
    let bytes = weights.iter().map(|(_, tensor)| tensor.values.len() as u64 * 4).sum();
    if bytes > MOST_WEIGHT_BYTES {
        return Err(ExchangeError::TooLargeForOnnx { bytes, limit: MOST_WEIGHT_BYTES });
    }
    let model = Model {
        ir_version: Some(IR_VERSION),
        producer_name: "nin".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: "Network in Network (arXiv:1312.4400): the mean of a class's map is its logit"
            .to_owned(),
        graph: Some(graph(metadata, weights)?),
        opset_import: vec![OperatorSet { domain: Some(String::new()), version: Some(OPSET) }],
        metadata_props: properties(metadata),
    };
    Ok(model.encode_to_vec())
}

fn properties(metadata: &ModelMetadata) -> Vec<Entry> {
    let entry = |key: &str, value: String| Entry { key: key.to_owned(), value };
    vec![
        entry("classes", serde_json::json!(metadata.classes).to_string()),
        entry("architecture", metadata.architecture.name().to_owned()),
        entry("dataset", metadata.dataset.clone()),
        entry("input_size", serde_json::json!(metadata.preprocessing.input_size).to_string()),
        entry("preprocessing", caller_owes(metadata)),
    ]
}

/// How large pictures are reduced before they are fitted.
const REDUCE: &str =
    "reduce pictures whose shorter side is more than twice the longer of input_size to that, then ";
const PAD: &str = "resize to fit into input_size and fill up with the median of the rim";

/// Describes what a caller does to a picture so that the logits match those of `predict`.
fn caller_owes(metadata: &ModelMetadata) -> String {
    let is_grey = metadata.architecture.input_channels() == 1;
    let colour = if is_grey { "grey (ITU-R 601-2)" } else { "RGB" };
    let (reduce, fit) = match metadata.preprocessing.fit {
        Some(Fit::Stretch) => (REDUCE, "resize to input_size"),
        Some(Fit::Crop) => (REDUCE, "resize to cover input_size and crop the middle"),
        Some(Fit::Pad) => (REDUCE, PAD),
        None => ("", PAD),
    };
    let invert = if metadata.has_black_ground() { "; invert pictures on light ground" } else { "" };
    format!(
        "turn upright by EXIF; 16 bits as round(v/257); transparent parts over white; {colour}; with an \
         antialiased bilinear filter {reduce}{fit}{invert}; divide by 255; normalization is in the model"
    )
}

fn graph(metadata: &ModelMetadata, weights: &Weights) -> Result<Graph, ExchangeError> {
    let architecture = &metadata.architecture;
    let (channels, classes) = (architecture.input_channels(), architecture.classes());
    let mut chain = Chain { nodes: Vec::new(), value: "images".to_owned() };
    let normalization = normalization(metadata)?;
    for (name, operator) in [(MEAN, "Sub"), (DEVIATION, "Div")] {
        if !normalization.is_empty() {
            chain.push(format!("{name}.applied"), operator, &[name.to_owned()], Vec::new());
        }
    }
    for (index, block) in architecture.blocks().iter().enumerate() {
        chain.mlpconv(index, block);
        if let Some(pool) = &block.pool {
            chain.max_pool(index, pool)?;
        }
    }
    chain.name_last_value("maps");
    chain.global_average_pool();
    Ok(Graph {
        node: chain.nodes,
        name: architecture.name().to_owned(),
        initializer: normalization
            .iter()
            .map(|(name, tensor)| initializer(name, tensor))
            .chain(weights.iter().map(|(name, tensor)| initializer(name, tensor)))
            .collect(),
        input: vec![value_info(
            "images",
            vec![any("batch"), fixed(channels), any("height"), any("width")],
        )],
        output: vec![
            value_info("logits", vec![any("batch"), fixed(classes)]),
            value_info(
                "maps",
                vec![any("batch"), fixed(classes), any("map_height"), any("map_width")],
            ),
        ],
    })
}

/// Returns the mean and standard deviation per channel, each `[1, channels, 1, 1]`; nothing if there is no
/// normalization.
fn normalization(
    metadata: &ModelMetadata,
) -> Result<Vec<(&'static str, HostTensor)>, ExchangeError> {
    if metadata.preprocessing.whitening.is_some() {
        return Err(ExchangeError::Whitening);
    }
    match &metadata.preprocessing.normalization {
        Normalization::None => Ok(Vec::new()),
        Normalization::Channels { mean, deviation } => {
            let tensor = |values: &Vec<f32>| HostTensor {
                shape: vec![1, values.len(), 1, 1],
                values: values.clone(),
            };
            Ok(vec![(MEAN, tensor(mean)), (DEVIATION, tensor(deviation))])
        }
        Normalization::Contrast { .. } => Err(ExchangeError::NotInOnnx {
            layer: "global contrast normalization".to_owned(),
            reason: "it is not part of the network",
        }),
    }
}

/// Nodes in a chain; each takes the output of the previous one.
struct Chain {
    nodes: Vec<Node>,
    value: String,
}

impl Chain {
    fn push(
        &mut self,
        name: String,
        operator: &str,
        parameters: &[String],
        attribute: Vec<Attribute>,
    ) {
        let input = [std::slice::from_ref(&self.value), parameters].concat();
        self.value.clone_from(&name);
        self.nodes.push(Node {
            input,
            output: vec![name.clone()],
            name,
            op_type: operator.to_owned(),
            attribute,
        });
    }

    fn mlpconv(&mut self, index: usize, block: &Block) {
        let layers = [
            ("convolution", block.kernel, block.stride, block.padding),
            ("cccp1", 1, 1, 0),
            ("cccp2", 1, 1, 0),
        ];
        for (layer, kernel, stride, padding) in layers {
            let name = format!("blocks.{index}.{layer}");
            let parameters = ["weight", "bias"].map(|kind| format!("{name}.{kind}"));
            self.push(name.clone(), "Conv", &parameters, window(kernel, stride, padding));
            self.push(format!("{name}.relu"), "Relu", &[], Vec::new());
        }
    }

    fn max_pool(&mut self, index: usize, pool: &Pool) -> Result<(), ExchangeError> {
        let name = format!("blocks.{index}.pool");
        if pool.ceil_mode && pool.padding > 0 {
            return Err(ExchangeError::NotInOnnx {
                layer: format!("pool {}", index + 1),
                reason: "runtimes disagree on ceil mode with padding",
            });
        }
        let mut attributes = window(pool.kernel, pool.stride, pool.padding);
        attributes.push(integer("ceil_mode", usize::from(pool.ceil_mode)));
        self.push(name, "MaxPool", &[], attributes);
        Ok(())
    }

    fn name_last_value(&mut self, name: &str) {
        if let Some(last) = self.nodes.last_mut() {
            last.output = vec![name.to_owned()];
        }
        name.clone_into(&mut self.value);
    }

    fn global_average_pool(&mut self) {
        let axes = vec![integers("axes", &[2, 3]), integer("keepdims", 0)];
        self.push("global_average_pool".to_owned(), "ReduceMean", &[], axes);
        self.name_last_value("logits");
    }
}

fn window(kernel: usize, stride: usize, padding: usize) -> Vec<Attribute> {
    vec![
        integers("kernel_shape", &[kernel; 2]),
        integers("strides", &[stride; 2]),
        integers("pads", &[padding; 4]),
    ]
}

fn integer(name: &str, value: usize) -> Attribute {
    Attribute {
        name: name.to_owned(),
        i: Some(value as i64),
        ints: Vec::new(),
        r#type: Some(Attribute::INT),
    }
}

fn integers(name: &str, values: &[usize]) -> Attribute {
    Attribute {
        name: name.to_owned(),
        i: None,
        ints: values.iter().map(|&value| value as i64).collect(),
        r#type: Some(Attribute::INTS),
    }
}

fn initializer(name: &str, tensor: &HostTensor) -> Tensor {
    Tensor {
        dims: tensor.shape.iter().map(|&length| length as i64).collect(),
        data_type: Some(Tensor::FLOAT),
        name: name.to_owned(),
        raw_data: tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    }
}

fn value_info(name: &str, dim: Vec<Dimension>) -> ValueInfo {
    let tensor = TensorType { elem_type: Some(Tensor::FLOAT), shape: Some(Shape { dim }) };
    ValueInfo { name: name.to_owned(), r#type: Some(Type { tensor_type: Some(tensor) }) }
}

fn fixed(length: usize) -> Dimension {
    Dimension { dim_value: Some(length as i64), dim_param: None }
}

fn any(name: &str) -> Dimension {
    Dimension { dim_value: None, dim_param: Some(name.to_owned()) }
}

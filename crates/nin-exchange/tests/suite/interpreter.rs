//! A naive interpreter for the ONNX operators in exported files, written from the specification.

use std::collections::HashMap;

use nin_exchange::onnx::message::{Graph, Node};

/// A tensor in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Value {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

/// Evaluates the graph on `images` and returns every value by name.
pub(crate) fn evaluate(graph: &Graph, images: Value) -> HashMap<String, Value> {
    let mut values = HashMap::from([("images".to_owned(), images)]);
    for tensor in &graph.initializer {
        let floats = tensor.raw_data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
        let shape = tensor.dims.iter().map(|&length| length as usize).collect();
        values.insert(tensor.name.clone(), Value { shape, values: floats.collect() });
    }
    for node in &graph.node {
        let input = |at: usize| &values[&node.input[at]];
        let output = match node.op_type.as_str() {
            "Conv" => convolution(input(0), input(1), input(2), &Window::of(node)),
            "Sub" => by_channel(input(0), input(1), |value, other| value - other),
            "Div" => by_channel(input(0), input(1), |value, other| value / other),
            "Relu" => relu(input(0)),
            "MaxPool" => max_pool(input(0), &Window::of(node), integer(node, "ceil_mode") == 1),
            "ReduceMean" => mean_of_planes(input(0)),
            other => panic!("no operator {other}"),
        };
        values.insert(node.output[0].clone(), output);
    }
    values
}

struct Window {
    kernel: usize,
    stride: usize,
    padding: usize,
}

impl Window {
    fn of(node: &Node) -> Self {
        let first = |name: &str| integers(node, name)[0];
        Self { kernel: first("kernel_shape"), stride: first("strides"), padding: first("pads") }
    }

    /// Returns the input position for an output position and a kernel offset, or `None` in the padding.
    fn at(&self, output: usize, place: usize, side: usize) -> Option<usize> {
        (output * self.stride + place).checked_sub(self.padding).filter(|&at| at < side)
    }
}

fn integers(node: &Node, name: &str) -> Vec<usize> {
    let attribute = node.attribute.iter().find(|attribute| attribute.name == name).unwrap();
    attribute.ints.iter().map(|&value| value as usize).collect()
}

fn integer(node: &Node, name: &str) -> i64 {
    node.attribute.iter().find(|attribute| attribute.name == name).unwrap().i.unwrap()
}

fn convolution(input: &Value, weight: &Value, bias: &Value, window: &Window) -> Value {
    let [batch, channels, height, width] = input.shape[..] else { panic!("no planes") };
    let outputs = weight.shape[0];
    let side = |side| (side + 2 * window.padding - window.kernel) / window.stride + 1;
    let (out_height, out_width) = (side(height), side(width));
    let mut values = Vec::new();
    for image in 0..batch {
        for output in 0..outputs {
            for row in 0..out_height {
                for column in 0..out_width {
                    let mut sum = f64::from(bias.values[output]);
                    for channel in 0..channels {
                        for y in 0..window.kernel {
                            for x in 0..window.kernel {
                                let at = window.at(row, y, height).zip(window.at(column, x, width));
                                let Some((y_in, x_in)) = at else { continue };
                                let pixel =
                                    ((image * channels + channel) * height + y_in) * width + x_in;
                                let kernel = window.kernel;
                                let factor =
                                    ((output * channels + channel) * kernel + y) * kernel + x;
                                sum += f64::from(input.values[pixel])
                                    * f64::from(weight.values[factor]);
                            }
                        }
                    }
                    values.push(sum as f32);
                }
            }
        }
    }
    Value { shape: vec![batch, outputs, out_height, out_width], values }
}

/// Applies an operation with one number per channel, `[1, channels, 1, 1]`.
fn by_channel(input: &Value, other: &Value, of: impl Fn(f32, f32) -> f32) -> Value {
    let [_, channels, height, width] = input.shape[..] else { panic!("no planes") };
    assert_eq!(other.shape, [1, channels, 1, 1]);
    let values = input.values.iter().enumerate();
    let values = values
        .map(|(at, &value)| of(value, other.values[at / (height * width) % channels]))
        .collect();
    Value { shape: input.shape.clone(), values }
}

fn relu(input: &Value) -> Value {
    let values = input.values.iter().map(|value| value.max(0.0)).collect();
    Value { shape: input.shape.clone(), values }
}

fn max_pool(input: &Value, window: &Window, ceil: bool) -> Value {
    let [batch, channels, height, width] = input.shape[..] else { panic!("no planes") };
    let side = |side: usize| {
        let room = side + 2 * window.padding - window.kernel;
        1 + if ceil { room.div_ceil(window.stride) } else { room / window.stride }
    };
    let (out_height, out_width) = (side(height), side(width));
    let mut values = Vec::new();
    for plane in input.values.chunks_exact(height * width) {
        for row in 0..out_height {
            for column in 0..out_width {
                let mut largest = f32::NEG_INFINITY;
                for y in (0..window.kernel).filter_map(|y| window.at(row, y, height)) {
                    for x in (0..window.kernel).filter_map(|x| window.at(column, x, width)) {
                        largest = largest.max(plane[y * width + x]);
                    }
                }
                values.push(largest);
            }
        }
    }
    Value { shape: vec![batch, channels, out_height, out_width], values }
}

fn mean_of_planes(input: &Value) -> Value {
    let [batch, channels, height, width] = input.shape[..] else { panic!("no planes") };
    let mean = |plane: &[f32]| {
        (plane.iter().copied().map(f64::from).sum::<f64>() / plane.len() as f64) as f32
    };
    let values = input.values.chunks_exact(height * width).map(mean).collect();
    Value { shape: vec![batch, channels], values }
}

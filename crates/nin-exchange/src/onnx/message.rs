//! The messages and field numbers of `onnx.proto` that a Network in Network needs.
//!
//! Source: <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>. The schema is proto2, which writes a
//! field that is set even if it is zero; hence the `Option`s.

use prost::Message;

/// `ModelProto`: a whole file.
#[derive(Clone, PartialEq, Message)]
pub struct Model {
    /// The IR version of the file format.
    #[prost(int64, optional, tag = "1")]
    pub ir_version: Option<i64>,
    /// The program that wrote it.
    #[prost(string, tag = "2")]
    pub producer_name: String,
    /// The version of that program.
    #[prost(string, tag = "3")]
    pub producer_version: String,
    /// A description for people.
    #[prost(string, tag = "6")]
    pub doc_string: String,
    /// The network.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<Graph>,
    /// The operator sets that the nodes use.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSet>,
    /// Metadata as keys and values.
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<Entry>,
}

/// `OperatorSetIdProto`: an operator set.
#[derive(Clone, PartialEq, Message)]
pub struct OperatorSet {
    /// The domain; empty for ONNX's own operators.
    #[prost(string, optional, tag = "1")]
    pub domain: Option<String>,
    /// The version of the operator set.
    #[prost(int64, optional, tag = "2")]
    pub version: Option<i64>,
}

/// `StringStringEntryProto`: a key and its value.
#[derive(Clone, PartialEq, Message)]
pub struct Entry {
    /// The key.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// `GraphProto`: nodes in topological order, with weights, inputs and outputs.
#[derive(Clone, PartialEq, Message)]
pub struct Graph {
    /// The nodes.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<Node>,
    /// The network's name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// The weights.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<Tensor>,
    /// The inputs.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfo>,
    /// The outputs.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfo>,
}

/// `NodeProto`: one operation.
#[derive(Clone, PartialEq, Message)]
pub struct Node {
    /// The names of its inputs.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// The names of its outputs.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// The name of the node.
    #[prost(string, tag = "3")]
    pub name: String,
    /// The operator.
    #[prost(string, tag = "4")]
    pub op_type: String,
    /// The attributes of the operator.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<Attribute>,
}

/// `AttributeProto`: an attribute of an operator.
#[derive(Clone, PartialEq, Message)]
pub struct Attribute {
    /// The name of the attribute.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The value, if it is one integer.
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    /// The value, if it is a list of integers.
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    /// The kind of value: [`Attribute::INT`] or [`Attribute::INTS`].
    #[prost(int32, optional, tag = "20")]
    pub r#type: Option<i32>,
}

impl Attribute {
    /// The type of one integer.
    pub const INT: i32 = 2;
    /// The type of a list of integers.
    pub const INTS: i32 = 7;
}

/// `TensorProto`: a constant tensor.
#[derive(Clone, PartialEq, Message)]
pub struct Tensor {
    /// The length of each dimension.
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    /// The element type; always [`Tensor::FLOAT`].
    #[prost(int32, optional, tag = "2")]
    pub data_type: Option<i32>,
    /// The name that nodes refer to.
    #[prost(string, tag = "8")]
    pub name: String,
    /// The values in row-major order, little-endian.
    #[prost(bytes = "vec", tag = "9")]
    pub raw_data: Vec<u8>,
}

impl Tensor {
    /// The element type of 32-bit floats.
    pub const FLOAT: i32 = 1;
}

/// `ValueInfoProto`: an input or output with its type.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfo {
    /// The name that nodes refer to.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The type of the value.
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<Type>,
}

/// `TypeProto`, reduced to tensors.
#[derive(Clone, PartialEq, Message)]
pub struct Type {
    /// The type, if it is a tensor.
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorType>,
}

/// `TypeProto.Tensor`: the type of a tensor.
#[derive(Clone, PartialEq, Message)]
pub struct TensorType {
    /// The element type; always [`Tensor::FLOAT`].
    #[prost(int32, optional, tag = "1")]
    pub elem_type: Option<i32>,
    /// The shape.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<Shape>,
}

/// `TensorShapeProto`: a shape.
#[derive(Clone, PartialEq, Message)]
pub struct Shape {
    /// The dimensions, outermost first.
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<Dimension>,
}

/// `TensorShapeProto.Dimension`: a fixed length, or a name if the length is free.
#[derive(Clone, PartialEq, Message)]
pub struct Dimension {
    /// The length, if it is fixed.
    #[prost(int64, optional, tag = "1")]
    pub dim_value: Option<i64>,
    /// The name of a free dimension.
    #[prost(string, optional, tag = "2")]
    pub dim_param: Option<String>,
}

//! Weights on the host, by name, and the safetensors format.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;

use burn::module::{Module, Param, ParamId};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use safetensors::SafeTensorError::{self, InvalidHeaderDeserialization as InvalidJson};
use safetensors::tensor::{Dtype, Metadata, SafeTensors, TensorView};

use crate::host_tensor::HostTensor;
use crate::quantization::{Quantization, is_weight_scale};
use crate::{Architecture, ModelError, ParameterVisitor, visit_parameters};

/// Tensors by name: the weights of a network, or other tensors of its parameters.
///
/// The tensors of a network are named `blocks.0.convolution.weight`, `blocks.0.cccp1.bias` and so on. Weights are
/// `[output channels, input channels, kernel, kernel]`, as in PyTorch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Weights {
    tensors: BTreeMap<String, HostTensor>,
    /// The scales of weights that were rounded to int8.
    quantization: Option<Quantization>,
}

/// Returns the names of the three layers of a block.
pub(crate) fn layer_names(block: usize) -> [String; 3] {
    ["convolution", "cccp1", "cccp2"].map(|layer| format!("blocks.{block}.{layer}"))
}

impl Architecture {
    /// Returns the name and shape of each tensor of the network, from the first layer to the last, weight before bias.
    pub fn parameter_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let mut shapes = Vec::new();
        for (index, (block, [input, first, second, third])) in self.block_channels().enumerate() {
            let [convolution, cccp1, cccp2] = layer_names(index);
            for (layer, output, input, kernel) in [
                (convolution, first, input, block.kernel),
                (cccp1, second, first, 1),
                (cccp2, third, second, 1),
            ] {
                shapes.push((format!("{layer}.weight"), vec![output, input, kernel, kernel]));
                shapes.push((format!("{layer}.bias"), vec![output]));
            }
        }
        shapes
    }
}

/// Returns the same ID for a name each time. Burn would draw a random one: in a static program from `/dev/urandom`, and it
/// panics in a root folder without it.
fn parameter_id(name: &str) -> ParamId {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    ParamId::from(hasher.finish())
}

impl Weights {
    /// Creates an empty set of tensors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tensor, replacing one of the same name. If that had int8 weights, all weights are fp32 afterwards: the scales may
    /// not fit the tensor.
    pub fn insert(&mut self, name: impl Into<String>, tensor: HostTensor) {
        let name = name.into();
        self.forget_scales_of(&name);
        self.tensors.insert(name, tensor);
    }

    fn forget_scales_of(&mut self, name: &str) {
        if self.quantization.as_ref().is_some_and(|quantization| quantization.has(name)) {
            self.quantization = None;
        }
    }

    /// Removes and returns the tensor of this name.
    pub fn remove(&mut self, name: &str) -> Option<HostTensor> {
        self.tensors.remove(name)
    }

    /// Returns the tensor of this name.
    pub fn get(&self, name: &str) -> Option<&HostTensor> {
        self.tensors.get(name)
    }

    /// Returns the values of the tensor of this name.
    pub(crate) fn values_mut(&mut self, name: &str) -> Result<&mut [f32], ModelError> {
        self.forget_scales_of(name);
        match self.tensors.get_mut(name) {
            Some(tensor) => Ok(&mut tensor.values),
            None => Err(ModelError::MissingTensor { name: name.to_owned() }),
        }
    }

    /// Returns whether these are int8 weights, from [`Weights::quantized`] or its file.
    pub fn is_quantized(&self) -> bool {
        self.quantization.is_some()
    }

    pub(crate) fn quantization(&self) -> Option<&Quantization> {
        self.quantization.as_ref()
    }

    pub(crate) fn set_quantization(&mut self, quantization: Option<Quantization>) {
        self.quantization = quantization;
    }

    /// Returns all tensors, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &HostTensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Returns whether there are no tensors.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Checks that these are the weights of an architecture: all of its tensors and no others, of its shapes, and finite.
    ///
    /// # Errors
    /// The first difference: [`ModelError::MissingTensor`], [`ModelError::TensorShape`],
    /// [`ModelError::ExtraTensor`] or [`ModelError::NonFinite`].
    pub fn check(&self, architecture: &Architecture) -> Result<(), ModelError> {
        let expected = architecture.parameter_shapes();
        for (name, shape) in &expected {
            let Some(tensor) = self.tensors.get(name) else {
                return Err(ModelError::MissingTensor { name: name.clone() });
            };
            if tensor.shape != *shape {
                return Err(ModelError::TensorShape {
                    name: name.clone(),
                    expected: shape.clone(),
                    found: tensor.shape.clone(),
                });
            }
        }
        if let Some(extra) =
            self.tensors.keys().find(|name| expected.iter().all(|(known, _)| known != *name))
        {
            return Err(ModelError::ExtraTensor {
                name: extra.clone(),
                architecture: architecture.name().to_owned(),
            });
        }
        if let Some(quantization) = &self.quantization {
            quantization.check(architecture)?;
        }
        self.check_finite()
    }

    fn check_finite(&self) -> Result<(), ModelError> {
        for (name, tensor) in &self.tensors {
            if let Some(position) = tensor.values.iter().position(|value| !value.is_finite()) {
                return Err(ModelError::NonFinite {
                    name: name.clone(),
                    position,
                    value: tensor.values[position].to_string(),
                });
            }
        }
        Ok(())
    }

    /// Creates the parameter of this name, which [`Weights::check`] has checked.
    pub(crate) fn parameter<B: Backend, const D: usize>(
        &self,
        name: &str,
        device: &B::Device,
    ) -> Param<Tensor<B, D>> {
        let HostTensor { shape, values } = &self.tensors[name];
        let data = TensorData::new(values.clone(), shape.clone());
        let tensor = Tensor::from_data(data, device).require_grad();
        Param::initialized(parameter_id(name), tensor)
    }

    /// Reads every float parameter of a module from its device. Names are paths in the module.
    ///
    /// # Errors
    /// [`ModelError::DeviceFailed`] or [`ModelError::Device`] where a tensor cannot be read from the device.
    pub fn from_module<B: Backend, M: Module<B>>(module: &M) -> Result<Self, ModelError> {
        let mut reader = Reader { weights: Self::new(), failure: None };
        visit_parameters(module, &mut reader);
        reader.failure.map_or(Ok(reader.weights), Err)
    }

    /// Encodes the tensors as a safetensors file, with one key of metadata. Equal tensors and metadata give equal bytes.
    ///
    /// # Errors
    /// [`ModelError::NotSafetensors`] where a tensor's shape and length disagree.
    pub fn to_safetensors(&self, key: &str, metadata: &str) -> Result<Vec<u8>, ModelError> {
        let mut encoded: BTreeMap<String, Encoded> = self
            .iter()
            .map(|(name, tensor)| {
                let integers = self.quantization.as_ref();
                let integers = integers.and_then(|scales| scales.integers_of(name, tensor));
                (name.to_owned(), Encoded::new(tensor, integers))
            })
            .collect();
        if let Some(quantization) = &self.quantization {
            let scales = quantization.tensors();
            encoded.extend(scales.map(|(name, tensor)| (name, Encoded::new(&tensor, None))));
        }
        let views = encoded
            .iter()
            .map(|(name, Encoded { dtype, shape, bytes })| {
                Ok((name, TensorView::new(*dtype, shape.clone(), bytes)?))
            })
            .collect::<Result<Vec<_>, SafeTensorError>>()
            .map_err(|error| unwritable(&error))?;
        let metadata = HashMap::from([(key.to_owned(), metadata.to_owned())]);
        safetensors::serialize(views, Some(metadata)).map_err(|error| unwritable(&error))
    }

    /// Checks that a file of `length` bytes can be a safetensors file. Reads the header only: a file that merely claims to be
    /// long takes no memory.
    ///
    /// # Errors
    /// [`ModelError::NotSafetensors`], [`ModelError::Pickle`].
    pub fn check_header(mut file: impl Read, length: u64) -> Result<(), ModelError> {
        let differing = |expected, found| Err(ModelError::NotSafetensors { expected, found });
        let mut start = Vec::new();
        file.by_ref()
            .take(HEADER_START)
            .read_to_end(&mut start)
            .map_err(|error| unreadable(&error))?;
        if PICKLES.iter().any(|magic| start.starts_with(magic)) {
            return Err(ModelError::Pickle);
        }
        let Ok(start) = <[u8; HEADER_START as usize]>::try_from(&*start) else {
            let found = format!("{length} bytes");
            return differing("the header's length in 8 bytes".to_owned(), found);
        };
        if is_onnx(start) {
            return Err(ModelError::Onnx);
        }
        let header_bytes = u64::from_le_bytes(start);
        if header_bytes > LONGEST_HEADER {
            let expected = format!("a header of at most {LONGEST_HEADER} bytes");
            return differing(expected, described(start));
        }
        let rest = length.saturating_sub(HEADER_START);
        if header_bytes > rest {
            let expected = format!("a header of {header_bytes} bytes");
            return differing(expected, format!("{rest} bytes"));
        }
        let mut header = Vec::new();
        file.take(header_bytes).read_to_end(&mut header).map_err(|error| unreadable(&error))?;
        let header: Metadata =
            serde_json::from_slice(&header).map_err(|error| unreadable(&InvalidJson(error)))?;
        let promised = header.data_len() as u64;
        if promised != rest - header_bytes {
            let expected = format!("{promised} bytes of tensors, as the header says");
            return differing(expected, (rest - header_bytes).to_string());
        }
        Ok(())
    }

    /// Decodes a safetensors file into its tensors and metadata. Widens 16-bit floats, which is exact, and multiplies int8
    /// weights by their scales.
    ///
    /// # Errors
    /// [`ModelError::NotSafetensors`], [`ModelError::Pickle`] or [`ModelError::TensorType`]. For int8 weights also
    /// [`ModelError::MissingTensor`], [`ModelError::TensorShape`] or [`ModelError::Scale`] for their scales.
    pub fn from_safetensors(bytes: &[u8]) -> Result<(Self, HashMap<String, String>), ModelError> {
        if PICKLES.iter().any(|magic| bytes.starts_with(magic)) {
            return Err(ModelError::Pickle);
        }
        let refused = |error| not_safetensors(bytes, &error);
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(refused)?;
        let file = SafeTensors::deserialize(bytes).map_err(refused)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let is_quantized = file.names().into_iter().any(is_weight_scale);
        let (mut weights, mut integers) = (Self::new(), BTreeMap::new());
        for (name, view) in file.iter() {
            let data = view.data();
            let values = match view.dtype() {
                Dtype::I8 if is_quantized && name.ends_with(".weight") => {
                    let bytes = data.iter().map(|byte| byte.cast_signed().max(-i8::MAX));
                    integers.insert(name.to_owned(), bytes.collect());
                    Vec::new()
                }
                Dtype::F32 => data.as_chunks().0.iter().map(|&le| f32::from_le_bytes(le)).collect(),
                Dtype::BF16 => widened(data, |bits| half::bf16::from_bits(bits).to_f32()),
                Dtype::F16 => widened(data, |bits| half::f16::from_bits(bits).to_f32()),
                other => {
                    let (name, found) = (name.to_owned(), format!("{other:?}"));
                    return Err(ModelError::TensorType { name, found });
                }
            };
            weights.insert(name, HostTensor { shape: view.shape().to_vec(), values });
        }
        if is_quantized {
            weights.quantization = Some(Quantization::take(&mut weights.tensors, &integers)?);
        }
        Ok((weights, metadata))
    }
}

/// A tensor as it is in a file.
struct Encoded {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Encoded {
    /// Encodes a tensor by its integers, if it has any.
    fn new(tensor: &HostTensor, integers: Option<Vec<i8>>) -> Self {
        let shape = tensor.shape.clone();
        if let Some(integers) = integers {
            let bytes = integers.into_iter().map(i8::cast_unsigned).collect();
            return Self { dtype: Dtype::I8, shape, bytes };
        }
        let bytes = tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { dtype: Dtype::F32, shape, bytes }
    }
}

impl FromIterator<(String, HostTensor)> for Weights {
    fn from_iter<I: IntoIterator<Item = (String, HostTensor)>>(tensors: I) -> Self {
        Self { tensors: tensors.into_iter().collect(), quantization: None }
    }
}

/// Widens 16-bit floats to 32 bits.
fn widened(data: &[u8], widen: impl Fn(u16) -> f32) -> Vec<f32> {
    data.as_chunks().0.iter().map(|&le| widen(u16::from_le_bytes(le))).collect()
}

/// The first bytes of PyTorch's own files: of a zip archive, and before version 1.6 of a pickle.
const PICKLES: [&[u8]; 2] = [b"PK\x03\x04", b"\x80\x02"];

/// A safetensors file begins with the length of its header, a 64-bit integer.
const HEADER_START: u64 = 8;

/// The longest header that the format allows, in bytes.
const LONGEST_HEADER: u64 = 100_000_000;

/// Describes the first bytes of a file of another format.
fn described(start: [u8; HEADER_START as usize]) -> String {
    if let Ok(text) = std::str::from_utf8(&start)
        && !text.contains(char::is_control)
    {
        return format!("text that begins with `{text}`");
    }
    let bytes: Vec<_> = start.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("bytes that begin with {}", bytes.join(" "))
}

/// Returns whether a file begins like an ONNX message: with the version of the format, followed by another field.
fn is_onnx(start: [u8; HEADER_START as usize]) -> bool {
    const VERSION: u8 = 0x08;
    const OTHERS: [u8; 5] = [0x12, 0x1a, 0x22, 0x3a, 0x42];
    start[0] == VERSION && (1..=0x20).contains(&start[1]) && OTHERS.contains(&start[2])
}

fn not_safetensors(bytes: &[u8], error: &SafeTensorError) -> ModelError {
    Weights::check_header(bytes, bytes.len() as u64).err().unwrap_or_else(|| unreadable(error))
}

fn unreadable(error: &dyn Display) -> ModelError {
    let expected = "a header that lists tensors".to_owned();
    ModelError::NotSafetensors { expected, found: format!("`{error}`") }
}

fn unwritable(error: &SafeTensorError) -> ModelError {
    let expected = "tensors as long as their shapes say".to_owned();
    ModelError::NotSafetensors { expected, found: format!("`{error}`") }
}

struct Reader {
    weights: Weights,
    failure: Option<ModelError>,
}

impl<B: Backend> ParameterVisitor<B> for Reader {
    fn visit<const D: usize>(&mut self, name: &str, parameter: &Param<Tensor<B, D>>) {
        match HostTensor::read(name, &parameter.val()) {
            Ok(tensor) => self.weights.insert(name, tensor),
            Err(error) => self.failure = Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use burn::module::list_param_ids;
    use burn_flex::{Flex, FlexDevice};

    use super::*;
    use crate::{Builtin, Initialization, NetworkInNetwork};

    #[test]
    fn a_header_that_describes_another_length_is_found_out_without_the_tensors() {
        let tensor = HostTensor { shape: vec![2, 3], values: vec![0.5; 6] };
        let bytes =
            Weights::from_iter([("w".to_owned(), tensor)]).to_safetensors("k", "v").unwrap();
        let length = bytes.len() as u64;
        let header = &bytes[..bytes.len() - 6 * 4];
        Weights::check_header(header, length).unwrap();
        for (content, length) in
            [(header, length - 1), (header, length + 1), (header, 1 << 33), (&[0; 64], 1 << 33)]
        {
            let error = Weights::check_header(content, length).unwrap_err();
            assert!(matches!(error, ModelError::NotSafetensors { .. }), "{error}");
        }
        for start in [u64::MAX, 1 << 33, LONGEST_HEADER + 1, 99] {
            let error = Weights::check_header(&start.to_le_bytes()[..], 99).unwrap_err();
            assert!(error.to_string().contains("expected a header of"), "{error}");
        }
        assert!(matches!(Weights::check_header(&b"PK\x03\x04"[..], 4), Err(ModelError::Pickle)));
        Weights::check_header(&b"short"[..], 5).unwrap_err();
    }

    #[test]
    fn parameters_have_ids_of_their_own_and_the_same_each_time() {
        let architecture = Builtin::PaperMnist.architecture(1, 10).unwrap();
        let ids = |seed| {
            let weights = Initialization::Xavier.weights(&architecture, seed);
            let network =
                NetworkInNetwork::<Flex>::from_weights(&architecture, &weights, &FlexDevice);
            list_param_ids(&network.unwrap())
        };
        let unique: BTreeSet<_> = ids(1).iter().map(ParamId::val).collect();
        assert_eq!(unique.len(), architecture.parameter_shapes().len());
        assert_eq!(ids(1), ids(2));
    }
}

//! The blocks of a network in one call, with everything prepared that images do not change.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, TensorMetadata};
use nin_kernels::{
    ConvInput, Inference, InferenceBlock, MlpconvGeometry, MlpconvWeights, QuantizedInference,
};

use super::host::Host;
use super::maps::{means, planes};
use crate::operation::{cast, uncast};

/// Weight and bias of each layer of a block.
pub(crate) type Parameters<B> = [FloatTensor<B>; 6];

/// The blocks of a network, prepared for inference on a CPU backend.
#[derive(Debug)]
pub(crate) struct Blocks<B: Backend> {
    kernels: Kernels<B>,
    /// Those of the last call.
    sizes: Mutex<Option<Arc<Sizes>>>,
}

#[derive(Debug)]
enum Kernels<B: Backend> {
    /// The parameters are contiguous 32-bit floats. As long as they are here, Burn copies a tensor of them before it writes.
    Float(Inference, Vec<Parameters<B>>),
    Int8(QuantizedInference),
}

/// The sizes of the blocks on images of one shape.
#[derive(Debug)]
pub(crate) struct Sizes {
    /// Of the images, `[batch, channels, height, width]`.
    pub(crate) input: [usize; 4],
    pub(crate) geometries: Vec<MlpconvGeometry>,
    /// Of the class maps, `[batch, classes, height, width]`.
    pub(crate) output: [usize; 4],
}

/// What a network answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// `[batch, classes, height, width]`
    ClassMaps,
    /// The mean of each class map, `[batch, classes]`.
    Logits,
}

impl<B: Backend> Blocks<B> {
    /// Prepares blocks whose layers multiply floats, if `B` is a CPU backend and all parameters are 32-bit floats.
    pub(crate) fn of_floats(kernels: Inference, parameters: Vec<Parameters<B>>) -> Option<Self> {
        #[cfg(feature = "ndarray")]
        let parameters = match contiguous::<B, burn_ndarray::NdArray<f32>>(parameters) {
            Ok(parameters) => {
                return parameters.map(|found| Self::new(Kernels::Float(kernels, found)));
            }
            Err(parameters) => parameters,
        };
        #[cfg(feature = "flex")]
        let parameters = match contiguous::<B, burn_flex::Flex>(parameters) {
            Ok(parameters) => {
                return parameters.map(|found| Self::new(Kernels::Float(kernels, found)));
            }
            Err(parameters) => parameters,
        };
        drop(parameters);
        None
    }

    /// Prepares blocks whose layers multiply bytes.
    pub(crate) fn of_int8(kernels: QuantizedInference) -> Self {
        Self::new(Kernels::Int8(kernels))
    }

    fn new(kernels: Kernels<B>) -> Self {
        Self { kernels, sizes: Mutex::default() }
    }

    /// Returns the sizes on images of this shape: those of the last call, or those that `make` returns.
    pub(crate) fn sizes<E>(
        &self,
        input: [usize; 4],
        make: impl FnOnce() -> Result<Sizes, E>,
    ) -> Result<Arc<Sizes>, E> {
        let mut last = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sizes) = last.as_ref().filter(|sizes| sizes.input == input) {
            return Ok(Arc::clone(sizes));
        }
        let sizes = Arc::new(make()?);
        *last = Some(Arc::clone(&sizes));
        Ok(sizes)
    }

    /// Answers images, `[batch, channels, height, width]`, or returns them if they are not 32-bit floats.
    pub(crate) fn run(
        &self,
        sizes: &Sizes,
        answer: Answer,
        images: FloatTensor<B>,
    ) -> Result<FloatTensor<B>, FloatTensor<B>> {
        #[cfg(feature = "ndarray")]
        let images = match self.run_on::<burn_ndarray::NdArray<f32>>(sizes, answer, images) {
            Ok(output) => return Ok(output),
            Err(images) => images,
        };
        #[cfg(feature = "flex")]
        let images = match self.run_on::<burn_flex::Flex>(sizes, answer, images) {
            Ok(output) => return Ok(output),
            Err(images) => images,
        };
        Err(images)
    }

    /// Answers images if `B` is the backend `H`; otherwise returns them.
    fn run_on<H: Host>(
        &self,
        sizes: &Sizes,
        answer: Answer,
        images: FloatTensor<B>,
    ) -> Result<FloatTensor<B>, FloatTensor<B>> {
        let images = cast::<_, FloatTensor<H>>(images)?;
        if images.dtype() != DType::F32 {
            return Err(uncast(images));
        }
        let images = H::contiguous(images);
        let Some(panels) = H::values(&images).and_then(|images| self.compute::<H>(sizes, images))
        else {
            return Err(uncast(images));
        };
        let [batch, classes, height, width] = sizes.output;
        let shape = [batch, classes, height * width];
        Ok(uncast(match answer {
            Answer::ClassMaps => H::tensor(planes(&panels, shape), &sizes.output),
            Answer::Logits => H::tensor(means(&panels, shape), &[batch, classes]),
        }))
    }

    /// Computes the class maps, in panels.
    fn compute<H: Host>(&self, sizes: &Sizes, images: &[f32]) -> Option<Vec<f32>> {
        let mut output = vec![0.0; sizes.geometries.last()?.output_len()];
        match &self.kernels {
            Kernels::Int8(kernels) => kernels.run(&sizes.geometries, images, &mut output),
            Kernels::Float(kernels, parameters) => {
                let parameters = (parameters as &dyn Any).downcast_ref::<Vec<Parameters<H>>>()?;
                let blocks = parameters.iter().zip(&sizes.geometries).map(block::<H>);
                let blocks: Vec<_> = blocks.collect::<Option<_>>()?;
                kernels.run(&blocks, ConvInput::Planes(images), &mut output)
            }
        }
        .ok()?;
        Some(output)
    }
}

/// Makes parameters contiguous if `B` is the backend `H`; otherwise returns them. `None` if one is not of 32-bit floats.
fn contiguous<B: Backend, H: Host>(
    parameters: Vec<Parameters<B>>,
) -> Result<Option<Vec<Parameters<B>>>, Vec<Parameters<B>>> {
    let parameters = cast::<_, Vec<Parameters<H>>>(parameters)?;
    let parameters: Vec<Parameters<H>> =
        parameters.into_iter().map(|tensors| tensors.map(H::contiguous)).collect();
    let are_floats = parameters.iter().flatten().all(|tensor| H::values(tensor).is_some());
    Ok(are_floats.then(|| uncast(parameters)))
}

/// Returns a block as the kernels take it.
fn block<'a, H: Host>(
    (tensors, geometry): (&'a Parameters<H>, &MlpconvGeometry),
) -> Option<InferenceBlock<'a>> {
    let [weight_1, bias_1, weight_2, bias_2, weight_3, bias_3] =
        tensors.each_ref().map(|tensor| H::values(tensor));
    let weights = MlpconvWeights {
        weight: [weight_1?, weight_2?, weight_3?],
        bias: [Some(bias_1?), Some(bias_2?), Some(bias_3?)],
    };
    Some((*geometry, weights))
}

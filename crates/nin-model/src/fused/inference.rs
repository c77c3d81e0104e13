//! The blocks of a network in one call, with weights packed once.

use burn::tensor::DType;
use burn::tensor::TensorMetadata;
use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use nin_kernels::{ConvInput, Inference, MlpconvGeometry, MlpconvWeights, QuantizedInference};

use super::host::Host;
use crate::operation::{cast, uncast};

/// Weight and bias of each layer of a block.
pub(crate) type Parameters<B> = [FloatTensor<B>; 6];

/// What a network keeps between batches.
#[derive(Debug)]
pub(crate) enum Kernels {
    Float(Inference),
    Int8(QuantizedInference),
}

/// The blocks of a network on a batch.
pub(crate) struct Blocks<'a> {
    pub(crate) kernels: &'a Kernels,
    pub(crate) geometries: &'a [MlpconvGeometry],
    /// `[batch, panels, pixels, 16]`
    pub(crate) output_shape: [usize; 4],
}

impl Blocks<'_> {
    /// Computes the blocks if `B` is the backend `H` and all values are 32-bit floats; otherwise returns `images`,
    /// `[batch, channels, height, width]`.
    pub(super) fn run_on<B: Backend, H: Host>(
        &self,
        parameters: &[Parameters<B>],
        images: FloatTensor<B>,
    ) -> Result<FloatTensor<B>, FloatTensor<B>> {
        let images = cast::<_, FloatTensor<H>>(images)?;
        if images.dtype() != DType::F32 {
            return Err(uncast(images));
        }
        let Ok(parameters) = cast::<_, Vec<Parameters<H>>>(parameters.to_vec()) else {
            return Err(uncast(images));
        };
        let images = H::contiguous(images);
        let parameters: Vec<_> =
            parameters.into_iter().map(|tensors| tensors.map(H::contiguous)).collect();
        match self.compute::<H>(&parameters, &images) {
            Some(output) => Ok(uncast(H::tensor(output, &self.output_shape))),
            None => Err(uncast(images)),
        }
    }

    fn compute<H: Host>(
        &self,
        parameters: &[Parameters<H>],
        images: &FloatTensor<H>,
    ) -> Option<Vec<f32>> {
        let mut blocks = Vec::with_capacity(parameters.len());
        for (tensors, &geometry) in parameters.iter().zip(self.geometries) {
            let [weight_1, bias_1, weight_2, bias_2, weight_3, bias_3] =
                tensors.each_ref().map(|tensor| H::values(tensor));
            let weights = MlpconvWeights {
                weight: [weight_1?, weight_2?, weight_3?],
                bias: [Some(bias_1?), Some(bias_2?), Some(bias_3?)],
            };
            blocks.push((geometry, weights));
        }
        let mut output = vec![0.0; self.output_shape.iter().product()];
        let images = H::values(images)?;
        match self.kernels {
            Kernels::Float(kernels) => kernels.run(&blocks, ConvInput::Planes(images), &mut output),
            Kernels::Int8(kernels) => kernels.run(self.geometries, images, &mut output),
        }
        .ok()?;
        Some(output)
    }
}

//! An mlpconv block and its max pooling by nin-gpu.

use burn_cubecl::kernel::into_contiguous;
use burn_wgpu::{Wgpu, WgpuRuntime};
use cubecl::client::ComputeClient;
use cubecl::server::Handle;
use nin_gpu::{
    ConvGeometry, Convolution, Element, Elements, Error, PoolGeometry, Pooled, Window, max_pool,
    max_pool_gradient, relu_gradient,
};

use super::buffers::{GpuTensor, tensor_on};
use super::switch::convolution;
use crate::Pool;
use crate::operation::Operation;
use crate::shapes::pool_side;

/// An mlpconv block. Its operands are the input, then weight and bias of each layer.
#[derive(Debug, Clone)]
pub(crate) struct GpuBlock {
    pub(super) convolutions: [Convolution; 3],
    pub(super) pool: Option<PoolGeometry>,
    /// `[batch, channels, height, width]`
    pub(super) output_shape: [usize; 4],
}

/// The activations that the forward pass saves for the backward pass.
#[derive(Debug, Clone)]
pub(crate) struct SavedForBackward {
    /// The outputs of the first two layers.
    hidden: [Handle; 2],
    pooled: Option<Pooled>,
}

/// [`GpuBlock::fits`] was asked before, and the geometry comes from the same tensors.
const FITS: &str = "the block fits the adapter and the tensors";

impl GpuBlock {
    /// Returns the block on a batch. Channels are `[input, first, second, third]`, `size` is `[height, width]`, and the window
    /// is that of the first convolution.
    ///
    /// # Errors
    /// As [`ConvGeometry::new`] and [`PoolGeometry::new`].
    pub(crate) fn new(
        batch: usize,
        [input, first, second, third]: [usize; 4],
        size: [usize; 2],
        window: Window,
        pool: Option<&Pool>,
    ) -> Result<Self, Error> {
        let one = Window { kernel: 1, stride: 1, padding: 0 };
        let first_layer = ConvGeometry::new(batch, [input, first], size, window)?;
        let size = first_layer.output_size();
        let layers = [
            first_layer,
            ConvGeometry::new(batch, [first, second], size, one)?,
            ConvGeometry::new(batch, [second, third], size, one)?,
        ];
        let pooled_size = pool.map(|pool| size.map(|side| pool_side(side, pool).unwrap_or(0)));
        let pool = match pool.zip(pooled_size) {
            Some((&Pool { kernel, stride, padding, .. }, pooled_size)) => {
                let window = Window { kernel, stride, padding };
                Some(PoolGeometry::new(batch * third, size, pooled_size, window)?)
            }
            None => None,
        };
        let [height, width] = pooled_size.unwrap_or(size);
        Ok(Self {
            convolutions: layers.map(convolution),
            pool,
            output_shape: [batch, third, height, width],
        })
    }

    /// Returns the block with its products and what lies between its layers in this type. Its input and output are 32-bit
    /// floats.
    pub(super) fn with_element(mut self, element: Element) -> Self {
        let pooled = if self.pool.is_some() { element } else { Element::F32 };
        let stored = [Element::F32, element, element, pooled];
        for (convolution, types) in self.convolutions.iter_mut().zip(stored.windows(2)) {
            let elements = Elements { factors: element, input: types[0], output: types[1] };
            *convolution = convolution.with_elements(elements);
        }
        self.pool = self.pool.map(|pool| pool.with_element(element));
        self
    }

    pub(super) fn output_size(&self) -> [usize; 2] {
        let [_, _, height, width] = self.output_shape;
        [height, width]
    }

    /// Returns whether the device can bind every buffer and run every kernel of the block.
    pub(crate) fn fits(&self, client: &ComputeClient<WgpuRuntime>) -> bool {
        self.convolutions.iter().all(|convolution| convolution.check(client).is_ok())
            && self.pool.is_none_or(|pool| pool.check(client).is_ok())
    }

    fn compute(&self, operands: &[GpuTensor; 7]) -> Result<(GpuTensor, SavedForBackward), Error> {
        let [input, ..] = operands;
        let [input_values, weight_1, bias_1, weight_2, bias_2, weight_3, bias_3] =
            operands.each_ref().map(|operand| &operand.handle);
        let [layer_1, layer_2, layer_3] = &self.convolutions;
        let client = &input.client;
        let first = layer_1.forward(client, [input_values, weight_1, bias_1])?;
        let second = layer_2.forward(client, [&first, weight_2, bias_2])?;
        let third = layer_3.forward(client, [&second, weight_3, bias_3])?;
        let pooled = match &self.pool {
            Some(pool) => Some(max_pool(client, pool, &third)?),
            None => None,
        };
        let output = pooled.as_ref().map_or(third, |pooled| pooled.maxima.clone());
        let saved = SavedForBackward { hidden: [first, second], pooled };
        Ok((tensor_on(input, output, self.output_shape.into()), saved))
    }

    fn gradients(
        &self,
        operands: &[GpuTensor; 7],
        output: &GpuTensor,
        saved: &SavedForBackward,
        gradient: &GpuTensor,
        wanted: [bool; 7],
    ) -> Result<[Option<Handle>; 7], Error> {
        let [input, weight_1, _, weight_2, _, weight_3, _] =
            operands.each_ref().map(|operand| &operand.handle);
        let [first, second] = &saved.hidden;
        let client = &output.client;
        let gradient = if let (Some(pool), Some(pooled)) = (&self.pool, &saved.pooled) {
            max_pool_gradient(client, pool, pooled, &gradient.handle)?
        } else {
            let len = self.output_shape.iter().product();
            relu_gradient(client, len, [&output.handle, &gradient.handle])?
        };
        let mut gradients = [const { None }; 7];
        let mut gradient = Some(gradient);
        for (layer, input, weight, gate) in [
            (2, second, weight_3, Some(second)),
            (1, first, weight_2, Some(first)),
            (0, input, weight_1, None),
        ] {
            let convolution = &self.convolutions[layer];
            let (weight_at, bias_at) = (2 * layer + 1, 2 * layer + 2);
            let Some(of_output) = gradient.take() else { break };
            if wanted[weight_at] || wanted[bias_at] {
                let of = convolution.parameter_gradients(client, [input, &of_output])?;
                gradients[weight_at] = wanted[weight_at].then_some(of.weight);
                gradients[bias_at] = wanted[bias_at].then_some(of.bias);
            }
            if wanted[..weight_at].contains(&true) {
                gradient = Some(convolution.input_gradient(client, [&of_output, weight], gate)?);
            }
        }
        gradients[0] = gradient;
        Ok(gradients)
    }
}

impl Operation<Wgpu, 7> for GpuBlock {
    type Saved = SavedForBackward;

    fn lay_out(tensor: GpuTensor) -> GpuTensor {
        into_contiguous(tensor)
    }

    fn forward(
        &self,
        operands: &[GpuTensor; 7],
        _for_training: bool,
    ) -> (GpuTensor, SavedForBackward) {
        self.compute(operands).expect(FITS)
    }

    fn backward(
        &self,
        operands: &[GpuTensor; 7],
        output: &GpuTensor,
        saved: &SavedForBackward,
        gradient: &GpuTensor,
        wanted: [bool; 7],
    ) -> [Option<GpuTensor>; 7] {
        let gradients = self.gradients(operands, output, saved, gradient, wanted).expect(FITS);
        let mut operands = operands.iter();
        gradients.map(|gradient| {
            let operand = operands.next()?;
            Some(tensor_on(operand, gradient?, operand.meta.shape().clone()))
        })
    }
}

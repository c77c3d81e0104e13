//! Convolution + bias + ReLU by nin-kernels.

use burn::tensor::ops::FloatTensor;
use nin_kernels::{ConvBackward, ConvGeometry, ConvInput, Cpu};

use super::host::Host;
use super::operation::FusedOperation;

/// A convolution with bias and ReLU: operands are input, weight and bias.
#[derive(Debug, Clone)]
pub(crate) struct Convolution {
    pub(crate) cpu: Cpu,
    pub(crate) geometry: ConvGeometry,
    /// Whether the input is plain `[batch, channels, height, width]` images, and not panels.
    pub(crate) input_is_planes: bool,
    /// Whether the gradient of the output comes without the ReLU's mask, so that it is applied
    /// here; else whatever stands behind this layer has applied it.
    pub(crate) masks_own_gradient: bool,
    /// `[batch, panels, pixels, 16]`
    pub(crate) output_shape: [usize; 4],
}

impl Convolution {
    fn input<'a>(&self, values: &'a [f32]) -> ConvInput<'a> {
        if self.input_is_planes {
            ConvInput::Planes(values)
        } else {
            ConvInput::Panels(values)
        }
    }
}

/// Contiguous 32-bit floats, as `operation::run` has made sure.
fn values<H: Host>(tensor: &FloatTensor<H>) -> &[f32] {
    H::values(tensor).expect("operands are contiguous 32-bit floats")
}

/// The geometry was computed from the very tensors whose lengths the kernel checks.
const LENGTHS: &str = "tensors have the lengths of their geometry";

impl FusedOperation<3> for Convolution {
    type Kept = ();

    fn forward<H: Host>(
        &self,
        [input, weight, bias]: &[FloatTensor<H>; 3],
        _for_training: bool,
    ) -> (FloatTensor<H>, ()) {
        let mut output = vec![0.0; self.geometry.output_len()];
        self.cpu
            .conv_relu_forward(
                &self.geometry,
                self.input(values::<H>(input)),
                values::<H>(weight),
                Some(values::<H>(bias)),
                true,
                &mut output,
            )
            .expect(LENGTHS);
        (H::tensor(output, &self.output_shape), ())
    }

    fn backward<H: Host>(
        &self,
        [input, weight, bias]: &[FloatTensor<H>; 3],
        output: &FloatTensor<H>,
        (): &(),
        gradient: &FloatTensor<H>,
        [input_wanted, _, _]: [bool; 3],
    ) -> [Option<FloatTensor<H>>; 3] {
        use burn::tensor::TensorMetadata;

        let input_values = values::<H>(input);
        let mut grad_input = input_wanted.then(|| vec![0.0; input_values.len()]);
        let mut grad_weight = vec![0.0; self.geometry.weight_len()];
        let mut grad_bias = vec![0.0; values::<H>(bias).len()];
        let work = ConvBackward {
            input: self.input(input_values),
            weight: values::<H>(weight),
            grad_output: values::<H>(gradient),
            output: self.masks_own_gradient.then(|| values::<H>(output)),
            grad_input: grad_input.as_deref_mut(),
            // Whatever stands before a layer in panels came out of a ReLU, or is zero where that
            // was: the mask of the layer below costs nothing here.
            mask_grad_input: !self.input_is_planes,
            grad_weight: &mut grad_weight,
            grad_bias: Some(&mut grad_bias),
        };
        self.cpu
            .conv_relu_backward(&self.geometry, work)
            .expect(LENGTHS);
        [
            grad_input.map(|gradient| H::tensor(gradient, &input.shape().to_vec())),
            Some(H::tensor(grad_weight, &weight.shape().to_vec())),
            Some(H::tensor(grad_bias, &bias.shape().to_vec())),
        ]
    }
}

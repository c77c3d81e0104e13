//! A naive implementation in `f64`, on `[batch, channels, height, width]`, that the tests compare the kernels with.

use crate::geometry::{ConvGeometry, PoolGeometry};

/// The gradients of [`conv_backward`].
#[derive(Debug, Clone)]
pub struct ConvGradients {
    /// `[batch, in, height, width]`.
    pub input: Vec<f64>,
    /// `[out, in, height, width]`.
    pub weight: Vec<f64>,
    /// `[out]`.
    pub bias: Vec<f64>,
}

/// Calls `visit(output index, input index, weight index)` for every multiply-accumulate.
fn each_product(geometry: &ConvGeometry, mut visit: impl FnMut(usize, usize, usize)) {
    let g = geometry;
    let ([height, width], [out_height, out_width]) = (g.input, g.output);
    for image in 0..g.batch {
        for out in 0..g.out_channels {
            for y in 0..out_height {
                for x in 0..out_width {
                    let output = ((image * g.out_channels + out) * out_height + y) * out_width + x;
                    for channel in 0..g.in_channels {
                        for ky in 0..g.kernel[0] {
                            for kx in 0..g.kernel[1] {
                                let (row, column) = (y * g.stride[0] + ky, x * g.stride[1] + kx);
                                let (Some(row), Some(column)) = (
                                    row.checked_sub(g.padding[0]),
                                    column.checked_sub(g.padding[1]),
                                ) else {
                                    continue;
                                };
                                if row >= height || column >= width {
                                    continue;
                                }
                                let input = ((image * g.in_channels + channel) * height + row)
                                    * width
                                    + column;
                                let weight = ((out * g.in_channels + channel) * g.kernel[0] + ky)
                                    * g.kernel[1]
                                    + kx;
                                visit(output, input, weight);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Computes a convolution, adds the bias, and applies the ReLU if requested.
pub fn conv_forward(
    geometry: &ConvGeometry,
    input: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    relu: bool,
) -> Vec<f64> {
    let pixels = geometry.out_pixels();
    let mut output = vec![0.0; geometry.batch * geometry.out_channels * pixels];
    each_product(geometry, |o, i, w| {
        output[o] += f64::from(input[i]) * f64::from(weight[w]);
    });
    for (index, value) in output.iter_mut().enumerate() {
        if let Some(bias) = bias {
            *value += f64::from(bias[index / pixels % geometry.out_channels]);
        }
        if relu && *value < 0.0 {
            *value = 0.0;
        }
    }
    output
}

/// Computes the gradients from an output gradient that is already masked by the ReLU.
pub fn conv_backward(
    geometry: &ConvGeometry,
    input: &[f32],
    weight: &[f32],
    grad_output: &[f32],
) -> ConvGradients {
    let pixels = geometry.out_pixels();
    let mut gradients = ConvGradients {
        input: vec![0.0; input.len()],
        weight: vec![0.0; weight.len()],
        bias: vec![0.0; geometry.out_channels],
    };
    each_product(geometry, |o, i, w| {
        gradients.input[i] += f64::from(grad_output[o]) * f64::from(weight[w]);
        gradients.weight[w] += f64::from(grad_output[o]) * f64::from(input[i]);
    });
    for (index, &value) in grad_output.iter().enumerate() {
        gradients.bias[index / pixels % geometry.out_channels] += f64::from(value);
    }
    gradients
}

/// Computes a max pooling: the values, and the position of each in its window, in row-major order. As in PyTorch, the
/// first maximum wins, and the last NaN wins over everything else.
pub fn max_pool_forward(geometry: &PoolGeometry, input: &[f32]) -> (Vec<f32>, Vec<u8>) {
    let g = geometry;
    let ([height, width], [out_height, out_width]) = (g.input, g.output);
    let (mut values, mut positions) = (Vec::new(), Vec::new());
    for plane in 0..g.batch * g.channels {
        for y in 0..out_height {
            for x in 0..out_width {
                let (mut best, mut at) = (f32::NEG_INFINITY, None);
                for ky in 0..g.window[0] {
                    for kx in 0..g.window[1] {
                        let (Some(row), Some(column)) = (
                            (y * g.stride[0] + ky).checked_sub(g.padding[0]),
                            (x * g.stride[1] + kx).checked_sub(g.padding[1]),
                        ) else {
                            continue;
                        };
                        if row >= height || column >= width {
                            continue;
                        }
                        let value = input[(plane * height + row) * width + column];
                        if at.is_none() || value > best || value.is_nan() {
                            best = value;
                            at = Some(ky * g.window[1] + kx);
                        }
                    }
                }
                values.push(best);
                positions.push(at.unwrap_or(0) as u8);
            }
        }
    }
    (values, positions)
}

/// Computes the input gradient of a max pooling from the positions that [`max_pool_forward`] returns.
pub fn max_pool_backward(
    geometry: &PoolGeometry,
    positions: &[u8],
    grad_output: &[f32],
) -> Vec<f64> {
    let g = geometry;
    let ([height, width], [out_height, out_width]) = (g.input, g.output);
    let mut gradient = vec![0.0; g.batch * g.channels * height * width];
    for (index, (&position, &value)) in positions.iter().zip(grad_output).enumerate() {
        let (plane, pixel) = (index / (out_height * out_width), index % (out_height * out_width));
        let (y, x) = (pixel / out_width, pixel % out_width);
        let (ky, kx) = (usize::from(position) / g.window[1], usize::from(position) % g.window[1]);
        let (row, column) =
            (y * g.stride[0] + ky - g.padding[0], x * g.stride[1] + kx - g.padding[1]);
        gradient[(plane * height + row) * width + column] += f64::from(value);
    }
    gradient
}

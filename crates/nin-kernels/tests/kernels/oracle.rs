//! A naive implementation in `f64`, on `[batch, channels, height, width]`, to compare the kernels with.

use nin_kernels::{ConvGeometry, PoolGeometry};

/// The gradients of [`conv_backward`].
#[derive(Debug, Clone)]
pub(crate) struct ConvGradients {
    /// `[batch, in, height, width]`.
    pub(crate) input: Vec<f64>,
    /// `[out, in, height, width]`.
    pub(crate) weight: Vec<f64>,
    /// `[out]`.
    pub(crate) bias: Vec<f64>,
}

/// Calls `visit(output index, input index, weight index)` for every multiply-accumulate.
fn each_product(geometry: &ConvGeometry, mut visit: impl FnMut(usize, usize, usize)) {
    let g = geometry;
    let ([height, width], [out_height, out_width]) = (g.input_size(), g.output_size());
    let [inputs, outputs] = g.channels();
    let (kernel, stride, padding) = (g.kernel_size(), g.stride(), g.padding());
    for image in 0..g.batch() {
        for out in 0..outputs {
            for y in 0..out_height {
                for x in 0..out_width {
                    let output = ((image * outputs + out) * out_height + y) * out_width + x;
                    for channel in 0..inputs {
                        for ky in 0..kernel[0] {
                            for kx in 0..kernel[1] {
                                let (row, column) = (y * stride[0] + ky, x * stride[1] + kx);
                                let (Some(row), Some(column)) =
                                    (row.checked_sub(padding[0]), column.checked_sub(padding[1]))
                                else {
                                    continue;
                                };
                                if row >= height || column >= width {
                                    continue;
                                }
                                let input =
                                    ((image * inputs + channel) * height + row) * width + column;
                                let weight =
                                    ((out * inputs + channel) * kernel[0] + ky) * kernel[1] + kx;
                                visit(output, input, weight);
                            }
                        }
                    }
                }
            }
        }
    }
}

fn out_pixels(geometry: &ConvGeometry) -> usize {
    geometry.output_size().iter().product()
}

/// Computes a convolution, adds the bias, and applies the ReLU if requested.
pub(crate) fn conv_forward(
    geometry: &ConvGeometry,
    input: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    relu: bool,
) -> Vec<f64> {
    let (pixels, outputs) = (out_pixels(geometry), geometry.channels()[1]);
    let mut output = vec![0.0; geometry.batch() * outputs * pixels];
    each_product(geometry, |o, i, w| {
        output[o] += f64::from(input[i]) * f64::from(weight[w]);
    });
    for (index, value) in output.iter_mut().enumerate() {
        if let Some(bias) = bias {
            *value += f64::from(bias[index / pixels % outputs]);
        }
        if relu && *value < 0.0 {
            *value = 0.0;
        }
    }
    output
}

/// Computes the gradients from an output gradient that is already masked by the ReLU.
pub(crate) fn conv_backward(
    geometry: &ConvGeometry,
    input: &[f32],
    weight: &[f32],
    grad_output: &[f32],
) -> ConvGradients {
    let (pixels, outputs) = (out_pixels(geometry), geometry.channels()[1]);
    let mut gradients = ConvGradients {
        input: vec![0.0; input.len()],
        weight: vec![0.0; weight.len()],
        bias: vec![0.0; outputs],
    };
    each_product(geometry, |o, i, w| {
        gradients.input[i] += f64::from(grad_output[o]) * f64::from(weight[w]);
        gradients.weight[w] += f64::from(grad_output[o]) * f64::from(input[i]);
    });
    for (index, &value) in grad_output.iter().enumerate() {
        gradients.bias[index / pixels % outputs] += f64::from(value);
    }
    gradients
}

/// Computes a max pooling: the values, and the position of each in its window, in row-major order. As in PyTorch, the
/// first maximum wins, and the last NaN wins over everything else.
pub(crate) fn max_pool_forward(geometry: &PoolGeometry, input: &[f32]) -> (Vec<f32>, Vec<u8>) {
    let g = geometry;
    let ([height, width], [out_height, out_width]) = (g.input_size(), g.output_size());
    let (window, stride, padding) = (g.window_size(), g.stride(), g.padding());
    let (mut values, mut positions) = (Vec::new(), Vec::new());
    for plane in 0..g.batch() * g.channels() {
        for y in 0..out_height {
            for x in 0..out_width {
                let (mut best, mut at) = (f32::NEG_INFINITY, None);
                for ky in 0..window[0] {
                    for kx in 0..window[1] {
                        let (Some(row), Some(column)) = (
                            (y * stride[0] + ky).checked_sub(padding[0]),
                            (x * stride[1] + kx).checked_sub(padding[1]),
                        ) else {
                            continue;
                        };
                        if row >= height || column >= width {
                            continue;
                        }
                        let value = input[(plane * height + row) * width + column];
                        if at.is_none() || value > best || value.is_nan() {
                            best = value;
                            at = Some(ky * window[1] + kx);
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
pub(crate) fn max_pool_backward(
    geometry: &PoolGeometry,
    positions: &[u8],
    grad_output: &[f32],
) -> Vec<f64> {
    let g = geometry;
    let ([height, width], [out_height, out_width]) = (g.input_size(), g.output_size());
    let (window, stride, padding) = (g.window_size(), g.stride(), g.padding());
    let mut gradient = vec![0.0; g.batch() * g.channels() * height * width];
    for (index, (&position, &value)) in positions.iter().zip(grad_output).enumerate() {
        let (plane, pixel) = (index / (out_height * out_width), index % (out_height * out_width));
        let (y, x) = (pixel / out_width, pixel % out_width);
        let (ky, kx) = (usize::from(position) / window[1], usize::from(position) % window[1]);
        let (row, column) = (y * stride[0] + ky - padding[0], x * stride[1] + kx - padding[1]);
        gradient[(plane * height + row) * width + column] += f64::from(value);
    }
    gradient
}

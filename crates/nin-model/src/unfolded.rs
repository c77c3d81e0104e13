//! Convolution by im2col and matrix multiplication, with its gradients: for wgpu, where a block is too large for the kernels of
//! nin-gpu.
//!
//! On wgpu, Burn 0.21 computes a convolution by a direct kernel, and its gradients by convolutions whose kernels are whole
//! images. Its matrix multiplication is an order of magnitude faster (docs/adr/0040-products-on-wgpu.md), so each image
//! becomes one product, `[outputs, taps x inputs] x [taps x inputs, pixels]`. A 1x1 convolution needs no unfolding.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Slice, Tensor};

use crate::operation::{Operation, primitive, tensor};

/// The largest number of values in a buffer: 128 MiB, which every WebGPU adapter can bind. Larger batches are unfolded in
/// parts.
pub(crate) const LARGEST_BUFFER: usize = 1 << 25;

const HEIGHT: usize = 2;
const WIDTH: usize = 3;

/// A convolution without bias. Its operands are the input, `[batch, inputs, height, width]`, and the weight,
/// `[outputs, inputs, kernel, kernel]`.
#[derive(Debug, Clone)]
pub(crate) struct UnfoldedConvolution {
    pub(crate) stride: usize,
    pub(crate) padding: usize,
    /// The largest number of values in a buffer.
    pub(crate) largest_buffer: usize,
}

impl UnfoldedConvolution {
    /// Returns the number of output pixels along a side of `input` pixels.
    fn side(&self, input: usize, kernel: usize) -> usize {
        (input + 2 * self.padding - kernel) / self.stride + 1
    }

    /// Returns how many images, each with `len` values in a buffer of its own, are computed at once.
    fn part(&self, len: usize) -> usize {
        (self.largest_buffer / len).max(1)
    }

    /// Returns the number of values of an image's patches; 1 where they are the input itself.
    fn unfolded_len(&self, kernel: usize, inputs: usize, pixels: usize) -> usize {
        if self.is_plain(kernel) { 1 } else { kernel * kernel * inputs * pixels }
    }

    fn is_plain(&self, kernel: usize) -> bool {
        kernel == 1 && self.stride == 1 && self.padding == 0
    }

    /// Returns the pixels of the padded input under one tap, at `offset` in the kernel, along one axis.
    fn under_tap(&self, axis: usize, offset: usize, pixels: usize) -> [Slice; 4] {
        let end = offset + (pixels - 1) * self.stride + 1;
        let mut slices = [Slice::full(); 4];
        slices[axis] = Slice::new(offset as isize, Some(end as isize), self.stride as isize);
        slices
    }

    /// Unfolds `[images, inputs, height, width]` into `[images, taps x inputs, pixels]`. First along the height, then along
    /// the width: that takes `2 * kernel` slices instead of `kernel * kernel`.
    fn unfold<I: Backend>(&self, images: Tensor<I, 4>, kernel: usize) -> Tensor<I, 3> {
        let [count, inputs, height, width] = images.dims();
        if self.is_plain(kernel) {
            return images.reshape([count, inputs, height * width]);
        }
        let mut unfolded = match self.padding {
            0 => images,
            padding => images.pad((padding, padding, padding, padding), 0.0),
        };
        let [down, across] = [height, width].map(|side| self.side(side, kernel));
        for (axis, pixels) in [(HEIGHT, down), (WIDTH, across)] {
            let cut = |offset| unfolded.clone().slice(self.under_tap(axis, offset, pixels));
            unfolded = Tensor::cat((0..kernel).map(cut).collect(), 1);
        }
        unfolded.reshape([count, kernel * kernel * inputs, down * across])
    }

    /// Sums `[images, taps x inputs, pixels]` into `[images, inputs, height, width]`: the adjoint of [`unfold`](Self::unfold).
    fn fold<I: Backend>(
        &self,
        patches: Tensor<I, 3>,
        kernel: usize,
        [inputs, height, width]: [usize; 3],
    ) -> Tensor<I, 4> {
        let [count, _, _] = patches.dims();
        if self.is_plain(kernel) {
            return patches.reshape([count, inputs, height, width]);
        }
        let [down, across] = [height, width].map(|side| self.side(side, kernel));
        let mut folded = patches.reshape([count, kernel * kernel * inputs, down, across]);
        for (axis, side, pixels) in [(WIDTH, width, across), (HEIGHT, height, down)] {
            let mut shape = folded.dims();
            shape[1] /= kernel;
            shape[axis] = side + 2 * self.padding;
            let mut sum = Tensor::zeros(shape, &folded.device());
            for offset in 0..kernel {
                let part = folded.clone().narrow(1, offset * shape[1], shape[1]);
                let place = self.under_tap(axis, offset, pixels);
                let so_far = sum.clone().slice(place);
                sum = sum.slice_assign(place, so_far + part);
            }
            folded = sum;
        }
        folded.narrow(HEIGHT, self.padding, height).narrow(WIDTH, self.padding, width)
    }
}

/// Reshapes `[outputs, inputs, kernel, kernel]` to `[1, outputs, taps x inputs]`.
fn rows<I: Backend>(weight: Tensor<I, 4>) -> Tensor<I, 3> {
    let [outputs, inputs, kernel, _] = weight.dims();
    weight.permute([0, 3, 2, 1]).reshape([1, outputs, kernel * kernel * inputs])
}

/// Joins parts of a batch. A single part is returned as it is, because `Tensor::cat` would copy it.
fn join<I: Backend, const D: usize>(mut parts: Vec<Tensor<I, D>>) -> Tensor<I, D> {
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            parts.extend(last);
            Tensor::cat(parts, 0)
        }
    }
}

/// Divides the batch into parts of at most `part` images, as pairs of start and length.
fn parts(batch: usize, part: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..batch).step_by(part).map(move |first| (first, part.min(batch - first)))
}

impl<I: Backend> Operation<I, 2> for UnfoldedConvolution {
    type Saved = ();

    fn forward(
        &self,
        [input, weight]: &[FloatTensor<I>; 2],
        _for_training: bool,
    ) -> (FloatTensor<I>, ()) {
        let [input, weight] = [input, weight].map(|operand| tensor::<I, 4>(operand.clone()));
        let [batch, inputs, height, width] = input.dims();
        let [outputs, _, kernel, _] = weight.dims();
        let [down, across] = [height, width].map(|side| self.side(side, kernel));
        let part = self.part(self.unfolded_len(kernel, inputs, down * across));
        let weight = rows(weight);
        let products = parts(batch, part)
            .map(|(first, count)| {
                let patches = self.unfold(input.clone().narrow(0, first, count), kernel);
                weight.clone().matmul(patches) // [images, outputs, pixels]
            })
            .collect();
        let output = join(products).reshape([batch, outputs, down, across]);
        (primitive(output), ())
    }

    fn backward(
        &self,
        [input, weight]: &[FloatTensor<I>; 2],
        _output: &FloatTensor<I>,
        (): &(),
        gradient: &FloatTensor<I>,
        [wants_input, wants_weight]: [bool; 2],
    ) -> [Option<FloatTensor<I>>; 2] {
        let [input, weight, gradient] =
            [input, weight, gradient].map(|operand| tensor::<I, 4>(operand.clone()));
        let [batch, inputs, height, width] = input.dims();
        let [outputs, _, kernel, _] = weight.dims();
        let [_, _, down, across] = gradient.dims();
        let gradient = gradient.reshape([batch, outputs, down * across]);
        let unfolded_len = self.unfolded_len(kernel, inputs, down * across);

        let of_weight = wants_weight.then(|| {
            let gradient_len = kernel * kernel * inputs * outputs; // of each image
            let part = self.part(unfolded_len.max(gradient_len));
            let mut sum = Tensor::zeros([1, outputs, kernel * kernel * inputs], &input.device());
            for (first, count) in parts(batch, part) {
                let patches = self.unfold(input.clone().narrow(0, first, count), kernel);
                let gradient = gradient.clone().narrow(0, first, count);
                sum = sum + gradient.matmul(patches.transpose()).sum_dim(0);
            }
            primitive(sum.reshape([outputs, kernel, kernel, inputs]).permute([0, 3, 2, 1]))
        });
        let of_input = wants_input.then(|| {
            let columns = rows(weight).transpose(); // [1, taps x inputs, outputs]
            let part = self.part(unfolded_len);
            let folded = parts(batch, part)
                .map(|(first, count)| {
                    let patches = columns.clone().matmul(gradient.clone().narrow(0, first, count));
                    self.fold(patches, kernel, [inputs, height, width])
                })
                .collect();
            primitive(join(folded))
        });
        [of_input, of_weight]
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Autodiff;
    use burn::tensor::TensorData;
    use burn::tensor::module::conv2d;
    use burn::tensor::ops::ConvOptions;
    use burn_flex::{Flex, FlexDevice};

    use super::*;
    use crate::operation::run_on;

    /// Of the largest value: 32-bit sums of some hundred products in another order.
    const TOLERANCE: f32 = 1e-5;

    type Traced = Autodiff<Flex>;

    fn numbers(shape: [usize; 4], salt: u32) -> Tensor<Traced, 4> {
        let values: Vec<f32> = (0..shape.iter().product::<usize>() as u32)
            .map(|at| ((at + salt).wrapping_mul(2_654_435_761) >> 8) as f32 / 16_777_216.0 - 0.5)
            .collect();
        Tensor::from_data(TensorData::new(values, shape), &FlexDevice)
    }

    fn assert_close(what: &str, found: Tensor<Flex, 4>, expected: Tensor<Flex, 4>) {
        assert_eq!(found.dims(), expected.dims(), "{what}");
        let [found, expected] = [found, expected].map(|it| it.into_data().to_vec::<f32>().unwrap());
        let largest = expected.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        assert!(largest > 0.0, "{what}: all is zero");
        for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert!(
                (found - expected).abs() <= TOLERANCE * largest,
                "{what}[{at}]: {found}, {expected}"
            );
        }
    }

    /// Output and both gradients of an operation, the output weighted so that no two of its values count alike.
    fn step(
        shape: [usize; 4],
        kernel: [usize; 4],
        convolve: impl Fn(Tensor<Traced, 4>, Tensor<Traced, 4>) -> Tensor<Traced, 4>,
    ) -> [Tensor<Flex, 4>; 3] {
        let input = numbers(shape, 1).require_grad();
        let weight = numbers(kernel, 2).require_grad();
        let output = convolve(input.clone(), weight.clone());
        let gradients = (output.clone() * numbers(output.dims(), 3)).sum().backward();
        let of = |operand: Tensor<Traced, 4>| operand.grad(&gradients).unwrap();
        [output.inner(), of(input), of(weight)]
    }

    fn compare(
        shape: [usize; 4],
        kernel: [usize; 4],
        [stride, padding]: [usize; 2],
        buffer: usize,
    ) {
        let expected = step(shape, kernel, |input, weight| {
            let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
            conv2d(input, weight, None, options)
        });
        let found = step(shape, kernel, |input, weight| {
            let operation = UnfoldedConvolution { stride, padding, largest_buffer: buffer };
            let operands = [primitive(input), primitive(weight)];
            tensor(run_on::<Traced, Flex, _, 2>(&operation, operands).unwrap())
        });
        let name = format!("{shape:?} by {kernel:?}, stride {stride}, padding {padding}, {buffer}");
        for ((what, found), expected) in
            ["output", "input's gradient", "weight's gradient"].into_iter().zip(found).zip(expected)
        {
            assert_close(&format!("{name}: {what}"), found, expected);
        }
    }

    #[test]
    fn it_is_burns_convolution_with_its_gradients() {
        for (kernel, stride, padding, height, width) in [
            (1, 1, 0, 5, 4),
            (1, 2, 0, 6, 5),
            (1, 1, 1, 3, 3),
            (3, 1, 1, 7, 6),
            (3, 1, 0, 3, 3),
            (3, 2, 1, 8, 7),
            (5, 1, 2, 6, 9),
            (5, 3, 3, 10, 8),
            (11, 4, 0, 23, 27),
        ] {
            for [batch, inputs, outputs] in [[1, 1, 1], [3, 2, 5], [2, 4, 3]] {
                compare(
                    [batch, inputs, height, width],
                    [outputs, inputs, kernel, kernel],
                    [stride, padding],
                    LARGEST_BUFFER,
                );
            }
        }
    }

    #[test]
    fn parts_of_a_batch_make_the_whole() {
        // Patches of 3 x 3 x 2 taps at 30 pixels: two images at a time, and one where not even one fits.
        for buffer in [2 * 18 * 30, 18 * 30 - 1] {
            compare([5, 2, 5, 6], [4, 2, 3, 3], [1, 1], buffer);
        }
    }
}

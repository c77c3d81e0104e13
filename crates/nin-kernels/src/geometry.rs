//! The sizes of a convolution and of a pooling, checked on creation.

use crate::error::Error;
use crate::panels::{PANEL, panels_of};

/// The sizes of a convolution over a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConvGeometry {
    pub(crate) batch: usize,
    pub(crate) in_channels: usize,
    pub(crate) out_channels: usize,
    pub(crate) input: [usize; 2],
    pub(crate) output: [usize; 2],
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) padding: [usize; 2],
}

impl ConvGeometry {
    /// Checks the sizes. `channels` is `[in, out]`; all others are `[height, width]` in pixels, with `padding` on each side.
    ///
    /// # Errors
    /// [`Error::Zero`] for a size of zero (except padding), [`Error::KernelTooLarge`] for a kernel larger than the padded
    /// input, [`Error::TooLarge`] for sizes that overflow.
    pub fn new(
        batch: usize,
        channels: [usize; 2],
        input: [usize; 2],
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> Result<Self, Error> {
        for (name, sizes) in
            [("channels", channels), ("input", input), ("kernel", kernel), ("stride", stride)]
        {
            if sizes.contains(&0) {
                return Err(Error::Zero { name });
            }
        }
        if batch == 0 {
            return Err(Error::Zero { name: "batch" });
        }
        let mut output = [0; 2];
        for axis in 0..2 {
            output[axis] = windows(input[axis], kernel[axis], stride[axis], padding[axis])?;
        }
        let geometry = Self {
            batch,
            in_channels: channels[0],
            out_channels: channels[1],
            input,
            output,
            kernel,
            stride,
            padding,
        };
        // No product that is formed later exceeds these two.
        let rows = |axis: usize| -> Result<usize, Error> {
            let padded =
                product(&[padding[axis], 2])?.checked_add(input[axis]).ok_or(Error::TooLarge)?;
            let covered = padded.checked_add(kernel[axis]).ok_or(Error::TooLarge)?;
            // Loops count in strides, and a stride may be longer than the image.
            covered.checked_add(stride[axis]).ok_or(Error::TooLarge)
        };
        let widest = channels[0].max(channels[1]).checked_add(PANEL).ok_or(Error::TooLarge)?;
        product(&[batch, widest, rows(0)?, rows(1)?, size_of::<f32>(), 64])?;
        product(&[widest, widest, kernel[0] + 8, kernel[1] + 8, size_of::<f32>(), 64])?;
        Ok(geometry)
    }

    /// Returns the number of images in the batch.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Returns the number of channels, `[in, out]`.
    pub fn channels(&self) -> [usize; 2] {
        [self.in_channels, self.out_channels]
    }

    /// Returns the size of the input in pixels, `[height, width]`.
    pub fn input_size(&self) -> [usize; 2] {
        self.input
    }

    /// Returns the size of the output in pixels, `[height, width]`.
    pub fn output_size(&self) -> [usize; 2] {
        self.output
    }

    /// Returns the size of the kernel in pixels, `[height, width]`.
    pub fn kernel_size(&self) -> [usize; 2] {
        self.kernel
    }

    /// Returns the stride in pixels, `[height, width]`.
    pub fn stride(&self) -> [usize; 2] {
        self.stride
    }

    /// Returns the padding on each side in pixels, `[height, width]`.
    pub fn padding(&self) -> [usize; 2] {
        self.padding
    }

    /// Returns the multiply-accumulates of one forward pass over the batch by the direct algorithm.
    pub fn macs(&self) -> u64 {
        let per_output = self.in_channels * self.kernel[0] * self.kernel[1];
        self.batch as u64 * (self.out_channels * self.out_pixels()) as u64 * per_output as u64
    }

    /// Returns the number of values of the input in panels.
    pub fn input_len(&self) -> usize {
        self.batch * self.in_image()
    }

    /// Returns the number of values of the input as `[batch, channels, height, width]`.
    pub fn input_planes_len(&self) -> usize {
        self.batch * self.in_channels * self.in_pixels()
    }

    /// Returns the number of values of the output in panels.
    pub fn output_len(&self) -> usize {
        self.batch * self.out_image()
    }

    /// Returns the number of values of the weight, `[out, in, height, width]`.
    pub fn weight_len(&self) -> usize {
        self.out_channels * self.in_channels * self.kernel[0] * self.kernel[1]
    }

    pub(crate) fn in_pixels(&self) -> usize {
        self.input[0] * self.input[1]
    }

    pub(crate) fn out_pixels(&self) -> usize {
        self.output[0] * self.output[1]
    }

    pub(crate) fn in_panels(&self) -> usize {
        panels_of(self.in_channels)
    }

    pub(crate) fn out_panels(&self) -> usize {
        panels_of(self.out_channels)
    }

    pub(crate) fn in_image(&self) -> usize {
        self.in_panels() * self.in_pixels() * PANEL
    }

    pub(crate) fn out_image(&self) -> usize {
        self.out_panels() * self.out_pixels() * PANEL
    }

    /// Returns whether each output pixel depends on one input pixel, so that the image can be treated as a single row.
    pub(crate) fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.padding == [0, 0]
    }
}

/// The sizes of a max pooling over a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PoolGeometry {
    pub(crate) batch: usize,
    pub(crate) channels: usize,
    pub(crate) input: [usize; 2],
    pub(crate) output: [usize; 2],
    pub(crate) window: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) padding: [usize; 2],
}

impl PoolGeometry {
    /// Checks the sizes, all `[height, width]` in pixels. With `ceil_mode` the last window may extend beyond the input, as in
    /// PyTorch, if it starts in the input or in the padding before it.
    ///
    /// # Errors
    /// [`Error::Zero`] for a size of zero, [`Error::KernelTooLarge`] for a window larger than the padded input,
    /// [`Error::Pool`] for a window of more than 256 positions or padding of more than half a window, [`Error::TooLarge`]
    /// for sizes that overflow.
    pub fn new(
        batch: usize,
        channels: usize,
        input: [usize; 2],
        window: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
        ceil_mode: bool,
    ) -> Result<Self, Error> {
        if stride.contains(&0) {
            return Err(Error::Zero { name: "stride" });
        }
        if window.contains(&0) {
            return Err(Error::Zero { name: "window" });
        }
        let mut output = [0; 2];
        for axis in 0..2 {
            output[axis] = windows(input[axis], window[axis], stride[axis], padding[axis])?;
            let covered = (output[axis] - 1) * stride[axis] + window[axis];
            let next = output[axis].checked_mul(stride[axis]).ok_or(Error::TooLarge)?;
            if ceil_mode
                && covered < input[axis] + 2 * padding[axis]
                && next < input[axis] + padding[axis]
            {
                output[axis] += 1;
            }
        }
        Self::with_output(batch, channels, input, window, stride, padding, output)
    }

    /// Checks the sizes as [`new`](Self::new) does, for a given size of the output.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`Error::Pool`] where a window would hold no pixel.
    pub fn with_output(
        batch: usize,
        channels: usize,
        input: [usize; 2],
        window: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
        output: [usize; 2],
    ) -> Result<Self, Error> {
        for (name, sizes) in
            [("input", input), ("window", window), ("stride", stride), ("output", output)]
        {
            if sizes.contains(&0) {
                return Err(Error::Zero { name });
            }
        }
        for (name, size) in [("batch", batch), ("channels", channels)] {
            if size == 0 {
                return Err(Error::Zero { name });
            }
        }
        let refused = Error::Pool { window, stride, padding, input, output };
        if product(&window)? > 256 {
            return Err(refused);
        }
        for axis in 0..2 {
            let last = (output[axis] - 1).checked_mul(stride[axis]).ok_or(Error::TooLarge)?;
            // Bounds the padding before it is added to anything: half a window is at most 128.
            if padding[axis] > window[axis] / 2 {
                return Err(refused);
            }
            let end = input[axis].checked_add(padding[axis]).ok_or(Error::TooLarge)?;
            if last >= end {
                return Err(refused);
            }
        }
        let widest = channels.checked_add(PANEL).ok_or(Error::TooLarge)?;
        let covered = |axis: usize| input[axis].checked_add(window[axis]).ok_or(Error::TooLarge);
        product(&[batch, widest, covered(0)?, covered(1)?, 64])?;
        Ok(Self { batch, channels, input, output, window, stride, padding })
    }

    /// Returns the number of images in the batch.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Returns the number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Returns the size of the input in pixels, `[height, width]`.
    pub fn input_size(&self) -> [usize; 2] {
        self.input
    }

    /// Returns the size of the output in pixels, `[height, width]`.
    pub fn output_size(&self) -> [usize; 2] {
        self.output
    }

    /// Returns the size of the window in pixels, `[height, width]`.
    pub fn window_size(&self) -> [usize; 2] {
        self.window
    }

    /// Returns the stride in pixels, `[height, width]`.
    pub fn stride(&self) -> [usize; 2] {
        self.stride
    }

    /// Returns the padding on each side in pixels, `[height, width]`.
    pub fn padding(&self) -> [usize; 2] {
        self.padding
    }

    /// Returns the number of values of the input in panels.
    pub fn input_len(&self) -> usize {
        self.batch * panels_of(self.channels) * self.input[0] * self.input[1] * PANEL
    }

    /// Returns the number of values of the output in panels, and of positions.
    pub fn output_len(&self) -> usize {
        self.batch * panels_of(self.channels) * self.output[0] * self.output[1] * PANEL
    }
}

/// Returns how many windows fit along one axis.
fn windows(input: usize, window: usize, stride: usize, padding: usize) -> Result<usize, Error> {
    let padded =
        padding.checked_mul(2).and_then(|both| both.checked_add(input)).ok_or(Error::TooLarge)?;
    if window > padded {
        return Err(Error::KernelTooLarge { kernel: window, input, padding });
    }
    Ok((padded - window) / stride + 1)
}

/// Returns the product if a slice of that many bytes can exist.
fn product(factors: &[usize]) -> Result<usize, Error> {
    let product = factors.iter().try_fold(1_usize, |product, &factor| product.checked_mul(factor));
    product.filter(|&product| isize::try_from(product).is_ok()).ok_or(Error::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_sizes_are_the_books() {
        let first = ConvGeometry::new(1, [1, 96], [224, 224], [11, 11], [4, 4], [0, 0]).unwrap();
        assert_eq!(first.output_size(), [54, 54]);
        let pool = PoolGeometry::new(1, 96, [54, 54], [3, 3], [2, 2], [0, 0], false).unwrap();
        assert_eq!(pool.output_size(), [26, 26]);
    }

    #[test]
    fn ceil_mode_reaches_over_the_edge() {
        let pool = |size, ceil| {
            PoolGeometry::new(1, 96, [size; 2], [3, 3], [2, 2], [0, 0], ceil).unwrap().output_size()
        };
        assert_eq!(pool(32, true), [16, 16]);
        assert_eq!(pool(32, false), [15, 15]);
        assert_eq!(pool(28, true), [14, 14]);
        // The window that would start in the far padding does not count.
        let padded = PoolGeometry::new(1, 1, [3, 3], [2, 2], [2, 2], [1, 1], true).unwrap();
        assert_eq!(padded.output_size(), [2, 2]);
    }

    #[test]
    fn bad_sizes_are_errors() {
        assert!(matches!(
            ConvGeometry::new(0, [1, 1], [1, 1], [1, 1], [1, 1], [0, 0]),
            Err(Error::Zero { name: "batch" })
        ));
        assert!(matches!(
            ConvGeometry::new(1, [1, 1], [4, 4], [5, 1], [1, 1], [0, 0]),
            Err(Error::KernelTooLarge { kernel: 5, input: 4, padding: 0 })
        ));
        let huge = usize::MAX / 2;
        assert!(matches!(
            ConvGeometry::new(huge, [9, 9], [9, 9], [1, 1], [1, 1], [0, 0]),
            Err(Error::TooLarge)
        ));
        assert!(matches!(
            ConvGeometry::new(1, [1, 1], [9, 9], [1, 1], [1, 1], [huge + 1, 0]),
            Err(Error::TooLarge)
        ));
        assert!(matches!(
            PoolGeometry::new(1, 1, [40, 40], [17, 17], [1, 1], [0, 0], false),
            Err(Error::Pool { .. })
        ));
    }

    #[test]
    fn a_long_stride_is_allowed_and_one_that_overflows_is_an_error() {
        let convolution = |stride| {
            ConvGeometry::new(2, [3, 20], [9, 9], [3, 3], [stride; 2], [1, 1])
                .map(|geometry| geometry.output_size())
        };
        assert_eq!(convolution(100), Ok([1, 1]));
        for stride in [usize::MAX, usize::MAX / 2, 1 << 40] {
            assert_eq!(convolution(stride), Err(Error::TooLarge), "{stride}");
        }
        let pool = |stride, ceil| {
            PoolGeometry::new(2, 20, [9, 9], [2, 2], [stride; 2], [1, 1], ceil)
                .map(|geometry| geometry.output_size())
        };
        assert_eq!(pool(100, true), Ok([1, 1]));
        // The second window is far outside the input.
        for (ceil, stride) in [(false, usize::MAX), (true, usize::MAX), (true, usize::MAX - 2)] {
            assert_eq!(pool(stride, ceil), Ok([1, 1]), "{stride}");
        }
    }

    #[test]
    fn sizes_at_the_end_of_the_address_space_are_errors() {
        let [most, half] = [usize::MAX, usize::MAX / 2];
        let pool = |input, window, padding, output| {
            PoolGeometry::with_output(1, 1, [input, 9], [window, 1], [1, 1], [padding, 0], output)
        };
        assert_eq!(pool(most, 2, 1, [9, 9]), Err(Error::TooLarge));
        assert_eq!(pool(most - 1, 2, 1, [9, 9]), Err(Error::TooLarge));
        assert!(matches!(pool(9, 2, half + 1, [9, 9]), Err(Error::Pool { .. })));
        assert!(matches!(pool(9, 2, most, [9, 9]), Err(Error::Pool { .. })));
        assert_eq!(pool(9, most, 0, [9, 9]), Err(Error::TooLarge));
        assert!(PoolGeometry::new(1, 1, [most, 9], [2, 2], [2, 2], [1, 1], true).is_err());
        assert!(PoolGeometry::new(1, 1, [most, 9], [2, 2], [1, 1], [0, 0], true).is_err());
        for size in [most, half, half + 1] {
            for axis in 0..2 {
                let mut sizes = [9; 2];
                sizes[axis] = size;
                let new = |input, kernel, padding| {
                    ConvGeometry::new(1, [1, 1], input, kernel, [1, 1], padding)
                };
                assert_eq!(new(sizes, [1, 1], [0, 0]), Err(Error::TooLarge));
                assert_eq!(new([9, 9], [1, 1], sizes), Err(Error::TooLarge));
                assert!(new([9, 9], sizes, [0, 0]).is_err());
            }
        }
    }
}

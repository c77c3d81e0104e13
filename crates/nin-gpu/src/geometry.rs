//! The sizes of a convolution and of a max pool.

use crate::{Element, Error};

/// The largest index of a kernel's arithmetic: half of what 32 bits hold, so that sums of an index and a small offset do not
/// wrap around.
pub(crate) const LARGEST_INDEX: u64 = 1 << 31;

/// The sizes of a convolution with a square kernel and the same stride and padding along both axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConvGeometry {
    pub(crate) batch: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// `[height, width]`
    pub(crate) size: [usize; 2],
    pub(crate) output_size: [usize; 2],
    pub(crate) window: Window,
}

/// A square window with the same stride and padding along both axes. Kernels are compiled for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// The side of the window in pixels.
    pub kernel: usize,
    /// The distance of two windows in pixels.
    pub stride: usize,
    /// The number of pixels around the input.
    pub padding: usize,
}

impl Window {
    /// Returns the number of pixels of the window.
    pub(crate) fn taps(self) -> usize {
        self.kernel * self.kernel
    }
}

impl ConvGeometry {
    /// Checks and completes the sizes. Channels are `[inputs, outputs]`, `size` is `[height, width]`.
    ///
    /// # Errors
    /// [`Error::Geometry`] where a size is zero or the kernel is larger than the padded input; [`Error::TooLarge`] where an
    /// index exceeds 31 bits.
    pub fn new(
        batch: usize,
        [inputs, outputs]: [usize; 2],
        size: [usize; 2],
        window: Window,
    ) -> Result<Self, Error> {
        let Window { kernel, stride, padding } = window;
        let [height, width] = size;
        if [batch, inputs, outputs, height, width, kernel, stride].contains(&0) {
            return Err(Error::Geometry { reason: "a size of zero".to_owned() });
        }
        let padded = size.map(|side| side.saturating_add(padding.saturating_mul(2)));
        if padded.iter().any(|&side| side < kernel) {
            let reason =
                format!("a kernel of {kernel} on {height}x{width} pixels and {padding} of padding");
            return Err(Error::Geometry { reason });
        }
        let output_size = padded.map(|side| (side - kernel) / stride + 1);
        let geometry = Self { batch, inputs, outputs, size, output_size, window };
        for (what, dims) in [
            ("the padded input", vec![batch, inputs, padded[0], padded[1]]),
            ("the output", vec![batch, outputs, output_size[0], output_size[1]]),
            ("the weight", vec![outputs, inputs, kernel, kernel]),
            // With what a stride leaves over: positions in the padded input are computed from those of the output.
            ("the strided output", vec![output_size[0], stride]),
            ("the strided output", vec![output_size[1], stride]),
        ] {
            checked_len(what, &dims)?;
        }
        Ok(geometry)
    }

    /// Returns the height and width of the output.
    pub fn output_size(&self) -> [usize; 2] {
        self.output_size
    }

    /// Returns the number of values of the input.
    pub fn input_len(&self) -> usize {
        self.batch * self.inputs * self.input_pixels()
    }

    /// Returns the number of values of the output.
    pub fn output_len(&self) -> usize {
        self.batch * self.outputs * self.output_pixels()
    }

    /// Returns the number of weights.
    pub fn weight_len(&self) -> usize {
        self.outputs * self.inputs * self.window.taps()
    }

    /// Returns the floating-point operations of a pass: two for each product. A stride leaves gaps in the gradient of the
    /// input, which are not counted.
    pub(crate) fn flops(&self) -> u64 {
        2 * self.output_len() as u64 * (self.inputs * self.window.taps()) as u64
    }

    pub(crate) fn input_pixels(&self) -> usize {
        self.size[0] * self.size[1]
    }

    pub(crate) fn output_pixels(&self) -> usize {
        self.output_size[0] * self.output_size[1]
    }
}

/// The sizes of a max pool over planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PoolGeometry {
    /// Images times channels.
    pub(crate) planes: usize,
    /// `[height, width]`
    pub(crate) size: [usize; 2],
    pub(crate) output_size: [usize; 2],
    pub(crate) window: Window,
    pub(crate) element: Element,
}

impl PoolGeometry {
    /// Checks the sizes. `size` and `output_size` are `[height, width]`; windows may extend beyond the input, as in ceil mode.
    ///
    /// # Errors
    /// [`Error::Geometry`] where a size is zero or a window has no pixel of the input; [`Error::TooLarge`] where an index
    /// exceeds 31 bits.
    pub fn new(
        planes: usize,
        size: [usize; 2],
        output_size: [usize; 2],
        window: Window,
    ) -> Result<Self, Error> {
        let Window { kernel, stride, padding } = window;
        if [planes, kernel, stride].contains(&0) || size.contains(&0) || output_size.contains(&0) {
            return Err(Error::Geometry { reason: "a size of zero".to_owned() });
        }
        let starts_behind = |axis: usize| (output_size[axis] - 1) * stride >= size[axis] + padding;
        if padding >= kernel || starts_behind(0) || starts_behind(1) {
            return Err(Error::Geometry { reason: "a window outside of the input".to_owned() });
        }
        checked_len("the pool's input", &[planes, size[0] + 2 * padding, size[1] + 2 * padding])?;
        checked_len("the pool's output", &[planes, output_size[0], output_size[1]])?;
        Ok(Self { planes, size, output_size, window, element: Element::F32 })
    }

    /// Takes this type for the input and its gradient. The output and its gradient are 32-bit floats.
    #[must_use]
    pub fn with_element(self, element: Element) -> Self {
        Self { element, ..self }
    }

    /// Returns the number of values of the input.
    pub fn input_len(&self) -> usize {
        self.planes * self.size[0] * self.size[1]
    }

    /// Returns the number of values of the output.
    pub fn output_len(&self) -> usize {
        self.planes * self.output_size[0] * self.output_size[1]
    }
}

/// Returns the product of some sizes.
///
/// # Errors
/// [`Error::TooLarge`] where it exceeds the largest index.
pub(crate) fn checked_len(what: &'static str, dims: &[usize]) -> Result<usize, Error> {
    let size = dims.iter().fold(1_u64, |product, &dim| product.saturating_mul(dim as u64));
    if size >= LARGEST_INDEX {
        return Err(Error::TooLarge { what, size, limit: LARGEST_INDEX });
    }
    Ok(size as usize)
}

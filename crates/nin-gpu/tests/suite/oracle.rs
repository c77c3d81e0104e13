//! Plain loops in 64 bits.

use nin_gpu::Window;

#[derive(Debug)]
/// A convolution as the oracle sees it: a list of what each output is the sum of.
pub(crate) struct Convolution {
    pub(crate) batch: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) size: [usize; 2],
    pub(crate) window: Window,
}

pub(crate) struct Gradients {
    pub(crate) input: Vec<f64>,
    pub(crate) weight: Vec<f64>,
    pub(crate) bias: Vec<f64>,
}

impl Convolution {
    pub(crate) fn output_size(&self) -> [usize; 2] {
        let Window { kernel, stride, padding } = self.window;
        self.size.map(|side| (side + 2 * padding - kernel) / stride + 1)
    }

    /// Returns the number of products, including those with padding.
    pub(crate) fn products_len(&self) -> usize {
        let Window { kernel, .. } = self.window;
        self.output_len() * self.inputs * kernel * kernel
    }

    /// Calls a function with the indices of output, input and weight of each product.
    fn products(&self, mut each: impl FnMut(usize, usize, usize)) {
        let Self { batch, inputs, outputs, size: [height, width], window } = *self;
        let Window { kernel, stride, padding } = window;
        let [down, across] = self.output_size();
        for image in 0..batch {
            for output in 0..outputs {
                for (row, column) in (0..down).flat_map(|row| (0..across).map(move |it| (row, it)))
                {
                    let to = ((image * outputs + output) * down + row) * across + column;
                    for input in 0..inputs {
                        for tap in 0..kernel * kernel {
                            let y = (row * stride + tap / kernel).wrapping_sub(padding);
                            let x = (column * stride + tap % kernel).wrapping_sub(padding);
                            if y < height && x < width {
                                let from = ((image * inputs + input) * height + y) * width + x;
                                each(to, from, (output * inputs + input) * kernel * kernel + tap);
                            }
                        }
                    }
                }
            }
        }
    }

    fn output_len(&self) -> usize {
        self.batch * self.outputs * self.output_size().iter().product::<usize>()
    }

    /// Convolution + bias + ReLU.
    pub(crate) fn forward(&self, input: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f64> {
        let pixels: usize = self.output_size().iter().product();
        let mut output: Vec<f64> =
            (0..self.output_len()).map(|at| f64::from(bias[at / pixels % self.outputs])).collect();
        self.products(|to, from, tap| {
            output[to] += f64::from(input[from]) * f64::from(weight[tap]);
        });
        for value in &mut output {
            *value = value.max(0.0);
        }
        output
    }

    /// The gradients of input, weight and bias for a gradient of the sums before ReLU.
    pub(crate) fn backward(&self, input: &[f32], weight: &[f32], gradient: &[f32]) -> Gradients {
        let pixels: usize = self.output_size().iter().product();
        let mut gradients = Gradients {
            input: vec![0.0; input.len()],
            weight: vec![0.0; weight.len()],
            bias: vec![0.0; self.outputs],
        };
        for (at, &value) in gradient.iter().enumerate() {
            gradients.bias[at / pixels % self.outputs] += f64::from(value);
        }
        self.products(|to, from, tap| {
            let gradient = f64::from(gradient[to]);
            gradients.input[from] += gradient * f64::from(weight[tap]);
            gradients.weight[tap] += gradient * f64::from(input[from]);
        });
        gradients
    }
}

/// Returns numbers from -0.5 to 0.5 without a pattern.
pub(crate) fn numbers(count: usize, salt: u32) -> Vec<f32> {
    (0..count as u32)
        .map(|at| {
            ((at + 1).wrapping_mul(2_654_435_761) ^ salt.wrapping_mul(0x9E37_79B9))
                .wrapping_mul(0x85EB_CA6B)
        })
        .map(|bits| (bits >> 8) as f32 / 16_777_216.0 - 0.5)
        .collect()
}

/// Checks that values are close relative to the largest, and that they are not all zero.
pub(crate) fn assert_close(what: &str, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    assert!(largest > 0.0, "{what}: all is zero");
    for (at, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let distance = (f64::from(found) - expected).abs();
        assert!(distance <= tolerance * largest, "{what}[{at}]: {found} instead of {expected}");
    }
}

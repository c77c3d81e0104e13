//! The ranges of a network's activations, from images.

use nin_kernels::{Context, ConvInput, MlpconvGeometry, MlpconvSaved, MlpconvWeights};

use crate::block_geometry::block_geometry;
use crate::weights::layer_names;
use crate::{Architecture, ModelError, Weights};

/// Bins of a histogram: the sign, the exponent and seven bits of the fraction of an `f32` that is not negative.
const BINS: usize = 1 << 15;

/// The distribution of the activations between the layers of a network, over images.
#[derive(Debug, Clone)]
pub struct Calibration {
    /// Of the input of each layer after the first.
    histograms: Vec<Histogram>,
}

/// How often positive values occurred, to less than 1 % of a value.
#[derive(Debug, Clone)]
struct Histogram {
    counts: Vec<u64>,
    largest: f32,
}

impl Histogram {
    fn add(&mut self, values: &[f32]) {
        for &value in values.iter().filter(|value| **value > 0.0) {
            self.counts[(value.to_bits() >> 16) as usize] += 1;
            self.largest = self.largest.max(value);
        }
    }

    /// Returns a value that at most a share of the positive values exceed.
    fn range(&self, share: f64) -> f32 {
        let total: u64 = self.counts.iter().sum();
        let allowed = (total as f64 * share) as u64;
        let mut above = 0;
        for (bin, count) in self.counts.iter().enumerate().rev() {
            above += count;
            if above > allowed {
                let end = f32::from_bits((bin as u32 + 1) << 16);
                return end.min(self.largest);
            }
        }
        self.largest
    }
}

impl Calibration {
    /// Creates the calibration of a network, over no images.
    pub fn new(architecture: &Architecture) -> Self {
        let empty = Histogram { counts: vec![0; BINS], largest: 0.0 };
        Self { histograms: vec![empty; 3 * architecture.blocks().len() - 1] }
    }

    /// Adds preprocessed images `[batch, channels, height, width]`, in fp32 on the CPU.
    ///
    /// # Errors
    /// [`ModelError::Kernel`] where the sizes do not fit the network, and as [`Weights::check`].
    pub fn observe(
        &mut self,
        architecture: &Architecture,
        weights: &Weights,
        [batch, _, height, width]: [usize; 4],
        images: &[f32],
    ) -> Result<(), ModelError> {
        weights.check(architecture)?;
        let context = Context::shared()?;
        let (mut size, mut values) = ([height, width], images.to_vec());
        let mut histograms = self.histograms.iter_mut();
        let mut add = |values: &[f32]| {
            if let Some(histogram) = histograms.next() {
                histogram.add(values);
            }
        };
        for (index, (block, channels)) in architecture.block_channels().enumerate() {
            let first = [block.kernel, block.stride, block.padding];
            let geometry = block_geometry(batch, channels, size, first, block.pool.as_ref())?;
            let input =
                if index == 0 { ConvInput::Planes(&values) } else { ConvInput::Panels(&values) };
            let [first, second, output] =
                block_outputs(&context, &geometry, input, weights, index)?;
            add(&first);
            add(&second);
            // The output of the last block feeds no layer.
            add(&output);
            (size, values) = (geometry.output_size(), output);
        }
        Ok(())
    }

    /// Returns the largest input of each layer after the first, so that at most `share` of the positive inputs are larger.
    pub fn ranges(&self, share: f64) -> Vec<f32> {
        self.histograms.iter().map(|histogram| histogram.range(share)).collect()
    }
}

/// Returns the outputs of the three layers of a block, the last one after its pooling.
fn block_outputs(
    context: &Context,
    geometry: &MlpconvGeometry,
    input: ConvInput,
    weights: &Weights,
    block: usize,
) -> Result<[Vec<f32>; 3], ModelError> {
    let values = |layer: &str, part: &str| {
        let name = format!("{layer}.{part}");
        match weights.get(&name) {
            Some(tensor) => Ok(&*tensor.values),
            None => Err(ModelError::MissingTensor { name }),
        }
    };
    let [first, second, third] = &layer_names(block);
    let weights = MlpconvWeights {
        weight: [values(first, "weight")?, values(second, "weight")?, values(third, "weight")?],
        bias: [values(first, "bias")?, values(second, "bias")?, values(third, "bias")?].map(Some),
    };
    let mut hidden = geometry.hidden_len(context).map(|len| vec![0.0; len]);
    let mut positions = vec![0; geometry.positions_len()];
    let mut output = vec![0.0; geometry.output_len()];
    let [first, second] = &mut hidden;
    let saved = MlpconvSaved { hidden: [first, second], positions: &mut positions };
    context.mlpconv_forward(geometry, input, &weights, &mut output, Some(saved))?;
    let [first, second] = hidden;
    Ok([first, second, output])
}

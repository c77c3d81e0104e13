//! Initial weights, drawn on the host so that all backends start with the same ones.

mod orthonormal;
mod unit_variance;

use std::str::FromStr;

use nin_random::{Purpose, Stream};
use serde::{Deserialize, Serialize};

use crate::{Architecture, HostTensor, ModelError, Weights};

use unit_variance::Outputs;
pub use unit_variance::{LayerPart, LayerScale};

/// How initial weights and biases are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
#[non_exhaustive]
pub enum Initialization {
    /// PyTorch's `Conv2d` default: weights and biases uniform in ±1/sqrt(fan in).
    PyTorch,
    /// The book's initialization: weights uniform in ±sqrt(6 / (fan in + fan out)) (Glorot and Bengio 2010), biases as in
    /// PyTorch's `Conv2d`.
    Xavier,
    /// Normal weights of variance 2 / fan in (He et al., arXiv:1502.01852), zero biases.
    Kaiming,
    /// The paper's initialization: normal weights with a standard deviation of 0.05, zero biases.
    Gaussian005,
    /// Layer-sequential unit variance (Mishkin and Matas, arXiv:1511.06422): orthonormal weights, which
    /// [`Initialization::fit`] scales on training images. Biases remove the mean of each channel.
    Lsuv,
    /// As `Lsuv`, with the last layer scaled to mean 1 and standard deviation 0.1, which keeps every class trainable.
    ///
    /// The last ReLU of this network removes negative logits. With unit variance the initial loss is above ln(classes), and
    /// the fastest way to reduce it is to make all logits equal by killing the ReLU of every class, which no gradient
    /// undoes. If logits start nearly equal and well above 0, killing a ReLU gains nothing.
    LsuvOpen,
}

impl Initialization {
    /// All initializations.
    pub const ALL: [Self; 6] =
        [Self::PyTorch, Self::Xavier, Self::Kaiming, Self::Gaussian005, Self::Lsuv, Self::LsuvOpen];

    /// Returns the name in recipes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PyTorch => "pytorch",
            Self::Xavier => "xavier",
            Self::Kaiming => "kaiming",
            Self::Gaussian005 => "gaussian-0.05",
            Self::Lsuv => "lsuv",
            Self::LsuvOpen => "lsuv-open",
        }
    }

    /// Returns every name, in the order of [`Initialization::ALL`].
    pub fn names() -> Vec<&'static str> {
        Self::ALL.map(Self::name).to_vec()
    }

    /// Returns whether [`Initialization::fit`] changes the weights.
    pub const fn follows_data(self) -> bool {
        self.last_outputs().is_some()
    }

    /// Returns the statistics that the last layer is fitted to; `None` if the initialization does not depend on data.
    const fn last_outputs(self) -> Option<Outputs> {
        match self {
            Self::Lsuv => Some(Outputs { mean: 0.0, deviation: 1.0 }),
            Self::LsuvOpen => Some(Outputs { mean: 1.0, deviation: 0.1 }),
            Self::PyTorch | Self::Xavier | Self::Kaiming | Self::Gaussian005 => None,
        }
    }

    /// Fits initial weights to images, if the initialization depends on data. Returns the statistics of each layer.
    ///
    /// Scales weights and sets biases, from the first layer to the last, so that over these images the outputs of a layer
    /// before its ReLU have unit variance and each channel has mean 0. The last layer gets the statistics of the
    /// initialization. A layer with the same output for every image is not scaled.
    ///
    /// `images` are preprocessed, `[count, channels, height, width]`, of the size `input`, `[channels, height, width]`. The
    /// computation runs on the CPU for every backend, so that all start with the same weights.
    ///
    /// # Errors
    /// As [`Weights::check`] where the weights are of another architecture; [`ModelError::Kernel`] where there is no image,
    /// or where the images do not fit the architecture.
    pub fn fit(
        self,
        weights: &mut Weights,
        architecture: &Architecture,
        images: &[f32],
        input: [usize; 3],
    ) -> Result<Vec<LayerScale>, ModelError> {
        self.fit_new(weights, architecture, images, input, &|_| LayerPart::Whole)
    }

    /// Fits weights as [`Initialization::fit`] does, in a network with trained layers. `new` returns the part of a layer, such
    /// as `blocks.0.cccp1`, that may change.
    ///
    /// # Errors
    /// As [`Initialization::fit`].
    pub fn fit_new(
        self,
        weights: &mut Weights,
        architecture: &Architecture,
        images: &[f32],
        input: [usize; 3],
        new: &dyn Fn(&str) -> LayerPart,
    ) -> Result<Vec<LayerScale>, ModelError> {
        match self.last_outputs() {
            Some(last) => unit_variance::fit(weights, architecture, images, input, last, new),
            None => Ok(Vec::new()),
        }
    }

    /// Draws the initial weights of an architecture: a pure function of the initialization, the architecture and the seed.
    pub fn weights(self, architecture: &Architecture, seed: u64) -> Weights {
        let shapes = architecture.parameter_shapes();
        let mut fans = Fans::default();
        shapes
            .into_iter()
            .enumerate()
            .map(|(index, (name, shape))| {
                // A bias follows its weight, and shares its fans.
                let is_weight = shape.len() == 4;
                if is_weight {
                    fans = Fans::of(&shape);
                }
                let stream = Stream::new(seed, Purpose::Weights, [index as u64, 0]);
                let count = shape.iter().product::<usize>() as u64;
                let law = self.law(is_weight, fans);
                let mut values: Vec<_> = (0..count).map(|at| law.draw(&stream, at)).collect();
                if is_weight && self.follows_data() {
                    orthonormal::orthonormalize(&mut values, shape[0], shape[1..].iter().product());
                }
                (name, HostTensor { shape, values })
            })
            .collect()
    }

    fn law(self, is_weight: bool, fans: Fans) -> Law {
        let pytorch = Law::Uniform { bound: 1.0 / fans.fan_in.sqrt() };
        match (self, is_weight) {
            (Self::PyTorch, _) | (Self::Xavier, false) => pytorch,
            (Self::Xavier, true) => {
                Law::Uniform { bound: (6.0 / (fans.fan_in + fans.fan_out)).sqrt() }
            }
            (Self::Kaiming, true) => Law::Normal { deviation: (2.0 / fans.fan_in).sqrt() },
            (Self::Gaussian005, true) => Law::Normal { deviation: 0.05 },
            (Self::Lsuv | Self::LsuvOpen, true) => Law::Normal { deviation: 1.0 },
            (_, false) => Law::Zero,
        }
    }
}

impl From<Initialization> for String {
    fn from(initialization: Initialization) -> Self {
        initialization.name().to_owned()
    }
}

impl TryFrom<String> for Initialization {
    type Error = ModelError;

    fn try_from(name: String) -> Result<Self, ModelError> {
        name.parse()
    }
}

impl FromStr for Initialization {
    type Err = ModelError;

    fn from_str(name: &str) -> Result<Self, ModelError> {
        Self::ALL
            .into_iter()
            .find(|initialization| initialization.name() == name)
            .ok_or_else(|| ModelError::UnknownInitialization { name: name.to_owned() })
    }
}

/// The number of inputs per output and of outputs per input, including kernel positions.
#[derive(Debug, Clone, Copy, Default)]
struct Fans {
    fan_in: f64,
    fan_out: f64,
}

impl Fans {
    fn of(weight: &[usize]) -> Self {
        let area: usize = weight[2..].iter().product();
        Self { fan_in: (weight[1] * area) as f64, fan_out: (weight[0] * area) as f64 }
    }
}

enum Law {
    Uniform { bound: f64 },
    Normal { deviation: f64 },
    Zero,
}

impl Law {
    fn draw(&self, stream: &Stream, position: u64) -> f32 {
        match self {
            Self::Uniform { bound } => {
                ((2.0 * f64::from(stream.uniform(position)) - 1.0) * bound) as f32
            }
            Self::Normal { deviation } => (f64::from(stream.normal(position)) * deviation) as f32,
            Self::Zero => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Builtin;

    /// Five standard errors of a standard deviation that is estimated over 614,400 weights.
    const DEVIATION_TOLERANCE: f64 = 7.5 / 1108.5; // sqrt(2 * 614,400) = 1108.5

    #[test]
    fn weights_have_the_deviation_of_their_law() {
        let architecture = Builtin::D2l.architecture(1, 10).unwrap();
        let (fan_in, fan_out) = (96.0 * 25.0, 256.0 * 25.0);
        for (initialization, deviation) in [
            (Initialization::PyTorch, (1.0_f64 / fan_in / 3.0).sqrt()),
            (Initialization::Xavier, (2.0_f64 / (fan_in + fan_out)).sqrt()),
            (Initialization::Kaiming, (2.0_f64 / fan_in).sqrt()),
            (Initialization::Gaussian005, 0.05),
        ] {
            let weights = initialization.weights(&architecture, 3);
            let values = &weights.get("blocks.1.convolution.weight").unwrap().values;
            let mean_square = values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>()
                / values.len() as f64;
            let ratio = mean_square.sqrt() / deviation;
            assert!((ratio - 1.0).abs() < DEVIATION_TOLERANCE, "{initialization:?}: {ratio}");
        }
    }

    #[test]
    fn biases_follow_pytorch_under_xavier_and_are_zero_under_kaiming() {
        let architecture = Builtin::D2l.architecture(1, 10).unwrap();
        let bound = 1.0 / (96.0_f32 * 25.0).sqrt();
        let name = "blocks.1.convolution.bias";
        let xavier = Initialization::Xavier.weights(&architecture, 1);
        let values = &xavier.get(name).unwrap().values;
        assert!(values.iter().all(|value| value.abs() <= bound));
        assert!(values.iter().any(|value| value.abs() > bound / 2.0));
        let kaiming = Initialization::Kaiming.weights(&architecture, 1);
        assert!(kaiming.get(name).unwrap().values.iter().all(|&value| value == 0.0));
    }

    #[test]
    fn seeds_and_layers_draw_other_numbers() {
        let architecture = Builtin::D2l.architecture(1, 10).unwrap();
        let first = Initialization::Xavier.weights(&architecture, 1);
        assert_eq!(first, Initialization::Xavier.weights(&architecture, 1));
        let second = Initialization::Xavier.weights(&architecture, 2);
        let name = "blocks.2.cccp1.weight";
        assert_ne!(first.get(name), second.get(name));
        assert_ne!(first.get(name), first.get("blocks.2.cccp2.weight"));
    }
}

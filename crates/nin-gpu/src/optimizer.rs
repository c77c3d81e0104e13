//! The update of a parameter by SGD or AdamW, in one pass over its values.

use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::Error;
use crate::buffer::{Lines, allocate, argument, check};

/// A step of SGD with momentum, as in PyTorch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd {
    /// The learning rate.
    pub rate: f32,
    /// The factor on the momentum buffer.
    pub momentum: f32,
    /// The factor on the weight that is added to the gradient.
    pub weight_decay: f32,
}

/// A step of AdamW, as in PyTorch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// The learning rate, divided by the first bias correction.
    pub rate: f32,
    /// The factors on the moving averages of the gradient and of its square.
    pub betas: [f32; 2],
    /// One minus each of `betas`. In 32 bits, `1 - 0.999` has only four digits.
    pub complements: [f32; 2],
    /// What is added to the root.
    pub epsilon: f32,
    /// The root of the second bias correction.
    pub root_correction: f32,
    /// The factor on the weight: one minus learning rate times weight decay.
    pub decay: f32,
}

#[cube(launch)]
fn sgd_kernel(
    weight: &Array<f32>,
    gradient: &Array<f32>,
    momenta: ComptimeOption<Array<f32>>,
    new_weight: &mut Array<f32>,
    new_momenta: &mut Array<f32>,
    len: usize,
    rate: f32,
    momentum: f32,
    weight_decay: f32,
) {
    if ABSOLUTE_POS < len {
        let value = weight[ABSOLUTE_POS];
        let slope = gradient[ABSOLUTE_POS] + value * weight_decay;
        #[comptime]
        let step = match &momenta {
            ComptimeOption::Some(momenta) => momenta[ABSOLUTE_POS] * momentum + slope,
            ComptimeOption::None => slope,
        };
        new_momenta[ABSOLUTE_POS] = step;
        new_weight[ABSOLUTE_POS] = value - step * rate;
    }
}

#[cube(launch)]
fn adamw_kernel(
    weight: &Array<f32>,
    gradient: &Array<f32>,
    first: ComptimeOption<Array<f32>>,
    second: ComptimeOption<Array<f32>>,
    new_weight: &mut Array<f32>,
    new_first: &mut Array<f32>,
    new_second: &mut Array<f32>,
    len: usize,
    rate: f32,
    beta_1: f32,
    beta_2: f32,
    complement_1: f32,
    complement_2: f32,
    epsilon: f32,
    root_correction: f32,
    decay: f32,
) {
    if ABSOLUTE_POS < len {
        let slope = gradient[ABSOLUTE_POS];
        let new_mean = slope * complement_1;
        let new_square = slope * slope * complement_2;
        #[comptime]
        let mean = match &first {
            ComptimeOption::Some(first) => first[ABSOLUTE_POS] * beta_1 + new_mean,
            ComptimeOption::None => new_mean,
        };
        #[comptime]
        let mean_square = match &second {
            ComptimeOption::Some(second) => second[ABSOLUTE_POS] * beta_2 + new_square,
            ComptimeOption::None => new_square,
        };
        new_first[ABSOLUTE_POS] = mean;
        new_second[ABSOLUTE_POS] = mean_square;
        let root = mean_square.sqrt() / root_correction + epsilon;
        new_weight[ABSOLUTE_POS] = weight[ABSOLUTE_POS] * decay - mean / root * rate;
    }
}

impl Sgd {
    /// Returns the updated weight and momenta of `len` values. There are no momenta before the first step.
    ///
    /// # Errors
    /// [`Error::Length`] or [`Error::TooLarge`].
    pub fn step<R: Runtime>(
        &self,
        client: &ComputeClient<R>,
        len: usize,
        [weight, gradient]: [&Handle; 2],
        momenta: Option<&Handle>,
    ) -> Result<[Handle; 2], Error> {
        for buffer in [weight, gradient].into_iter().chain(momenta) {
            check("a parameter's buffer", buffer, len)?;
        }
        let lines = Lines::of(len)?;
        let updated =
            [allocate(client, "a parameter", len)?, allocate(client, "a parameter", len)?];
        sgd_kernel::launch::<R>(
            client,
            lines.count(),
            Lines::dim(),
            argument(weight, len),
            argument(gradient, len),
            momenta.map(|momenta| argument(momenta, len)).into(),
            argument(&updated[0], len),
            argument(&updated[1], len),
            len,
            self.rate,
            self.momentum,
            self.weight_decay,
        );
        Ok(updated)
    }
}

impl AdamW {
    /// Returns the updated weight and both moving averages of `len` values. There are no averages before the first step.
    ///
    /// # Errors
    /// [`Error::Length`] or [`Error::TooLarge`].
    pub fn step<R: Runtime>(
        &self,
        client: &ComputeClient<R>,
        len: usize,
        [weight, gradient]: [&Handle; 2],
        means: Option<[&Handle; 2]>,
    ) -> Result<[Handle; 3], Error> {
        for buffer in [weight, gradient].into_iter().chain(means.into_iter().flatten()) {
            check("a parameter's buffer", buffer, len)?;
        }
        let lines = Lines::of(len)?;
        let [first, second] = [0, 1].map(|at| means.map(|means| argument(means[at], len)).into());
        let updated = [
            allocate(client, "a parameter", len)?,
            allocate(client, "a parameter", len)?,
            allocate(client, "a parameter", len)?,
        ];
        adamw_kernel::launch::<R>(
            client,
            lines.count(),
            Lines::dim(),
            argument(weight, len),
            argument(gradient, len),
            first,
            second,
            argument(&updated[0], len),
            argument(&updated[1], len),
            argument(&updated[2], len),
            len,
            self.rate,
            self.betas[0],
            self.betas[1],
            self.complements[0],
            self.complements[1],
            self.epsilon,
            self.root_correction,
            self.decay,
        );
        Ok(updated)
    }
}

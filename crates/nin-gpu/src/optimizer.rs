//! The update of parameters by SGD or AdamW, in one pass over their values.
//!
//! A dispatch updates as many parameters as the adapter can bind: on most adapters, those of a whole network.

use std::mem::discriminant;

use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::Error;
use crate::buffer::{Arrays, Lines, allocate, argument, check, dispatches};

/// A step of SGD with momentum, as in PyTorch.
#[derive(Debug, Clone, Copy, PartialEq, CubeType, CubeLaunch)]
pub struct Sgd {
    /// The learning rate.
    pub rate: f32,
    /// The factor on the momentum buffer.
    pub momentum: f32,
    /// The factor on the weight that is added to the gradient.
    pub weight_decay: f32,
}

/// A step of AdamW, as in PyTorch.
#[derive(Debug, Clone, Copy, PartialEq, CubeType, CubeLaunch)]
pub struct AdamW {
    /// The learning rate, divided by the first bias correction.
    pub rate: f32,
    /// The factor on the moving average of the gradient.
    pub beta_1: f32,
    /// The factor on the moving average of the gradient's square.
    pub beta_2: f32,
    /// One minus `beta_1`. In 32 bits, `1 - 0.999` has only four digits.
    pub complement_1: f32,
    /// One minus `beta_2`.
    pub complement_2: f32,
    /// What is added to the root.
    pub epsilon: f32,
    /// The root of the second bias correction.
    pub root_correction: f32,
    /// The factor on the weight: one minus learning rate times weight decay.
    pub decay: f32,
}

/// The update of a parameter, prepared by [`Sgd::update`] or [`AdamW::update`] for [`launch_updates`].
#[derive(Debug, Clone)]
#[must_use = "`launch_updates` takes the step"]
pub struct Update {
    rule: Rule,
    len: usize,
    /// Weight and gradient, then what the rule keeps of earlier steps, if there were any.
    operands: Vec<Handle>,
    /// The new weight, then what the rule keeps.
    updated: Vec<Handle>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Rule {
    Sgd(Sgd),
    AdamW(AdamW),
}

/// Updates some parameters, whose values are counted through all of them. There are no momenta before the first step.
#[cube(launch)]
fn sgd_kernel(
    weights: &Arrays,
    gradients: &Arrays,
    momenta: &Arrays,
    new_weights: &mut Arrays,
    new_momenta: &mut Arrays,
    lens: &Sequence<usize>,
    steps: &Sequence<Sgd>,
) {
    let mut start = 0;
    #[unroll]
    for parameter in 0..comptime!(weights.len()) {
        // Before the parameter's first value, this wraps around to a number that is too large.
        let at = ABSOLUTE_POS - start;
        if at < lens[parameter] {
            let step = steps.index(parameter);
            let value = weights.index(parameter)[at];
            let mut slope = gradients.index(parameter)[at] + value * step.weight_decay;
            if comptime!(momenta.len() > 0) {
                slope += momenta.index(parameter)[at] * step.momentum;
            }
            new_momenta.index_mut(parameter)[at] = slope;
            new_weights.index_mut(parameter)[at] = value - slope * step.rate;
        }
        start += lens[parameter];
    }
}

/// Updates some parameters, whose values are counted through all of them. There are no averages before the first step.
#[cube(launch)]
fn adamw_kernel(
    weights: &Arrays,
    gradients: &Arrays,
    means: &Arrays,
    mean_squares: &Arrays,
    new_weights: &mut Arrays,
    new_means: &mut Arrays,
    new_mean_squares: &mut Arrays,
    lens: &Sequence<usize>,
    steps: &Sequence<AdamW>,
) {
    let mut start = 0;
    #[unroll]
    for parameter in 0..comptime!(weights.len()) {
        // Before the parameter's first value, this wraps around to a number that is too large.
        let at = ABSOLUTE_POS - start;
        if at < lens[parameter] {
            let step = steps.index(parameter);
            let slope = gradients.index(parameter)[at];
            let mut mean = slope * step.complement_1;
            let mut mean_square = slope * slope * step.complement_2;
            if comptime!(means.len() > 0) {
                mean += means.index(parameter)[at] * step.beta_1;
                mean_square += mean_squares.index(parameter)[at] * step.beta_2;
            }
            new_means.index_mut(parameter)[at] = mean;
            new_mean_squares.index_mut(parameter)[at] = mean_square;
            let root = mean_square.sqrt() / step.root_correction + step.epsilon;
            let value = weights.index(parameter)[at] * step.decay;
            new_weights.index_mut(parameter)[at] = value - mean / root * step.rate;
        }
        start += lens[parameter];
    }
}

impl Sgd {
    /// Prepares the update of a parameter of `len` values. Operands are weight and gradient. There are no momenta before the
    /// first step. [`Update::updated`] are the new weight and the new momenta.
    ///
    /// # Errors
    /// [`Error::Length`] or [`Error::TooLarge`].
    pub fn update<R: Runtime>(
        &self,
        client: &ComputeClient<R>,
        len: usize,
        operands: [&Handle; 2],
        momenta: Option<&Handle>,
    ) -> Result<Update, Error> {
        Update::new(client, Rule::Sgd(*self), len, &operands, momenta.as_slice())
    }
}

impl AdamW {
    /// Prepares the update of a parameter of `len` values. Operands are weight and gradient. There are no moving averages
    /// before the first step. [`Update::updated`] are the new weight and both averages.
    ///
    /// # Errors
    /// [`Error::Length`] or [`Error::TooLarge`].
    pub fn update<R: Runtime>(
        &self,
        client: &ComputeClient<R>,
        len: usize,
        operands: [&Handle; 2],
        means: Option<[&Handle; 2]>,
    ) -> Result<Update, Error> {
        let means = means.as_ref().map_or(&[][..], |means| means);
        Update::new(client, Rule::AdamW(*self), len, &operands, means)
    }
}

impl Update {
    fn new<R: Runtime>(
        client: &ComputeClient<R>,
        rule: Rule,
        len: usize,
        operands: &[&Handle],
        kept: &[&Handle],
    ) -> Result<Self, Error> {
        let operands: Vec<Handle> = operands.iter().chain(kept).copied().cloned().collect();
        for buffer in &operands {
            check("a parameter's buffer", buffer, len)?;
        }
        Lines::of(len)?;
        let updated = (0..=rule.buffers_kept()).map(|_| allocate(client, "a parameter", len));
        Ok(Self { rule, len, operands, updated: updated.collect::<Result<_, _>>()? })
    }

    /// Returns the buffers that [`launch_updates`] fills. What is in them before is undefined.
    pub fn updated(&self) -> &[Handle] {
        &self.updated
    }

    /// Returns the number of buffers that a kernel binds.
    fn buffers(&self) -> usize {
        self.operands.len() + self.updated.len()
    }

    /// Returns whether a dispatch can update both parameters.
    fn goes_with(&self, other: &Self) -> bool {
        discriminant(&self.rule) == discriminant(&other.rule)
            && self.operands.len() == other.operands.len()
    }
}

impl Rule {
    /// Returns the number of buffers that are kept from step to step.
    fn buffers_kept(self) -> usize {
        match self {
            Self::Sgd(_) => 1,
            Self::AdamW(_) => 2,
        }
    }
}

/// Takes the steps of some parameters, in as few dispatches as the adapter's limit on bindings allows.
///
/// # Errors
/// [`Error::TooLarge`] if a parameter has too many values.
pub fn launch_updates<R: Runtime>(
    client: &ComputeClient<R>,
    updates: &[Update],
) -> Result<(), Error> {
    for updates in updates.chunk_by(Update::goes_with) {
        let buffers = updates.first().map_or(1, Update::buffers);
        for updates in dispatches(client, updates, [buffers, 0], |update| update.len) {
            let lines = Lines::of(updates.iter().map(|update| update.len).sum())?;
            launch_sgd(client, lines, updates);
            launch_adamw(client, lines, updates);
        }
    }
    Ok(())
}

/// Returns a buffer of each update, for those that have it.
fn arrays<'a, R: Runtime>(
    updates: &'a [Update],
    buffer: impl Fn(&'a Update) -> Option<&'a Handle>,
) -> SequenceArg<R, Array<f32>> {
    updates.iter().filter_map(|update| Some(argument(buffer(update)?, update.len))).collect()
}

/// Launches updates by SGD; those by another rule are left alone.
fn launch_sgd<R: Runtime>(client: &ComputeClient<R>, lines: Lines, updates: &[Update]) {
    let step = |update: &Update| match update.rule {
        Rule::Sgd(Sgd { rate, momentum, weight_decay }) => {
            Some(SgdLaunch::new(rate, momentum, weight_decay))
        }
        Rule::AdamW(_) => None,
    };
    let steps: SequenceArg<R, Sgd> = updates.iter().filter_map(step).collect();
    if steps.values.is_empty() {
        return;
    }
    sgd_kernel::launch::<R>(
        client,
        lines.count(),
        Lines::dim(),
        arrays(updates, |update| update.operands.first()),
        arrays(updates, |update| update.operands.get(1)),
        arrays(updates, |update| update.operands.get(2)),
        arrays(updates, |update| update.updated.first()),
        arrays(updates, |update| update.updated.get(1)),
        updates.iter().map(|update| update.len).collect(),
        steps,
    );
}

/// Launches updates by AdamW; those by another rule are left alone.
fn launch_adamw<R: Runtime>(client: &ComputeClient<R>, lines: Lines, updates: &[Update]) {
    let step = |update: &Update| match update.rule {
        Rule::AdamW(step) => Some(AdamWLaunch::new(
            step.rate,
            step.beta_1,
            step.beta_2,
            step.complement_1,
            step.complement_2,
            step.epsilon,
            step.root_correction,
            step.decay,
        )),
        Rule::Sgd(_) => None,
    };
    let steps: SequenceArg<R, AdamW> = updates.iter().filter_map(step).collect();
    if steps.values.is_empty() {
        return;
    }
    adamw_kernel::launch::<R>(
        client,
        lines.count(),
        Lines::dim(),
        arrays(updates, |update| update.operands.first()),
        arrays(updates, |update| update.operands.get(1)),
        arrays(updates, |update| update.operands.get(2)),
        arrays(updates, |update| update.operands.get(3)),
        arrays(updates, |update| update.updated.first()),
        arrays(updates, |update| update.updated.get(1)),
        arrays(updates, |update| update.updated.get(2)),
        updates.iter().map(|update| update.len).collect(),
        steps,
    );
}

//! The cross-entropy of logits with weighted targets, and its gradient.

use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::Error;
use crate::buffer::{Lines, allocate, argument, check};
use crate::reduction::{Reduction, reduced};

/// Threads of a workgroup, a power of two. A workgroup computes an image.
const THREADS: usize = 64;

/// The loss of each image of a batch: minus the sum over the classes of log-probability times factor.
///
/// Targets, label smoothing, class weights and the divisor of the mean are all in the factors: for a plain mean, the factor of
/// an image's class is one over the number of images, and the others are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrossEntropy {
    /// The number of images.
    pub images: usize,
    /// The number of classes.
    pub classes: usize,
}

/// Returns an image's largest logit, the sum of `exp(logit - largest)`, and the sum of its factors.
#[cube]
fn sums(
    logits: &Array<f32>,
    factors: &Array<f32>,
    first: usize,
    classes: usize,
    parts: &mut SharedMemory<f32>,
) -> (f32, f32, f32) {
    let mut largest = logits[first];
    for class in range_stepped(UNIT_POS as usize, classes, comptime!(THREADS)) {
        largest = max(largest, logits[first + class]);
    }
    let largest = reduced(largest, parts, THREADS, Reduction::Maximum);
    let mut powers = 0.0;
    let mut shares = 0.0;
    for class in range_stepped(UNIT_POS as usize, classes, comptime!(THREADS)) {
        powers += (logits[first + class] - largest).exp();
        shares += factors[first + class];
    }
    let powers = reduced(powers, parts, THREADS, Reduction::Sum);
    let shares = reduced(shares, parts, THREADS, Reduction::Sum);
    (largest, powers, shares)
}

#[cube(launch)]
fn cross_entropy_kernel(
    logits: &Array<f32>,
    factors: &Array<f32>,
    losses: &mut Array<f32>,
    classes: usize,
) {
    let mut parts = SharedMemory::<f32>::new(comptime!(THREADS));
    // Workgroups beyond the last image read zeros and write nothing.
    let image = CUBE_POS;
    let first = image * classes;
    let (largest, powers, shares) = sums(logits, factors, first, classes, &mut parts);
    let mut weighted = 0.0;
    for class in range_stepped(UNIT_POS as usize, classes, comptime!(THREADS)) {
        weighted += factors[first + class] * (logits[first + class] - largest);
    }
    let weighted = reduced(weighted, &mut parts, THREADS, Reduction::Sum);
    if UNIT_POS == 0 {
        losses[image] = powers.ln() * shares - weighted;
    }
}

#[cube(launch)]
fn cross_entropy_gradient_kernel(
    logits: &Array<f32>,
    factors: &Array<f32>,
    gradient: &Array<f32>,
    output: &mut Array<f32>,
    classes: usize,
) {
    let mut parts = SharedMemory::<f32>::new(comptime!(THREADS));
    // Workgroups beyond the last image read zeros and write nothing.
    let image = CUBE_POS;
    let first = image * classes;
    let (largest, powers, shares) = sums(logits, factors, first, classes, &mut parts);
    for class in range_stepped(UNIT_POS as usize, classes, comptime!(THREADS)) {
        let probability = (logits[first + class] - largest).exp() / powers;
        let slope = probability * shares - factors[first + class];
        output[first + class] = slope * gradient[image];
    }
}

impl CrossEntropy {
    fn len(self) -> usize {
        self.images * self.classes
    }

    fn check(self, logits: &Handle, factors: &Handle) -> Result<CubeCount, Error> {
        check("the logits", logits, self.len())?;
        check("the factors", factors, self.len())?;
        Ok(Lines::of_workgroups(self.images)?.count())
    }

    /// Computes the loss of each image, `[images]`, from logits and factors, `[images, classes]`.
    ///
    /// # Errors
    /// [`Error::Length`] or [`Error::TooLarge`].
    pub fn losses<R: Runtime>(
        self,
        client: &ComputeClient<R>,
        [logits, factors]: [&Handle; 2],
    ) -> Result<Handle, Error> {
        let count = self.check(logits, factors)?;
        let losses = allocate(client, "the losses", self.images)?;
        cross_entropy_kernel::launch::<R>(
            client,
            count,
            CubeDim::new_1d(THREADS as u32),
            argument(logits, self.len()),
            argument(factors, self.len()),
            argument(&losses, self.images),
            self.classes,
        );
        Ok(losses)
    }

    /// Computes the gradient of the logits, `[images, classes]`, from logits, factors and the gradient of the losses.
    ///
    /// # Errors
    /// [`Error::Length`] or [`Error::TooLarge`].
    pub fn gradient<R: Runtime>(
        self,
        client: &ComputeClient<R>,
        [logits, factors, gradient]: [&Handle; 3],
    ) -> Result<Handle, Error> {
        let count = self.check(logits, factors)?;
        check("the gradient of the losses", gradient, self.images)?;
        let output = allocate(client, "the gradient", self.len())?;
        cross_entropy_gradient_kernel::launch::<R>(
            client,
            count,
            CubeDim::new_1d(THREADS as u32),
            argument(logits, self.len()),
            argument(factors, self.len()),
            argument(gradient, self.images),
            argument(&output, self.len()),
            self.classes,
        );
        Ok(output)
    }
}

//! The mean of each map of a tensor, and its gradient: the global average pool.

use cubecl::prelude::*;
use cubecl::server::Handle;

use crate::Error;
use crate::buffer::{Lines, allocate, argument, check};

/// The mean of each of `maps` maps of `pixels` values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapMean {
    /// The number of maps: images times channels.
    pub maps: usize,
    /// The values of a map.
    pub pixels: usize,
}

/// Sums up a map in each thread: maps before the global average pool are small.
#[cube(launch)]
fn map_mean_kernel(
    values: &Array<f32>,
    means: &mut Array<f32>,
    maps: usize,
    pixels: usize,
    share: f32,
) {
    if ABSOLUTE_POS < maps {
        let mut sum = 0.0;
        for pixel in 0..pixels {
            sum += values[ABSOLUTE_POS * pixels + pixel];
        }
        means[ABSOLUTE_POS] = sum * share;
    }
}

#[cube(launch)]
fn map_mean_gradient_kernel(
    gradient: &Array<f32>,
    output: &mut Array<f32>,
    len: usize,
    pixels: usize,
    share: f32,
) {
    if ABSOLUTE_POS < len {
        output[ABSOLUTE_POS] = gradient[ABSOLUTE_POS / pixels] * share;
    }
}

impl MapMean {
    fn len(self) -> usize {
        self.maps * self.pixels
    }

    fn share(self) -> f32 {
        1.0 / self.pixels as f32
    }

    /// Computes the mean of each map.
    ///
    /// # Errors
    /// [`Error::Length`] or [`Error::TooLarge`].
    pub fn means<R: Runtime>(
        self,
        client: &ComputeClient<R>,
        values: &Handle,
    ) -> Result<Handle, Error> {
        check("the maps", values, self.len())?;
        let lines = Lines::of(self.maps)?;
        let means = allocate(client, "the means", self.maps)?;
        map_mean_kernel::launch::<R>(
            client,
            lines.count(),
            Lines::dim(),
            argument(values, self.len()),
            argument(&means, self.maps),
            self.maps,
            self.pixels,
            self.share(),
        );
        Ok(means)
    }

    /// Computes the gradient of the values from that of the means.
    ///
    /// # Errors
    /// [`Error::Length`] or [`Error::TooLarge`].
    pub fn gradient<R: Runtime>(
        self,
        client: &ComputeClient<R>,
        gradient: &Handle,
    ) -> Result<Handle, Error> {
        check("the gradient of the means", gradient, self.maps)?;
        let lines = Lines::of(self.len())?;
        let output = allocate(client, "the gradient", self.len())?;
        map_mean_gradient_kernel::launch::<R>(
            client,
            lines.count(),
            Lines::dim(),
            argument(gradient, self.maps),
            argument(&output, self.len()),
            self.len(),
            self.pixels,
            self.share(),
        );
        Ok(output)
    }
}

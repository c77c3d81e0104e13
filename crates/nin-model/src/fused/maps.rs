//! Class maps in panels: as planes, and their means.

use burn::tensor::TensorMetadata;
use burn::tensor::ops::FloatTensor;
use nin_kernels::PANEL;

use super::HostOperation;
use super::host::{Host, values};

/// The mean of each class map, `[batch, classes]`. Its operand is the class maps, in panels.
///
/// Burn's own operations compute the same bits. Their backward pass fills a tensor with ones, scales it and multiplies it by the
/// broadcast gradient; this one writes each value once.
#[derive(Debug, Clone)]
pub(crate) struct MapMeans {
    /// `[batch, classes, pixels]`
    pub(crate) shape: [usize; 3],
}

impl HostOperation<1> for MapMeans {
    type Saved = ();

    fn forward<H: Host>(
        &self,
        [maps]: &[FloatTensor<H>; 1],
        _for_training: bool,
    ) -> (FloatTensor<H>, ()) {
        let [batch, classes, _] = self.shape;
        (H::tensor(means(values::<H>(maps), self.shape), &[batch, classes]), ())
    }

    fn backward<H: Host>(
        &self,
        [maps]: &[FloatTensor<H>; 1],
        _output: &FloatTensor<H>,
        (): &(),
        gradient: &FloatTensor<H>,
        [is_wanted]: [bool; 1],
    ) -> [Option<FloatTensor<H>>; 1] {
        let of_maps = || gradient_of_maps(values::<H>(gradient), self.shape);
        [is_wanted.then(|| H::tensor(of_maps(), &maps.shape()))]
    }
}

/// Returns the panels of each image.
fn images(
    panels: &[f32],
    [_, classes, pixels]: [usize; 3],
) -> impl Iterator<Item = impl Iterator<Item = &[f32]>> {
    let panel = pixels * PANEL;
    panels.chunks_exact(classes.div_ceil(PANEL) * panel).map(move |image| image.chunks_exact(panel))
}

/// Copies panels to `[batch, classes, pixels]`.
pub(super) fn planes(panels: &[f32], shape: [usize; 3]) -> Vec<f32> {
    let [batch, classes, pixels] = shape;
    let mut planes = Vec::with_capacity(batch * classes * pixels);
    for image in images(panels, shape) {
        for (index, panel) in image.enumerate() {
            for lane in 0..PANEL.min(classes - index * PANEL) {
                planes.extend(panel.iter().skip(lane).step_by(PANEL));
            }
        }
    }
    planes
}

/// Returns the mean of each class map: the pixels one after the other, as Burn's CPU backends add them.
pub(super) fn means(panels: &[f32], shape: [usize; 3]) -> Vec<f32> {
    let [batch, classes, pixels] = shape;
    let mut means = Vec::with_capacity(batch * classes);
    for image in images(panels, shape) {
        for (index, panel) in image.enumerate() {
            let mut sums = [0.0; PANEL];
            for values in panel.as_chunks::<PANEL>().0 {
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum += value;
                }
            }
            let classes = PANEL.min(classes - index * PANEL);
            means.extend(sums[..classes].iter().map(|sum| sum / pixels as f32));
        }
    }
    means
}

/// Returns the gradient of the maps, in panels, from that of their means.
fn gradient_of_maps(gradient: &[f32], [batch, classes, pixels]: [usize; 3]) -> Vec<f32> {
    let share = (1.0 / pixels as f64) as f32;
    let mut of_maps = Vec::with_capacity(batch * classes.div_ceil(PANEL) * pixels * PANEL);
    for gradient in gradient.chunks_exact(classes).flat_map(|image| image.chunks(PANEL)) {
        let mut pixel = [0.0; PANEL];
        for (value, gradient) in pixel.iter_mut().zip(gradient) {
            *value = share * gradient;
        }
        for _ in 0..pixels {
            of_maps.extend_from_slice(&pixel);
        }
    }
    of_maps
}

#[cfg(test)]
mod tests {
    use burn::backend::Autodiff;
    use burn::tensor::backend::{AutodiffBackend, Backend};
    use burn::tensor::{Tensor, TensorData};

    use super::super::run;
    use super::*;
    use crate::activations::Activations;
    use crate::operation::{primitive, tensor};

    /// Returns values with many bits, so that another order of sums shows.
    fn data<const D: usize>(shape: [usize; D]) -> TensorData {
        let value = |at: usize| (at as f32 * 0.37).sin() * 100.0;
        TensorData::new((0..shape.iter().product()).map(value).collect(), shape)
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    fn read<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<u32> {
        bits(&tensor.into_data().to_vec().unwrap())
    }

    /// Compares panels of `classes` channels with what Burn computes on `B`.
    fn compare<B: AutodiffBackend>(batch: usize, classes: usize, [height, width]: [usize; 2]) {
        let (pixels, channels) = (height * width, classes.next_multiple_of(PANEL));
        let shape = [batch, channels / PANEL, pixels, PANEL];
        let device = B::Device::default();
        let maps = || Tensor::<B, 4>::from_data(data(shape), &device).require_grad();
        let (ours, theirs) = (maps(), maps());
        let panels =
            |tensor| Activations::Panels { tensor, channels: classes, size: [height, width] };
        let found = planes(&data(shape).to_vec::<f32>().unwrap(), [batch, classes, pixels]);
        assert_eq!(bits(&found), read(panels(ours.clone()).into_planes()));

        let map_means = MapMeans { shape: [batch, classes, pixels] };
        let means = run::<B, _, 1>(&map_means, [primitive(ours.clone())]).unwrap();
        let means = tensor::<B, 2>(means);
        let by_burn = theirs.clone().mean_dim(2).reshape([batch, channels]).narrow(1, 0, classes);
        assert_eq!(read(means.clone()), read(by_burn.clone()), "{batch}, {classes}, {pixels}");
        let inner = primitive(ours.clone().inner());
        let inner = run::<B::InnerBackend, _, 1>(&map_means, [inner]).unwrap();
        assert_eq!(read(tensor::<B::InnerBackend, 2>(inner)), read(by_burn.clone()));
        let gradient = |means: Tensor<B, 2>, maps: &Tensor<B, 4>| {
            let factors = Tensor::from_data(data([batch, classes]), &device);
            read(maps.grad(&(means * factors).sum().backward()).unwrap())
        };
        let found = gradient(means, &ours);
        assert_eq!(found, gradient(by_burn, &theirs), "{batch}, {classes}, {pixels}");
    }

    #[test]
    fn class_maps_logits_and_gradients_have_the_bits_that_burn_computes() {
        for batch in [1, 3] {
            for classes in [1, 10, 16, 17, 40] {
                for size in [[1, 1], [1, 7], [5, 5], [13, 9]] {
                    #[cfg(feature = "flex")]
                    compare::<Autodiff<burn_flex::Flex>>(batch, classes, size);
                    #[cfg(feature = "ndarray")]
                    compare::<Autodiff<burn_ndarray::NdArray<f32>>>(batch, classes, size);
                }
            }
        }
    }
}

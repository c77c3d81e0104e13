//! Any of Burn's backends: the network is generic over `B: Backend`, and so is this program.
//!
//! On [`Flex`] and [`NdArray`] of 32-bit floats the blocks are computed by nin-kernels; on any other
//! type, such as [`NdArray`] of 64-bit floats, wgpu, CUDA or a backend of your own, by Burn's
//! operations. The logits are the same but for the last digits, and this shows how near they are.
//!
//! ```sh
//! cargo run --release --example own_backend
//! ```

use std::error::Error;

use burn::data::dataloader::DataLoader;
use burn::tensor::backend::Backend;
use burn_flex::Flex;
use burn_ndarray::NdArray;
use nin_data::{DataSet, FASHION_MNIST_SAMPLE, Locations, OrderedLoader};
use nin_model::{Architecture, Builtin, Initialization, NetworkInNetwork, Weights};

/// The logits of the first test images, `images x 10` of them, on the default device of `B`.
fn logits<B: Backend>(
    architecture: &Architecture,
    weights: &Weights,
    images: usize,
) -> Result<Vec<f64>, Box<dyn Error>> {
    let device = B::Device::default();
    let network = NetworkInNetwork::<B>::from_weights(architecture, weights, &device)?;
    let data = DataSet::open(FASHION_MNIST_SAMPLE, None, &Locations::default())?.limited(images);
    let loader = OrderedLoader::<B>::in_order(data.test, images, &device);
    let mut values = Vec::new();
    for batch in loader.iter() {
        let logits = network.forward(batch.images); // [batch, classes]
        values.extend(logits.into_data().iter::<f64>());
    }
    println!("{:28} {values:.4?}", B::name(&device).chars().take(28).collect::<String>());
    Ok(values)
}

fn main() -> Result<(), Box<dyn Error>> {
    let architecture = Builtin::PaperMnist.architecture(1, 10)?;
    let weights = Initialization::Kaiming.weights(&architecture, 42); // drawn on the host: alike everywhere

    let reference = logits::<NdArray<f64>>(&architecture, &weights, 1)?;
    let largest =
        |values: &[f64]| values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    for other in [
        logits::<Flex>(&architecture, &weights, 1)?,
        logits::<NdArray<f32>>(&architecture, &weights, 1)?,
    ] {
        let differences: Vec<f64> =
            other.iter().zip(&reference).map(|(one, two)| one - two).collect();
        println!("off by {:.1e} of the largest", largest(&differences) / largest(&reference));
    }
    Ok(())
}

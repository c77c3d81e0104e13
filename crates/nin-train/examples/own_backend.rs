//! Any of Burn's backends, or one of your own: the network is generic over `B: Backend`, and so is this program.
//!
//! On Burn's two CPU backends, also under `Autodiff`, nin-kernels computes the blocks. Any other backend (wgpu, CUDA,
//! yours) takes Burn's operations, and `without_kernels` takes them everywhere. This program prints how close the two
//! are.
//!
//! ```sh
//! cargo run --release --example own_backend
//! ```

use std::error::Error;

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::strategy::BalancedCheckpointing;
use burn::tensor::backend::Backend;
use burn_flex::Flex;
use burn_ndarray::NdArray;
use nin_data::{DataSet, FASHION_MNIST_SAMPLE, Locations, OrderedLoader};
use nin_model::{Builtin, Initialization, NetworkInNetwork};

/// A backend put together from parts: gradients over Flex that recompute some values instead of saving them.
type Own = Autodiff<Flex, BalancedCheckpointing>;

/// Returns the ten logits of the first test image, on the default device of any backend.
fn logits<B: Backend>(with_kernels: bool) -> Result<Vec<f64>, Box<dyn Error>> {
    let device = B::Device::default();
    let architecture = Builtin::PaperMnist.architecture(1, 10)?;
    let weights = Initialization::Kaiming.weights(&architecture, 42); // on the host: the same everywhere
    let mut network = NetworkInNetwork::<B>::from_weights(&architecture, &weights, &device)?;
    if !with_kernels {
        network = network.without_kernels();
    }
    let data = DataSet::open(FASHION_MNIST_SAMPLE, None, &Locations::default())?.limited(1);
    let loader = OrderedLoader::<B>::in_order(data.test, 1, &device);
    let batch = loader.epoch(1, 0).next().ok_or("no image")??;
    let logits = network.forward(batch.images); // [batch, classes]
    Ok(logits.into_data().iter::<f64>().collect())
}

fn main() -> Result<(), Box<dyn Error>> {
    let reference = logits::<Flex>(false)?;
    println!("flex by Burn's operations: {reference:.4?}");
    let largest = reference.iter().copied().fold(0.0, f64::max);
    for (name, logits) in [
        ("flex", logits::<Flex>(true)?),
        ("ndarray", logits::<NdArray>(true)?),
        ("autodiff over flex", logits::<Own>(true)?),
    ] {
        let off = |(one, other): (&f64, &f64)| (one - other).abs();
        let worst = logits.iter().zip(&reference).map(off).fold(0.0, f64::max);
        println!("{name}: off by at most {:.1e} of the largest", worst / largest);
    }
    Ok(())
}

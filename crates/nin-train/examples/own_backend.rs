//! Runs the network on several Burn backends. It is generic over `B: Backend`, so a custom backend works too.
//!
//! On Burn's two CPU backends, with or without `Autodiff`, nin-kernels computes the blocks. Other backends use Burn's
//! operations or, for wgpu with the feature `wgpu` of nin-model, products over unfolded patches. `without_kernels` uses
//! Burn's operations everywhere. This program prints how close the results are.
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
use nin_model::{Builtin, NetworkInNetworkConfig};

/// A custom combination: autodiff over Flex that recomputes some activations instead of saving them.
type Own = Autodiff<Flex, BalancedCheckpointing>;

/// Returns the ten logits of the first test image, on the default device of any backend.
fn logits<B: Backend>(with_kernels: bool) -> Result<Vec<f64>, Box<dyn Error>> {
    let device = B::Device::default();
    let config = NetworkInNetworkConfig::builtin(Builtin::PaperMnist, 1, 10).with_seed(42);
    let mut network = config.init::<B>(&device)?; // the same weights on every backend
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
    println!("flex with Burn's operations: {reference:.4?}");
    let largest = reference.iter().copied().fold(0.0, f64::max);
    for (name, logits) in [
        ("flex", logits::<Flex>(true)?),
        ("ndarray", logits::<NdArray>(true)?),
        ("autodiff over flex", logits::<Own>(true)?),
    ] {
        let off = |(one, other): (&f64, &f64)| (one - other).abs();
        let worst = logits.iter().zip(&reference).map(off).fold(0.0, f64::max);
        println!(
            "{name}: largest difference {:.1e}, relative to the largest logit",
            worst / largest
        );
    }
    Ok(())
}

//! Counts the closed classes of the book's network before its first step, for many seeds.
//!
//! A class is closed if the last ReLU makes its logit 0 for every image. If all ten are closed, every gradient is 0 and
//! the network cannot learn: the seed is dead. Uses the first images of the embedded sample, at the recipe's size.
//!
//! ```sh
//! cargo run --release -p nin-train --example closed_classes -- d2l-fashion-mnist-96 4000
//! ```

use std::collections::BTreeMap;
use std::error::Error;

use burn::tensor::{Tensor, TensorData};
use burn_flex::{Flex, FlexDevice};
use nin_data::{DataSet, FASHION_MNIST_SAMPLE, Locations, OrderedLoader};
use nin_model::{HostTensor, NetworkInNetwork};
use nin_train::recipe::RecipeBuilder;
use serde_json::json;

const IMAGES: usize = 16;
const CLASSES: usize = 10;
/// Number of seeds to print for each number of closed classes.
const FIRST: usize = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "d2l-fashion-mnist-96".to_owned());
    let seeds: u64 = arguments.next().map_or(Ok(20), |seeds| seeds.parse())?;

    let recipe = RecipeBuilder::named(&name)?.build()?;
    let (architecture, initialization) =
        (recipe.architecture(1, CLASSES)?, recipe.model.initialization);
    if initialization.follows_data() {
        return Err(format!("the initial weights of {name} depend on its data").into());
    }
    let side = recipe.data.input_size.ok_or("the recipe does not resize images")?;
    let data = DataSet::open(FASHION_MNIST_SAMPLE, None, &Locations::default())?;
    let loader = OrderedLoader::<Flex>::in_order(data.train, 1, &FlexDevice).with_size([side; 2]);
    let images = loader.values(&(0..IMAGES).collect::<Vec<_>>())?;
    let images: Tensor<Flex, 4> =
        Tensor::from_data(TensorData::new(images, [IMAGES, 1, side, side]), &FlexDevice);

    // The seeds, by their number of closed classes.
    let mut seeds_by_closed: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    for seed in 1..=seeds {
        let weights = initialization.weights(&architecture, seed);
        let network = NetworkInNetwork::from_weights(&architecture, &weights, &FlexDevice)?;
        let logits = HostTensor::read("logits", &network.forward(images.clone()))?.values;
        let is_closed =
            |class: &usize| logits.iter().skip(*class).step_by(CLASSES).all(|logit| *logit == 0.0);
        let closed = (0..CLASSES).filter(is_closed).count();
        seeds_by_closed.entry(closed).or_default().push(seed);
    }
    for (closed, of_these) in &seeds_by_closed {
        let first: Vec<_> = of_these.iter().take(FIRST).collect();
        println!(
            "{}",
            json!({"closed_classes": closed, "draws": of_these.len(), "first_seeds": first})
        );
    }
    Ok(())
}

//! Defines a custom architecture, prints its shapes, and trains it.
//!
//! ```sh
//! cargo run --release --example own_architecture
//! ```

use std::error::Error;

use burn::backend::Autodiff;
use burn_flex::{Flex, FlexDevice};
use nin_data::{DataSet, FASHION_MNIST_SAMPLE, Locations};
use nin_model::{Block, Initialization, Pool, Width};
use nin_train::Trainer;
use nin_train::recipe::{
    DataRecipe, ModelRecipe, NetworkRecipe, OptimizerKind, OptimizerRecipe, Recipe, TrainingRecipe,
};

/// Returns a block: a convolution that keeps the size, two 1x1 convolutions, and optionally a pool that halves it.
fn block(kernel: usize, widths: [Width; 3], pool: bool) -> Block {
    let halves = Pool { kernel: 3, stride: 2, padding: 0, ceil_mode: true };
    Block {
        kernel,
        stride: 1,
        padding: kernel / 2,
        widths,
        pool: pool.then_some(halves),
        dropout: 0.0,
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let wide = |channels| [Width::Channels(channels); 3];
    let last = [Width::Channels(32), Width::Channels(32), Width::CLASSES];
    let blocks = vec![block(5, wide(16), true), block(3, wide(32), true), block(3, last, false)];

    // All other values are the book's.
    let recipe = Recipe {
        model: ModelRecipe {
            network: NetworkRecipe::Blocks { name: "mine".to_owned(), blocks },
            initialization: Initialization::LsuvOpen,
            ..ModelRecipe::default()
        },
        data: DataRecipe {
            dataset: FASHION_MNIST_SAMPLE.to_owned(),
            input_size: Some(28),
            ..DataRecipe::default()
        },
        optimizer: OptimizerRecipe {
            kind: OptimizerKind::ADAMW,
            learning_rate: 0.003,
            ..OptimizerRecipe::default()
        },
        training: TrainingRecipe { epochs: 2, batch_size: 64, ..TrainingRecipe::default() },
        ..Recipe::default()
    };
    recipe.validate()?;

    let shapes = recipe.architecture(1, 10)?.shapes([1, 28, 28])?;
    for layer in &shapes.layers {
        println!("{:28} {:?} {} parameters", layer.name, layer.output, layer.parameters);
    }
    println!("{} parameters, {} multiply-accumulates", shapes.parameters(), shapes.macs());

    let folder = tempfile::tempdir()?;
    let data = DataSet::open(FASHION_MNIST_SAMPLE, None, &Locations::default())?;
    let summary = Trainer::new(recipe, data)
        .folder(folder.path().join("run"))
        .workers(1)
        .run::<Autodiff<Flex>>(&FlexDevice)?;
    println!("{}", summary.closing_lines("the CPU").unwrap_or_default());
    Ok(())
}

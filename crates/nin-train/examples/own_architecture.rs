//! A network of one's own, as data: its blocks, its shapes before anything is trained, a training.
//!
//! ```sh
//! cargo run --release --example own_architecture
//! ```

use std::error::Error;

use burn::backend::Autodiff;
use burn::train::Interrupter;
use burn_flex::{Flex, FlexDevice};
use nin_data::{DataSet, FASHION_MNIST_SAMPLE, Locations};
use nin_model::{Block, Pool, Width};
use nin_train::recipe::{
    DataRecipe, ModelRecipe, OptimizerKind, OptimizerRecipe, Recipe, RecipeBuilder, TrainingRecipe,
};
use nin_train::{Environment, TrainingPlan, train};

/// A convolution of side `kernel` that keeps the size, two 1x1 convolutions, and a pool that halves.
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

    // What is not said here has the defaults of a recipe, which are the book's.
    let recipe = Recipe {
        model: ModelRecipe {
            architecture: "mine".to_owned(),
            initialization: "lsuv-open".to_owned(),
            blocks,
            ..ModelRecipe::default()
        },
        data: DataRecipe {
            dataset: FASHION_MNIST_SAMPLE.to_owned(),
            input_size: 28,
            ..DataRecipe::default()
        },
        optimizer: OptimizerRecipe {
            kind: OptimizerKind::AdamW,
            learning_rate: 0.003,
            ..OptimizerRecipe::default()
        },
        training: TrainingRecipe { epochs: 2, batch_size: 64, ..TrainingRecipe::default() },
        ..Recipe::default()
    };
    // As a file would have been: each key and value is checked.
    let recipe: Recipe =
        RecipeBuilder::from_text("mine", "the program", &recipe.to_toml()?)?.build()?;

    let shapes = recipe.architecture(1, 10)?.shapes([1, 28, 28])?;
    for layer in &shapes.layers {
        println!("{:28} {:?} {} parameters", layer.name, layer.output, layer.parameters);
    }
    println!("{} parameters, {} multiply-accumulates", shapes.parameters(), shapes.macs());

    let folder = tempfile::tempdir()?;
    let data = DataSet::open(FASHION_MNIST_SAMPLE, None, &Locations::default())?;
    let environment = Environment::default();
    let run = folder.path().join("run");
    let plan = TrainingPlan {
        recipe,
        folder: run,
        resume: false,
        data,
        workers: 1,
        start: None,
        environment,
    };
    let summary = train::<Autodiff<Flex>>(plan, &FlexDevice, Interrupter::new(), Box::new(()))?;
    println!("{}", summary.closing_lines("the CPU").unwrap_or_default());
    Ok(())
}

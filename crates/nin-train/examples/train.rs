//! Trains a built-in recipe on the embedded sample.
//!
//! ```sh
//! cargo run --release --example train
//! ```

use std::error::Error;

use burn::backend::Autodiff;
use burn_flex::{Flex, FlexDevice};
use nin_data::{DataSet, Locations};
use nin_train::recipe::RecipeBuilder;
use nin_train::{Event, Observer, Trainer, load_model};

/// Prints a line for each epoch.
struct Epochs;

impl Observer for Epochs {
    fn event(&mut self, event: &Event) {
        if let Event::Epoch(epoch) = event {
            println!("epoch {}: test acc {:.3}", epoch.epoch, epoch.eval_accuracy);
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut recipe = RecipeBuilder::named("quickstart")?;
    recipe.assign("training.epochs=2")?;
    let recipe = recipe.build()?;

    let data = DataSet::open(&recipe.data.dataset, None, &Locations::default())?;
    let parent = tempfile::tempdir()?; // a real run would use a permanent folder
    let folder = parent.path().join("run");
    let summary = Trainer::new(recipe, data)
        .folder(&folder)
        .workers(1)
        .observer(Epochs)
        .run::<Autodiff<Flex>>(&FlexDevice)?;
    println!("{}", summary.closing_lines("the CPU").unwrap_or_default());

    let (metadata, weights) = load_model(&folder)?; // the best checkpoint
    println!("{} has {} classes", metadata.architecture.name(), metadata.classes.len());
    println!("{} tensors", weights.iter().count());
    Ok(())
}

//! A training in forty lines: a built-in recipe, the embedded sample, one function.
//!
//! ```sh
//! cargo run --release --example train
//! ```

use std::error::Error;

use burn::backend::Autodiff;
use burn::train::Interrupter;
use burn_flex::{Flex, FlexDevice};
use nin_data::{DataSet, Locations};
use nin_train::recipe::RecipeBuilder;
use nin_train::{Environment, Event, Observer, TrainingPlan, load_model, train};

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
    let mut builder = RecipeBuilder::named("quickstart")?;
    builder.assign("training.epochs=2")?;
    let recipe = builder.build()?;

    let data = DataSet::open(&recipe.data.dataset, None, &Locations::from_environment())?;
    let parent = tempfile::tempdir()?; // a run's folder; yours would stay
    let folder = parent.path().join("run");
    let environment = Environment::default();
    let plan = TrainingPlan {
        recipe,
        folder: folder.clone(),
        resume: false,
        data,
        workers: 1,
        start: None,
        environment,
    };
    let summary = train::<Autodiff<Flex>>(plan, &FlexDevice, Interrupter::new(), Box::new(Epochs))?;
    println!("{}", summary.closing_lines("the CPU").unwrap_or_default());

    let (metadata, weights) = load_model(&folder)?; // the best checkpoint
    println!("{} tells {} classes apart", metadata.architecture.name(), metadata.classes.len());
    println!("{} tensors", weights.iter().count());
    Ok(())
}

//! Tests interrupted trainings.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use burn::backend::Autodiff;
use burn::train::Interrupter;
use burn_flex::{Flex, FlexDevice};
use nin_data::{DataSet, Locations};
use nin_train::recipe::RecipeBuilder;
use nin_train::{Ending, Summary, Trainer};

use crate::kernels::override_instruction_set;

/// An epoch of two steps.
const RECIPE: &str = r#"
[model]
blocks = [{ kernel = 5, stride = 5, widths = [2, 2, "classes"] }]
[training]
batch_size = 8
"#;

fn trained(folder: &Path, epochs: usize, interrupter: &Interrupter) -> Summary {
    override_instruction_set();
    let mut recipe = RecipeBuilder::from_text("tiny", "tiny", RECIPE).unwrap().build().unwrap();
    recipe.training.epochs = epochs;
    let data = DataSet::open("fashion-mnist-sample", None, &Locations::default()).unwrap();
    Trainer::new(recipe, data.limited(16))
        .folder(folder)
        .resume(folder.exists())
        .interrupter(interrupter.clone())
        .run::<Autodiff<Flex>>(&FlexDevice)
        .unwrap()
}

#[test]
fn a_run_that_is_stopped_before_its_first_step_writes_no_checkpoint_again() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("run");
    trained(&folder, 1, &Interrupter::new());
    let file = || {
        let latest = folder.join("checkpoints/latest/manifest.json").metadata().unwrap();
        (latest.ino(), latest.mtime_nsec())
    };
    let before = file();
    let stopped = Interrupter::new();
    stopped.stop(Some("asked to"));
    assert_eq!(trained(&folder, 2, &stopped).ending, Ending::Interrupted);
    assert_eq!(file(), before);
    assert_eq!(trained(&folder, 2, &Interrupter::new()).epochs, 2);
    assert_ne!(file(), before);
}

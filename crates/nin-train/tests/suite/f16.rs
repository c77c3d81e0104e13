//! Trainings in f16 on wgpu: the loss scale, and resuming.

use std::path::Path;

use burn::backend::Autodiff;
use burn_flex::{Flex, FlexDevice};
use burn_wgpu::{Wgpu, WgpuDevice};
use nin_data::{DataSet, Locations};
use nin_model::ModelError;
use nin_train::recipe::RecipeBuilder;
use nin_train::{Checkpoint, Ending, Event, RunFolder, TrainError, Trainer, read_events};

use crate::adapter;

/// An epoch of eight steps, with dropout.
const RECIPE: &str = r#"
[model]
initialization = "lsuv-open"
blocks = [
  { kernel = 5, stride = 3, widths = [16, 16, 16], pool = { kernel = 3, stride = 2, ceil_mode = true }, dropout = 0.5 },
  { kernel = 3, padding = 1, widths = [16, 16, "classes"] },
]
[optimizer]
learning_rate = 0.01
[data]
input_size = 28
[training]
precision = "f16"
batch_size = 1
"#;

fn trainer(folder: &Path, epochs: usize) -> Trainer {
    let mut recipe = RecipeBuilder::from_text("tiny", "tiny", RECIPE).unwrap().build().unwrap();
    recipe.training.epochs = epochs;
    let data = DataSet::open("fashion-mnist-sample", None, &Locations::default()).unwrap();
    Trainer::new(recipe, data.limited(8)).folder(folder).resume(folder.exists())
}

fn train(folder: &Path, epochs: usize) {
    let trainer = trainer(folder, epochs);
    let summary = trainer.run::<Autodiff<Wgpu>>(&WgpuDevice::default()).unwrap();
    assert_eq!(summary.ending, Ending::Finished);
}

fn latest(folder: &Path) -> Checkpoint {
    Checkpoint::read(&folder.join("checkpoints/latest")).unwrap()
}

#[test]
fn an_overflow_is_skipped_and_halves_the_loss_scale() {
    if !adapter::has_f16() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("run");
    train(&folder, 1);
    let mut checkpoint = latest(&folder);
    assert_eq!(checkpoint.state.loss_scale.unwrap().factor(), 65_536.0);
    assert_eq!(checkpoint.state.skipped_steps, 0);
    let before = checkpoint.weights.clone();

    // Divided among the 16 places of a map, the gradient of a logit is about a million, or a hundred thousand of the wrong classes.
    let scale = serde_json::from_str(r#"{ "exponent": 24, "steps": 7 }"#).unwrap();
    checkpoint.state.loss_scale = Some(scale);
    checkpoint.write(&RunFolder::open(&folder).unwrap(), false).unwrap();
    train(&folder, 4);
    let events = read_events(&folder.join("metrics.jsonl")).unwrap();
    let factors: Vec<f64> = events
        .iter()
        .filter_map(|event| match event {
            Event::LossScale { factor, .. } => Some(*factor),
            _ => None,
        })
        .collect();
    assert!(!factors.is_empty(), "{:?}", latest(&folder).state.loss_scale);
    // Each is half of the one before.
    for (at, factor) in factors.iter().enumerate() {
        assert_eq!(*factor, 2_f64.powi(23 - at as i32));
    }
    assert!(!events.iter().any(|event| matches!(event, Event::NonFinite { .. })));
    let after = latest(&folder);
    assert_eq!(after.state.skipped_steps, factors.len());
    assert_eq!(after.state.skipped_in_a_row, 0);
    assert_eq!(after.state.loss_scale.unwrap().factor(), *factors.last().unwrap());
    // The other steps count, and leave finite weights.
    assert!(after.weights != before);
    let mut values = after.weights.iter().flat_map(|(_, tensor)| &tensor.values);
    assert!(values.all(|value| value.is_finite()));
}

#[test]
fn a_resumed_training_has_the_weights_of_an_uninterrupted_one() {
    if !adapter::has_f16() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let [whole, parts] = ["whole", "parts"].map(|name| root.path().join(name));
    train(&whole, 2);
    train(&parts, 1);
    train(&parts, 2);
    let [whole, parts] = [whole, parts].map(|folder| latest(&folder));
    assert!(whole.weights == parts.weights);
    assert_eq!(whole.state.loss_scale, parts.state.loss_scale);
}

#[test]
fn a_cpu_refuses_before_it_writes_anything() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("run");
    let error = trainer(&folder, 1).run::<Autodiff<Flex>>(&FlexDevice).unwrap_err();
    assert!(matches!(error, TrainError::Model(ModelError::NoF16 { .. })), "{error}");
    assert!(error.hint().contains("bf16"), "{}", error.hint());
    assert!(!folder.exists());
}

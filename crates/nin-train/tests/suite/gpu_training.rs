//! Whole trainings on wgpu: against the CPU, repeated, and resumed.

use std::path::Path;

use burn::backend::Autodiff;
use burn::tensor::backend::Backend;
use burn_flex::Flex;
use burn_wgpu::{Wgpu, WgpuDevice};
use nin_data::{DataSet, Locations, OrderedLoader};
use nin_model::{Initialization, NetworkInNetwork, Weights, update_together};
use nin_train::recipe::{OptimizerRecipe, RecipeBuilder};
use nin_train::{Checkpoint, Ending, Trainer};

use crate::adapter;
use crate::agreement::architecture;
use crate::learner::learner;

/// The distance of all weights relative to how far they moved: sums in another order, fed back through eight steps.
const TOLERANCE: f64 = 1e-4;

/// Four steps an epoch, the last of which has fewer images, with dropout.
const NETWORK: &str = r#"
[model]
initialization = "kaiming"
blocks = [
  { kernel = 5, stride = 3, widths = [16, 16, 16], pool = { kernel = 3, stride = 2, ceil_mode = true }, dropout = 0.5 },
  { kernel = 3, padding = 1, widths = [16, 16, "classes"] },
]
[data]
input_size = 28
"#;

/// Each way to compute a loss, to clip and to update.
const RECIPES: [(&str, &str); 6] = [
    ("plain", "[training]\nbatch_size = 7\n[optimizer]\nlearning_rate = 0.05\n"),
    (
        "smoothed and mixed, momentum and decay",
        "[training]\nbatch_size = 7\nlabel_smoothing = 0.1\n[augmentation]\nmixup = 0.3\n\
         [optimizer]\nlearning_rate = 0.02\nmomentum = 0.9\nweight_decay = 0.01\nbias_rate = 2.0\n",
    ),
    (
        "weighted, clipped at each step",
        "[training]\nbatch_size = 7\nclass_weights = [1, 2, 1, 0.5, 1, 1, 3, 1, 0, 1]\n\
         [optimizer]\nlearning_rate = 0.5\nclip_norm = 0.01\n",
    ),
    (
        "AdamW",
        "[training]\nbatch_size = 7\n\
         [optimizer]\nkind = \"adamw\"\nlearning_rate = 0.005\n",
    ),
    (
        "Muon",
        "[training]\nbatch_size = 7\n\
         [optimizer]\nkind = \"muon\"\nmomentum = 0.95\nlearning_rate = 0.005\nweight_decay = 0.1\n",
    ),
    (
        "in parts, clipped",
        "[training]\nbatch_size = 8\nmicro_batches = 2\n\
         [optimizer]\nlearning_rate = 0.05\nclip_norm = 0.5\n",
    ),
];

/// Trains to the end of an epoch, from the latest checkpoint if there is one, and returns the weights.
fn train<I: Backend>(folder: &Path, recipe: &str, epochs: usize) -> Weights {
    let text = format!("{NETWORK}{recipe}");
    let mut recipe = RecipeBuilder::from_text("tiny", "tiny", &text).unwrap().build().unwrap();
    recipe.training.epochs = epochs;
    let data = DataSet::open("fashion-mnist-sample", None, &Locations::default()).unwrap();
    let trainer = Trainer::new(recipe, data.limited(26)).folder(folder).resume(folder.exists());
    let summary = trainer.run::<Autodiff<I>>(&I::Device::default()).unwrap();
    assert_eq!(summary.ending, Ending::Finished);
    Checkpoint::read(&folder.join("checkpoints/latest")).unwrap().weights
}

/// Returns the norm of the difference of all weights.
fn distance(one: &Weights, other: &Weights) -> f64 {
    let mut square = 0.0;
    for (name, tensor) in one.iter() {
        let other = &other.get(name).unwrap().values;
        assert_eq!(tensor.values.len(), other.len());
        let pairs = tensor.values.iter().zip(other);
        square += pairs.map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum::<f64>();
    }
    square.sqrt()
}

#[test]
fn a_training_on_wgpu_is_that_on_the_cpu_and_has_the_same_bits_when_repeated_or_resumed() {
    if !adapter::is_here() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    for (at, (name, recipe)) in RECIPES.into_iter().enumerate() {
        let folder = |kind: &str| root.path().join(format!("{at}-{kind}"));
        let gpu = train::<Wgpu>(&folder("gpu"), recipe, 2);
        let cpu = train::<Flex>(&folder("cpu"), recipe, 2);
        let after_one = train::<Wgpu>(&folder("resumed"), recipe, 1);
        let moved = distance(&after_one, &gpu);
        let off = distance(&cpu, &gpu);
        assert!(moved > 0.01 && off < TOLERANCE * moved, "{name}: {off} of {moved}");
        println!("{name}: off by {:.1e}", off / moved);
        assert!(train::<Wgpu>(&folder("resumed"), recipe, 2) == gpu, "{name}");
        assert!(train::<Wgpu>(&folder("again"), recipe, 2) == gpu, "{name}");
    }
}

/// Returns the weights after three steps, each of which is taken by `step`.
fn stepped(step: impl Fn(&mut dyn FnMut())) -> Weights {
    let device = WgpuDevice::default();
    let architecture = architecture();
    let weights = Initialization::Kaiming.weights(&architecture, 3);
    let network =
        NetworkInNetwork::<Autodiff<Wgpu>>::from_weights(&architecture, &weights, &device).unwrap();
    let mut learner = learner(network, 3, &OptimizerRecipe::default(), &device);
    let data = DataSet::open("fashion-mnist-sample", None, &Locations::default()).unwrap();
    let loader = OrderedLoader::shuffled(data.limited(9).train, 3, 3, &device);
    for batch in loader.epoch(1, 0) {
        let mut batch = Some(batch.unwrap());
        step(&mut || drop(learner.step(batch.take().unwrap()).unwrap()));
    }
    let after = learner.classifier().network().to_weights().unwrap();
    assert!(distance(&weights, &after) > 0.0);
    after
}

#[test]
fn updates_within_others_wait_and_a_panic_ends_the_waiting() {
    if !adapter::is_here() {
        return;
    }
    let plain = stepped(|step| step());
    assert!(stepped(|step| update_together(step)) == plain);
    let panicked = std::panic::catch_unwind(|| update_together(|| panic!("on purpose")));
    assert!(panicked.is_err());
    assert!(stepped(|step| step()) == plain);
}

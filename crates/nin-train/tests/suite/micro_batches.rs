//! Gradient accumulation and several ranks in whole trainings: what the weights may depend on, and what not.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use burn::backend::Autodiff;
use burn::train::Interrupter;
use burn_flex::{Flex, FlexDevice};
use nin_data::{DataSet, Locations, sha256};
use nin_train::recipe::RecipeBuilder;
use nin_train::{Ending, Observer, Progress, Summary, ThreadRank, TrainError, Trainer};

use crate::kernels::override_instruction_set;

/// Everything that a part of a batch could get wrong: dropout, augmentation, mixing, class weights, clipping, momentum
/// and an average. Its last batch has fewer images than parts.
const RECIPE: &str = r#"
[model]
initialization = "kaiming"
blocks = [
  { kernel = 5, stride = 3, widths = [4, 4, 4], dropout = 0.5 },
  { kernel = 3, padding = 1, widths = [4, 4, "classes"] },
]
[augmentation]
flip = true
shift = 2
mixup = 0.4
[optimizer]
momentum = 0.9
clip_norm = 0.5
[training]
epochs = 2
batch_size = 12
class_weights = "balanced"
label_smoothing = 0.1
ema_decay = 0.9
"#;

/// Four batches of 12 and one of 3.
const IMAGES: usize = 51;

/// Interrupts the training after a number of steps of this process.
struct StopAfter {
    steps: usize,
    interrupter: Interrupter,
}

impl Observer for StopAfter {
    fn progress(&mut self, progress: &Progress) {
        if let Progress::Training(report) = progress
            && report.step >= self.steps
        {
            self.interrupter.stop(Some("asked to"));
        }
    }
}

/// How a training is computed.
#[derive(Clone, Copy)]
struct How {
    micro_batches: usize,
    ranks: usize,
    workers: usize,
}

impl How {
    /// Starts or resumes a run on each rank, stops it after a number of steps, and returns the summaries.
    fn run(self, folder: &Path, steps: usize) -> Vec<Result<Summary, TrainError>> {
        override_instruction_set();
        let Self { micro_batches, ranks, workers } = self;
        let mut builder = RecipeBuilder::from_text("parts", "parts", RECIPE).unwrap();
        builder.assign(&format!("training.micro_batches={micro_batches}")).unwrap();
        let recipe = builder.build().unwrap();
        let data = DataSet::open("fashion-mnist-sample", None, &Locations::default()).unwrap();
        let data = data.limited(IMAGES);
        let resume = folder.exists();
        thread::scope(|scope| {
            let threads: Vec<_> = ThreadRank::all(ranks)
                .into_iter()
                .map(|rank| {
                    let (recipe, data) = (recipe.clone(), data.clone());
                    scope.spawn(move || {
                        let interrupter = Interrupter::new();
                        Trainer::new(recipe, data)
                            .folder(folder)
                            .resume(resume)
                            .workers(workers)
                            .communicator(Arc::new(rank))
                            .interrupter(interrupter.clone())
                            .observer(StopAfter { steps, interrupter })
                            .run::<Autodiff<Flex>>(&FlexDevice)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }

    /// Trains to the end; returns the checksums of the last checkpoint.
    fn finish(self, folder: &Path) -> [String; 2] {
        let summaries = self.run(folder, usize::MAX);
        assert!(summaries.iter().flatten().all(|summary| summary.ending == Ending::Finished));
        assert_eq!(summaries.iter().flatten().count(), self.ranks, "{summaries:?}");
        let file = |name: &str| {
            sha256(&std::fs::read(folder.join("checkpoints/latest").join(name)).unwrap())
        };
        ["model.safetensors", "optimizer.safetensors"].map(file)
    }

    /// Stops after a number of steps of the first epoch, on all ranks.
    fn cut(self, folder: &Path, steps: usize) {
        for summary in self.run(folder, steps) {
            assert_eq!(summary.unwrap().ending, Ending::Interrupted);
        }
    }
}

#[test]
fn weights_depend_on_the_number_of_parts_and_not_on_workers_or_cuts() {
    let root = tempfile::tempdir().unwrap();
    let mut found = Vec::new();
    for micro_batches in [1, 4] {
        let folder = |name: &str| root.path().join(format!("{micro_batches}-{name}"));
        let how = How { micro_batches, ranks: 1, workers: 0 };
        let plain = how.finish(&folder("plain"));
        assert_eq!(How { workers: 3, ..how }.finish(&folder("workers")), plain);
        how.cut(&folder("cut"), 3);
        assert_eq!(How { workers: 2, ..how }.finish(&folder("cut")), plain);
        found.push(plain);
    }
    assert_ne!(found[0], found[1]);
}

#[test]
fn weights_and_figures_do_not_depend_on_the_number_of_ranks_or_on_cuts_between_them() {
    let root = tempfile::tempdir().unwrap();
    let folder = |name: &str| root.path().join(name);
    let on = |ranks| How { micro_batches: 8, ranks, workers: 1 };
    let plain = on(1).finish(&folder("1"));
    // Times differ from run to run.
    let losses = |name: &str| -> Vec<String> {
        let log = std::fs::read_to_string(folder(name).join("metrics.jsonl")).unwrap();
        let events =
            log.lines().map(|line| -> serde_json::Value { serde_json::from_str(line).unwrap() });
        let figures = events.filter(|event| event["event"] == "epoch").map(|event| {
            ["train_loss", "train_accuracy", "eval_loss", "eval_accuracy"]
                .map(|key| event[key].to_string())
                .join(" ")
        });
        figures.collect()
    };
    assert_eq!(losses("1").len(), 2);
    for ranks in [2, 4, 8] {
        let name = ranks.to_string();
        assert_eq!(on(ranks).finish(&folder(&name)), plain, "{ranks} ranks");
        assert_eq!(losses(&name), losses("1"), "{ranks} ranks");
    }
    for (first, steps, then) in [(4, 2, 1), (1, 3, 8), (2, 4, 4)] {
        let cut = folder(&format!("{first}-{then}"));
        on(first).cut(&cut, steps);
        assert_eq!(on(then).finish(&cut), plain, "cut on {first}, resumed on {then}");
    }
    // A finished run needs no training on any rank.
    assert_eq!(on(4).finish(&folder("1")), plain);
}

#[test]
fn a_root_that_cannot_open_its_run_ends_all_ranks_with_its_error() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("run");
    let how = How { micro_batches: 4, ranks: 4, workers: 0 };
    how.cut(&folder, 1);
    std::fs::write(folder.join("recipe.toml"), "[training]\nepochs = 0").unwrap();
    for result in how.run(&folder, usize::MAX) {
        let error = result.unwrap_err().to_string();
        assert!(error.contains("epochs") && error.ends_with("(rank 0 on this machine)"), "{error}");
    }
}

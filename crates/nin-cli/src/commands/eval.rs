//! `eval`: loss, accuracy, precision and recall of each class, confusion matrix.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use burn::tensor::backend::{AutodiffBackend, Backend};
use nin_data::{Corruption, ImageDataset, OrderedLoader, sha256};
use nin_model::{ModelMetadata, NetworkInNetwork, Precision, Weights};
use nin_train::{Alone, Classifier, Communicator, Evaluation};
use serde_json::{Value, json};

use crate::arguments::{EvalArguments, ProgressChoice};
use crate::backend::{Selected, Task};
use crate::dataset::{ChosenImages, ImageRequest, Reading, choose_images, run_of};
use crate::output::{Format, note, print_json, print_text};
use crate::progress::PreparationProgress;
use crate::ranks::{Group, is_root, network_fingerprint};
use crate::terminal::printable_text;

pub fn run(arguments: &EvalArguments) -> anyhow::Result<ExitCode> {
    Group::together(|group| evaluate(arguments, group))
}

fn evaluate(arguments: &EvalArguments, group: Option<&Group>) -> anyhow::Result<ExitCode> {
    if let Some(group) = group {
        group.begin(None)?;
    }
    let (metadata, weights) = arguments.checkpoint.load()?;
    let asked = arguments.batch_size as usize;
    let batch_size = metadata.batch_in_memory(asked)?;
    if batch_size < asked {
        let [_, height, width] = metadata.input();
        note(format!(
            "note: batch size reduced to {batch_size}: more images of {height}x{width} do not fit \
             in 2 GiB"
        ));
    }
    let run = arguments.checkpoint.path().and_then(run_of);
    let asked = ImageRequest {
        metadata: &metadata,
        run: run.as_deref(),
        folder: arguments.data.as_deref(),
        dataset: arguments.dataset.as_deref(),
        part: arguments.split.into(),
        whole: arguments.whole,
        falls_back: false,
    };
    let reading = Reading {
        threads: arguments.device.thread_count(),
        is_cached: true,
        progress: &PreparationProgress::new(ProgressChoice::Auto),
        is_stopped: &|| false,
    };
    let chosen = choose_images(asked, reading)?;
    if let Some(group) = group {
        let labels: Vec<String> = chosen.images.labels().iter().map(u16::to_string).collect();
        let labels = ("the labels".to_owned(), sha256(labels.join(" ").as_bytes()));
        let network = network_fingerprint(&metadata, &weights)?;
        group.check(Ok(network.into_iter().chain([labels]).collect()))?;
    }
    let selected = Selected::choose(arguments.device.request_for(&weights))?;
    note(selected.describe());
    selected.note_format(metadata.precision, &weights);

    let task = Evaluate {
        metadata: &metadata,
        weights: &weights,
        images: chosen.images.clone(),
        batch_size,
        flips: arguments.flips,
        corruptions: arguments.corruptions,
        communicator: group.map_or_else(|| Arc::new(Alone) as _, Group::communicator),
    };
    let Evaluated { evaluation, images_per_sec, corrupted } = selected.run(task)?;
    let report = Report {
        chosen: &chosen,
        flips: arguments.flips,
        classes: &metadata.classes,
        evaluation: &evaluation,
        images_per_sec,
        backend: selected.backend.name(),
        corrupted: &corrupted,
    };
    match arguments.format {
        _ if !is_root() => {}
        Format::Json => print_json(&report.as_json())?,
        Format::Text => print_text(&report.as_text())?,
    }
    Ok(ExitCode::SUCCESS)
}

struct Evaluate<'a> {
    metadata: &'a ModelMetadata,
    weights: &'a Weights,
    images: ImageDataset,
    batch_size: usize,
    flips: bool,
    corruptions: bool,
    /// The processes that share the images.
    communicator: Arc<dyn Communicator>,
}

struct Evaluated {
    evaluation: Evaluation,
    images_per_sec: f64,
    /// Of each severity of each kind; empty unless asked for.
    corrupted: Vec<(Corruption, Evaluation)>,
}

impl Task for Evaluate<'_> {
    type Output = Evaluated;

    fn precision(&self) -> Precision {
        self.metadata.precision
    }

    fn run<B: AutodiffBackend>(self, device: B::Device) -> anyhow::Result<Self::Output>
    where
        B::InnerBackend: Backend<Device = B::Device>,
    {
        let network = NetworkInNetwork::<B::InnerBackend>::from_weights(
            &self.metadata.architecture,
            self.weights,
            &device,
        )?
        .with_precision(self.metadata.precision);
        let loader = OrderedLoader::in_order(self.images, self.batch_size, &device)
            .with_preprocessing(self.metadata.preprocessing.clone())
            .with_workers(1);
        let begun = Instant::now();
        let classifier = Classifier::new(network, 0).with_flips(self.flips);
        let evaluate = |loader: &OrderedLoader<B::InnerBackend>| {
            Evaluation::run_with(Arc::clone(&self.communicator), &classifier, loader, |_, _| {})
        };
        let evaluation = evaluate(&loader)?;
        let images_per_sec = evaluation.score.images as f64 / begun.elapsed().as_secs_f64();
        let mut corrupted = Vec::new();
        for corruption in Corruption::all().filter(|_| self.corruptions) {
            if corruption.severity() == 1 {
                let (done, all) = (corrupted.len(), Corruption::all().count());
                note(format!("corruptions: {done} of {all}, next {}", corruption.kind().name()));
            }
            let loader = loader.clone().with_corruption(Some(corruption));
            corrupted.push((corruption, evaluate(&loader)?));
        }
        Ok(Evaluated { evaluation, images_per_sec, corrupted })
    }
}

fn share(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}

struct Report<'a> {
    chosen: &'a ChosenImages,
    flips: bool,
    classes: &'a [String],
    evaluation: &'a Evaluation,
    images_per_sec: f64,
    backend: &'a str,
    corrupted: &'a [(Corruption, Evaluation)],
}

impl Report<'_> {
    fn as_json(&self) -> Value {
        let Self { evaluation, .. } = self;
        let per_class = self.classes.iter().enumerate().map(|(class, name)| {
            json!({
                "class": name,
                "precision": evaluation.precision(class),
                "recall": evaluation.recall(class),
            })
        });
        let mut report = json!({
            "dataset": self.chosen.dataset,
            "split": self.chosen.part,
            "flips": self.flips,
            "images": evaluation.score.images,
            "loss": evaluation.score.loss(),
            "accuracy": evaluation.score.accuracy(),
            "balanced_accuracy": evaluation.balanced_accuracy(),
            "macro_f1": evaluation.macro_f1(),
            "mean_probability": evaluation.calibration.mean_probability(),
            "calibration_error": evaluation.calibration.expected_error(),
            "per_class": per_class.collect::<Vec<_>>(),
            "confusion": evaluation.confusion,
            "selection": self.chosen.remark,
            "unknown_classes": self.chosen.unknown_classes,
            "images_per_sec": self.images_per_sec,
            "backend": self.backend,
        });
        if !self.corrupted.is_empty() {
            let entry = |(corruption, evaluation): &(Corruption, Evaluation)| {
                json!({
                    "kind": corruption.kind().name(),
                    "severity": corruption.severity(),
                    "loss": evaluation.score.loss(),
                    "accuracy": evaluation.score.accuracy(),
                })
            };
            report["corruptions"] = self.corrupted.iter().map(entry).collect();
            report["mean_corrupted_accuracy"] = self.mean_corrupted_accuracy().into();
        }
        report
    }

    /// Returns the mean accuracy over all corruptions.
    fn mean_corrupted_accuracy(&self) -> f64 {
        let accuracies = self.corrupted.iter().map(|(_, evaluation)| evaluation.score.accuracy());
        accuracies.sum::<f64>() / self.corrupted.len() as f64
    }

    /// Describes the accuracy on corrupted images, a row for each kind and a column for each severity.
    fn corruption_lines(&self) -> Vec<String> {
        let severities = (1..=Corruption::SEVERITIES).map(|severity| format!("{severity:>8}"));
        let severities = severities.collect::<String>();
        let mut lines = vec![String::new(), format!("{:<16}{severities}", "corruption")];
        for of_kind in self.corrupted.chunks(Corruption::SEVERITIES) {
            let name = of_kind.first().map_or("", |(corruption, _)| corruption.kind().name());
            let accuracies = of_kind
                .iter()
                .map(|(_, evaluation)| format!("{:>8.4}", evaluation.score.accuracy()));
            lines.push(format!("{:<16}{}", name.replace('_', " "), accuracies.collect::<String>()));
        }
        lines.push(format!(
            "mean accuracy over all corruptions {:.4}",
            self.mean_corrupted_accuracy()
        ));
        lines
    }

    fn as_text(&self) -> String {
        let Self { evaluation, chosen: ChosenImages { dataset, part, remark, .. }, .. } = self;
        let remark = remark.as_ref().map_or_else(String::new, |remark| format!(" ({remark})"));
        let score = evaluation.score;
        let looks = if self.flips { ", averaged with their horizontal flips" } else { "" };
        let mut lines = vec![
            format!("{dataset}, {part}: {} images{looks}{remark}", score.images),
            format!("loss {:.4}, accuracy {:.4}", score.loss(), score.accuracy()),
            format!(
                "balanced accuracy {}, macro F1 {}",
                share(evaluation.balanced_accuracy()),
                share(evaluation.macro_f1())
            ),
            format!(
                "mean probability {}, calibration error {}",
                share(evaluation.calibration.mean_probability()),
                share(evaluation.calibration.expected_error())
            ),
            String::new(),
            format!("{:<16}{:>10}{:>10}  answers", "class", "precision", "recall"),
        ];
        for (class, name) in self.classes.iter().enumerate() {
            let counts: Vec<_> =
                evaluation.confusion[class].iter().map(|count| format!("{count:>6}")).collect();
            let counts = counts.concat();
            lines.push(format!(
                "{name:<16}{:>10}{:>10}{counts}",
                share(evaluation.precision(class)),
                share(evaluation.recall(class)),
            ));
        }
        if !self.corrupted.is_empty() {
            lines.extend(self.corruption_lines());
        }
        lines.push(String::new());
        lines.push(format!("{:.1} images/sec with {}", self.images_per_sec, self.backend));
        printable_text(&lines)
    }
}

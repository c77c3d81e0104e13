//! `predict`: classes, probabilities and class maps for pictures.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use burn::tensor::backend::{AutodiffBackend, Backend};
use nin_model::{MapGeometry, ModelMetadata, Weights};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use serde_json::{Value, json};

use crate::answer::{Answer, answers};
use crate::arguments::PredictArguments;
use crate::backend::{Selected, Task};
use crate::failure::CommandError;
use crate::output::{Format, create_folder, note, print_json, print_text, unwritable};
use crate::pictures::{self, Picture, PictureError, Preparation, Prepared, Source};
use crate::prediction::{Prediction, Predictor};

/// Pictures that go through the network together.
const BATCH: usize = 32;
/// Batches that may be prepared and not yet taken.
const READY: usize = 2;

pub fn run(arguments: &PredictArguments) -> anyhow::Result<ExitCode> {
    let (metadata, weights) = arguments.checkpoint.load()?;
    let mut sources = Vec::new();
    let mut refused = Vec::new();
    for path in &arguments.images {
        match pictures::find(path) {
            Ok(found) => sources.extend(found),
            Err(error) => refused.push(Refusal { name: path.display().to_string(), error }),
        }
    }
    if let Some(folder) = &arguments.maps {
        create_folder(folder)?;
    }
    let selected = Selected::choose(arguments.device.backend, arguments.device.thread_count())?;
    note(selected.describe());
    selected.note_precision(metadata.precision);

    let preparation = Preparation::new(&metadata, arguments.invert, arguments.dense);
    let batch = if arguments.dense { 1 } else { BATCH };
    let (sender, batches) = sync_channel(READY);
    let answers = thread::scope(|scope| {
        // The sender goes with the thread: its end is the end of the batches.
        let (sources, preparation) = (&sources, &preparation);
        scope.spawn(move || prepare_all(sources, batch, preparation, &sender));
        selected.run(Predict { metadata: &metadata, weights: &weights, batches, arguments })
    })?;

    let Answers { given, refused: unprepared } = answers;
    refused.extend(unprepared);
    let report = Report { metadata: &metadata, top: arguments.top as usize, given, refused };
    match arguments.format {
        Format::Json => print_json(&report.as_json())?,
        Format::Text if !report.given.is_empty() => print_text(&report.as_text())?,
        Format::Text => {}
    }
    report.conclude()
}

/// A picture that was not answered.
struct Refusal {
    name: String,
    error: PictureError,
}

type Item = Result<(Source, Prepared), Refusal>;

/// Reads, decodes and prepares batch after batch, ahead of the network.
fn prepare_all(
    sources: &[Source],
    batch: usize,
    preparation: &Preparation,
    sender: &SyncSender<Vec<Item>>,
) {
    for sources in sources.chunks(batch) {
        let prepare = |source: &Source| {
            let prepared = source
                .read()
                .and_then(|bytes| Picture::decode(&bytes))
                .and_then(|picture| preparation.prepare(picture));
            match prepared {
                Ok(prepared) => Ok((source.clone(), prepared)),
                Err(error) => Err(Refusal { name: source.name(), error }),
            }
        };
        if sender.send(sources.par_iter().map(prepare).collect()).is_err() {
            return; // the network failed, and says so itself
        }
    }
}

struct Predict<'a> {
    metadata: &'a ModelMetadata,
    weights: &'a Weights,
    batches: Receiver<Vec<Item>>,
    arguments: &'a PredictArguments,
}

struct Answers {
    given: Vec<Answer>,
    refused: Vec<Refusal>,
}

impl Task for Predict<'_> {
    type Output = Answers;

    fn run<B: AutodiffBackend>(self, device: B::Device) -> anyhow::Result<Answers>
    where
        B::InnerBackend: Backend<Device = B::Device>,
    {
        let predictor = Predictor::<B::InnerBackend>::new(self.metadata, self.weights, device)?;
        let mut answers = Answers { given: Vec::new(), refused: Vec::new() };
        let mut overlays = self.arguments.maps.as_deref().map(|folder| Overlays {
            folder,
            metadata: self.metadata,
            geometry: self.metadata.architecture.map_geometry(),
            top: self.arguments.top as usize,
            number: 0,
        });
        for batch in self.batches {
            let mut prepared = Vec::new();
            for item in batch {
                match item {
                    Ok(item) => prepared.push(item),
                    Err(refusal) => answers.refused.push(refusal),
                }
            }
            let inputs: Vec<&Prepared> = prepared.iter().map(|(_, picture)| picture).collect();
            let predictions = predictor.predict(&inputs)?;
            for ((source, prepared), prediction) in prepared.into_iter().zip(predictions) {
                if let Some(overlays) = &mut overlays {
                    overlays.write(&source, &prepared.picture, &prediction)?;
                }
                answers.given.push(Answer {
                    name: source.name(),
                    size: prepared.original_size,
                    inverted: prepared.inverted,
                    prediction,
                });
            }
        }
        Ok(answers)
    }
}

/// `--maps`: a PNG for each picture and each of its top classes.
struct Overlays<'a> {
    folder: &'a Path,
    metadata: &'a ModelMetadata,
    geometry: MapGeometry,
    top: usize,
    number: usize,
}

impl Overlays<'_> {
    fn write(
        &mut self,
        source: &Source,
        picture: &Picture,
        prediction: &Prediction,
    ) -> anyhow::Result<()> {
        self.number += 1;
        let hottest = prediction.hottest();
        for (rank, class) in prediction.top(self.top).into_iter().enumerate() {
            let png = pictures::overlay(picture, &prediction.map(class), self.geometry, hottest)?;
            let path = self.path(source, rank + 1, &self.metadata.classes[class]);
            fs::write(&path, png).map_err(|error| unwritable("write", &path, &error))?;
        }
        Ok(())
    }

    /// Numbered, because two folders may hold pictures of one name.
    fn path(&self, source: &Source, rank: usize, class: &str) -> PathBuf {
        let number = self.number;
        let (stem, class) = (plain(&source.stem()), plain(class));
        self.folder.join(format!("{number:05}-{stem}-{rank}-{class}.png"))
    }
}

/// A part of a file's name: letters and digits, anything else a dash, and not too long.
fn plain(text: &str) -> String {
    let dashed = |letter: char| if letter.is_alphanumeric() { letter } else { '-' };
    text.chars().map(dashed).take(40).collect()
}

struct Report<'a> {
    metadata: &'a ModelMetadata,
    top: usize,
    given: Vec<Answer>,
    refused: Vec<Refusal>,
}

impl Report<'_> {
    fn as_json(&self) -> Value {
        let image = |answer: &Answer| answer.as_json(self.metadata, self.top);
        let images: Vec<_> = self.given.iter().map(image).collect();
        let refused = self
            .refused
            .iter()
            .map(|Refusal { name, error }| json!({ "path": name, "reason": error.to_string() }));
        answers(&images, &refused.collect::<Vec<_>>())
    }

    fn as_text(&self) -> String {
        let width = self.metadata.classes.iter().map(|name| name.chars().count()).max();
        let width = width.unwrap_or_default().max(12);
        let mut lines = Vec::new();
        for Answer { name, size: [height, across], inverted, prediction } in &self.given {
            let note = if *inverted { ", light and dark exchanged" } else { "" };
            let [map_height, map_width] = prediction.map_size();
            lines.push(format!("{name} ({across}x{height}{note}, maps {map_width}x{map_height})"));
            for class in prediction.top(self.top) {
                let class_name = &self.metadata.classes[class];
                lines.push(format!(
                    "  {class_name:<width$}  {:>6.2} %  logit {:.4}",
                    prediction.probabilities[class] * 100.0,
                    prediction.logits[class]
                ));
            }
        }
        lines.join("\n")
    }

    /// Whether all pictures were answered: those that were not fail the command, once the others
    /// are printed.
    fn conclude(&self) -> anyhow::Result<ExitCode> {
        let Some(first) = self.refused.first() else { return Ok(ExitCode::SUCCESS) };
        for Refusal { name, error } in self.refused.iter().skip(1) {
            note(format!("`{name}`: {error}"));
        }
        let Refusal { name, error } = first;
        let (failed, all) = (self.refused.len(), self.refused.len() + self.given.len());
        let message = if all == 1 {
            format!("`{name}`: {error}")
        } else {
            format!("{failed} of {all} pictures were not answered, first `{name}`: {error}")
        };
        Err(CommandError::new(message, error.hint()).into())
    }
}

//! `predict`: classes, probabilities and class maps for pictures.

mod overlays;
mod printer;
mod sorting;

use std::process::ExitCode;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use burn::tensor::backend::{AutodiffBackend, Backend};
use nin_data::{SkippedFiles, sha256};
use nin_model::{ModelMetadata, Precision, Weights};
use nin_prediction::{Answer, Threshold};
use nin_train::{Fingerprint, Predictor, Preparation, Prepared};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use serde::{Deserialize, Serialize};
use signal_hook::low_level;

use crate::arguments::{PredictArguments, PredictFormat};
use crate::backend::{Selected, Task};
use crate::error::{CommandError, check_is_local};
use crate::exit::INTERRUPTED;
use crate::interrupt;
use crate::output::{create_folder, note};
use crate::pictures::{self, Picture, PictureError, Source};
use crate::ranks::{Group, is_root, network_fingerprint};
use crate::threshold::checked_threshold;
use overlays::Overlays;
use printer::{Printer, Refusal};
use sorting::Sorting;

/// Pictures per batch.
const BATCH: usize = 32;
/// Batches prepared ahead of the network.
const READY: usize = 2;

pub fn run(arguments: &PredictArguments) -> anyhow::Result<ExitCode> {
    Group::together(|group| predict(arguments, group))?.end()
}

fn predict(arguments: &PredictArguments, group: Option<&Group>) -> anyhow::Result<Printed> {
    if let Some(group) = group {
        group.begin(None)?;
    }
    let threshold = arguments.threshold.map(checked_threshold).transpose()?;
    let (metadata, weights) = arguments.checkpoint.load()?;
    let (sources, refused) = find_all(arguments);
    if let Some(group) = group {
        group.check(Ok(shareable(arguments, &metadata, &weights, &sources)?))?;
    }
    for folder in [&arguments.maps, &arguments.sort_into].into_iter().flatten() {
        create_folder(folder)?;
    }
    let selected = Selected::choose(arguments.device.request_for(&weights))?;
    note(selected.describe());
    selected.note_format(metadata.precision, &weights);

    let mut preparation = Preparation::new(&metadata).with_inversion(arguments.invert.into());
    if arguments.dense {
        preparation = preparation.dense();
    }
    let batch = if arguments.dense { 1 } else { metadata.batch_in_memory(BATCH)? };
    let mut printer =
        Printer::new(arguments.format, metadata.clone(), arguments.top as usize, threshold);
    if is_root() {
        printer.begin()?;
        for refusal in refused {
            printer.refuse(refusal)?;
        }
    }
    let printer = Shared::new(printer);
    end_at_signal(printer.clone())?;
    let keeps_pipes = arguments.sort_into.is_some();
    let turns = Turns::of(group, sources.len().div_ceil(batch));
    let (sender, batches) = sync_channel(READY);
    let predicted = thread::scope(|scope| {
        // The thread owns the sender, so the batches end when it does.
        let preparation = &preparation;
        let own = sources.chunks(batch).skip(turns.rank).step_by(turns.size);
        scope.spawn(move || prepare_all(own, keeps_pipes, preparation, &sender));
        let printer = &printer;
        selected.run(Predict {
            metadata: &metadata,
            weights: &weights,
            batches,
            arguments,
            threshold,
            printer,
            group: group.map(|group| (group, turns.rounds)),
        })
    });
    if predicted.is_err() && is_root() {
        printer.lock().end_early();
    }
    predicted?;
    Ok(Printed(printer))
}

/// How processes take turns at batches.
struct Turns {
    rank: usize,
    size: usize,
    /// Batches of each process; some have one less.
    rounds: usize,
}

impl Turns {
    fn of(group: Option<&Group>, batches: usize) -> Self {
        let (rank, size) = group.map_or((0, 1), Group::place);
        Self { rank, size, rounds: batches.div_ceil(size) }
    }
}

/// The output of a command whose pictures are all answered.
struct Printed(Shared);

impl Printed {
    fn end(self) -> anyhow::Result<ExitCode> {
        if is_root() { self.0.lock().end() } else { Ok(ExitCode::SUCCESS) }
    }
}

/// Returns what all processes must have in common.
///
/// # Errors
/// What only one process can do: it reads a pipe, and gives files names that are not taken.
fn shareable(
    arguments: &PredictArguments,
    metadata: &ModelMetadata,
    weights: &Weights,
    sources: &[Source],
) -> anyhow::Result<Fingerprint> {
    let alone = |what: &str| {
        CommandError::new(
            format!("several processes cannot share {what}"),
            "start `predict` without mpirun",
        )
    };
    if arguments.maps.is_some() || arguments.sort_into.is_some() {
        return Err(alone("--maps or --sort-into").into());
    }
    if !sources.iter().all(Source::is_file) {
        return Err(alone("pipes or standard input").into());
    }
    let names: Vec<String> = sources.iter().map(Source::name).collect();
    let list = sha256(names.join("\n").as_bytes());
    let network = network_fingerprint(metadata, weights)?;
    Ok(network.into_iter().chain([("the list of pictures".to_owned(), list)]).collect())
}

/// Finds the pictures at all paths, and the paths without any. Reports skipped files.
fn find_all(arguments: &PredictArguments) -> (Vec<Source>, Vec<Refusal>) {
    let (mut sources, mut refused) = (Vec::new(), Vec::new());
    let mut skipped = SkippedFiles::default();
    for path in &arguments.images {
        let name = path.display().to_string();
        match pictures::find(path) {
            Ok(found) => {
                skipped += found.skipped;
                if found.sources.is_empty() && found.errors.is_empty() {
                    refused.push(Refusal::new(name.clone(), &PictureError::NoPictures));
                }
                sources.extend(found.sources);
                refused.extend(found.errors.into_iter().map(|error| Refusal {
                    name: name.clone(),
                    reason: error.to_string(),
                    hint: error.hint(),
                }));
            }
            Err(error) => {
                let mut refusal = Refusal::new(name, &error);
                if let Err(is_url) = check_is_local(path) {
                    refusal.hint = is_url.hint;
                }
                refused.push(refusal);
            }
        }
    }
    if skipped.total() > 0 {
        note(format!("note: {}", skipped.describe().join("; ")));
    }
    (sources, refused)
}

/// The printer, shared by threads that print one picture at a time.
#[derive(Clone)]
struct Shared(Arc<Mutex<Printer>>);

impl Shared {
    fn new(printer: Printer) -> Self {
        Self(Arc::new(Mutex::new(printer)))
    }

    fn lock(&self) -> MutexGuard<'_, Printer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets a signal end the command between two pictures, so that every line and file is complete.
fn end_at_signal(printer: Shared) -> anyhow::Result<()> {
    interrupt::on_signal(move || {
        let printer = printer.clone();
        // In a separate thread, because stdout may block and the second signal must still work.
        thread::spawn(move || {
            let mut printer = printer.lock();
            printer.end_early();
            note(format!("interrupted after {} pictures", printer.given()));
            low_level::exit(i32::from(INTERRUPTED));
        });
    })
}

/// A picture prepared for the network.
struct Ready {
    source: Source,
    prepared: Prepared,
    /// The file's bytes, if it cannot be read again.
    bytes: Option<Vec<u8>>,
}

type Item = Result<Ready, Refusal>;

/// Reads, decodes and prepares batches ahead of the network.
fn prepare_all<'a>(
    batches: impl Iterator<Item = &'a [Source]>,
    keeps_pipes: bool,
    preparation: &Preparation,
    sender: &SyncSender<Vec<Item>>,
) {
    let prepare = |source: &Source| -> Result<Ready, PictureError> {
        let bytes = source.read()?;
        let prepared = Picture::decode_then(&bytes, |picture| preparation.prepare(picture))??;
        let bytes = (keeps_pipes && !source.is_file()).then_some(bytes);
        Ok(Ready { source: source.clone(), prepared, bytes })
    };
    let prepare = |source| prepare(source).map_err(|error| Refusal::new(source.name(), &error));
    for sources in batches {
        if sender.send(sources.par_iter().map(prepare).collect()).is_err() {
            return; // the network failed and reports that itself
        }
    }
}

struct Predict<'a> {
    metadata: &'a ModelMetadata,
    weights: &'a Weights,
    batches: Receiver<Vec<Item>>,
    arguments: &'a PredictArguments,
    threshold: Option<Threshold>,
    printer: &'a Shared,
    /// The processes that share the pictures, and the number of batches of each.
    group: Option<(&'a Group, usize)>,
}

/// What came of a picture, for the process that prints.
#[derive(Serialize, Deserialize)]
enum Outcome {
    /// The answer as it is printed.
    Answer(String),
    Refusal(Refusal),
}

impl Task for Predict<'_> {
    type Output = ();

    fn precision(&self) -> Precision {
        self.metadata.precision
    }

    fn run<B: AutodiffBackend>(self, device: B::Device) -> anyhow::Result<()>
    where
        B::InnerBackend: Backend<Device = B::Device>,
    {
        let Self { metadata, weights, arguments, printer, .. } = &self;
        let mut predictor = Predictor::<B::InnerBackend>::new(metadata, weights, &device)?;
        let mut overlays = arguments
            .maps
            .as_deref()
            .map(|folder| Overlays::new(folder, metadata, arguments.top as usize))
            .transpose()?;
        let sorting =
            arguments.sort_into.as_deref().map(|folder| Sorting::new(folder, &metadata.classes));
        if overlays.is_none() && arguments.format != PredictFormat::Json {
            predictor = predictor.without_maps();
        }
        let Some((group, rounds)) = self.group else {
            for batch in &self.batches {
                answer(&predictor, batch, |outcome| {
                    // Locked, so that a signal waits until the picture's files are complete.
                    let mut printer = printer.lock();
                    match outcome {
                        Err(refusal) => printer.refuse(refusal),
                        Ok((Ready { source, prepared, bytes }, answer)) => {
                            if let Some(overlays) = &mut overlays {
                                overlays.write(&source, &prepared.picture, &answer.prediction)?;
                            }
                            if let Some(sorting) = &sorting {
                                let class = answer.class(self.threshold);
                                sorting.copy(&source, bytes.as_deref(), class)?;
                            }
                            let text = printer.formatted(&answer);
                            printer.answer(&text)
                        }
                    }
                })?;
            }
            return Ok(());
        };
        for _ in 0..rounds {
            let mut outcomes = Vec::new();
            // In the last round, some processes have none left.
            if let Ok(batch) = self.batches.recv() {
                answer(&predictor, batch, |outcome| {
                    outcomes.push(match outcome {
                        Err(refusal) => Outcome::Refusal(refusal),
                        Ok((_, answer)) => Outcome::Answer(printer.lock().formatted(&answer)),
                    });
                    Ok(())
                })?;
            }
            let all = group.gather(&serde_json::to_string(&outcomes)?)?;
            for outcomes in all.iter().filter(|_| is_root()) {
                for outcome in serde_json::from_str::<Vec<Outcome>>(outcomes)? {
                    let mut printer = printer.lock();
                    match outcome {
                        Outcome::Answer(text) => printer.answer(&text)?,
                        Outcome::Refusal(refusal) => printer.refuse(refusal)?,
                    }
                }
            }
        }
        Ok(())
    }
}

/// Answers a batch, in the order of its pictures; refused ones come first.
fn answer<B: Backend>(
    predictor: &Predictor<B>,
    batch: Vec<Item>,
    mut take: impl FnMut(Result<(Ready, Answer), Refusal>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut pictures = Vec::new();
    for item in batch {
        match item {
            Ok(picture) => pictures.push(picture),
            Err(refusal) => take(Err(refusal))?,
        }
    }
    let inputs: Vec<&Prepared> = pictures.iter().map(|picture| &picture.prepared).collect();
    let predictions = predictor.predict_prepared(&inputs)?;
    for (picture, prediction) in pictures.into_iter().zip(predictions) {
        let answer = Answer {
            name: picture.source.name(),
            size: picture.prepared.original_size,
            inverted: picture.prepared.inverted,
            prediction,
        };
        take(Ok((picture, answer)))?;
    }
    Ok(())
}

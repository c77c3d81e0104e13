//! Writes a run's report: classifies the test images with its best checkpoint, then fills the page.

use std::path::Path;

use nin_data::{DataSet, Part};
use nin_model::{ModelMetadata, Weights};
use nin_train::{RunHistory, load_model};

use super::contents::Report;
use super::inspection::{Inspect, Inspection};
use super::network::Network;
use super::page::FILE;
use crate::arguments::ProgressChoice;
use crate::backend::Selected;
use crate::comparison::{self, Comparison};
use crate::dataset::{ImageRequest, Reading, choose_images};
use crate::drawing::Figure;
use crate::output::{create_folder, note, save};
use crate::progress::PreparationProgress;
use crate::seeds::SeedsFolder;
use crate::tensorboard;

/// The files of a report.
#[derive(Clone, Copy)]
pub struct Outputs<'a> {
    /// The page.
    pub page: &'a Path,
    /// The folder for its figures as SVG.
    pub figures: Option<&'a Path>,
    /// The step for TensorBoard, to also write its pictures into the run folder.
    pub tensorboard: Option<usize>,
}

/// The source of the test images.
#[derive(Clone, Copy)]
pub enum TestData<'a> {
    /// The data of the training that just ended.
    AtHand(&'a DataSet),
    /// A named folder, or wherever the run's data set is found.
    In(Option<&'a Path>),
}

/// Writes the report of a training that just ended. A failure is only a warning, because the training is done.
pub fn conclude(run: &Path, data: &DataSet, selected: &Selected, tensorboard: Option<usize>) {
    let page = run.join(FILE);
    let outputs = Outputs { page: &page, figures: None, tensorboard };
    let written = RunHistory::read(run)
        .map_err(Into::into)
        .and_then(|history| write(&history, TestData::AtHand(data), selected, outputs));
    match written {
        Ok(()) => note(format!("report: {}", page.display())),
        Err(error) => note(format!("warning: no report written: {error:#}")),
    }
}

/// Writes a run's report, with the answers of its best checkpoint if its data set is available.
pub fn write(
    history: &RunHistory,
    data: TestData,
    selected: &Selected,
    outputs: Outputs<'_>,
) -> anyhow::Result<()> {
    let model = load_model(&history.path).map_err(|error| in_words(&error.into()));
    let model = model.as_ref().map_err(Clone::clone);
    let inspection = model.clone().and_then(|(metadata, weights)| {
        inspect(history, data, selected, metadata, weights).map_err(|error| in_words(&error))
    });
    let network = model.and_then(|(metadata, weights)| network(metadata, weights));
    let inspection = inspection.as_ref().map_err(Clone::clone);
    let report = Report { history, network, inspection, seeds: seeds(history) };
    if let Err(reason) = &report.inspection {
        note(format!("the report lacks the test results: {reason}"));
    }
    save(outputs.page, report.html()?.as_bytes())?;
    if let Some(folder) = outputs.figures {
        create_folder(folder)?;
        for Figure { name, svg } in report.figures()? {
            save(&folder.join(format!("{name}.svg")), svg.as_bytes())?;
        }
    }
    if let Some(step) = outputs.tensorboard {
        tensorboard::write_pictures(&history.path, step, report.pictures()?);
    }
    Ok(())
}

/// Returns the runs with other seeds in the same folder.
fn seeds(history: &RunHistory) -> Option<Comparison> {
    let folder = SeedsFolder::around(&history.path)?;
    let compared = comparison::read(&[folder]).and_then(|histories| Comparison::of(&histories));
    compared
        .map_err(|error| note(format!("the report lacks the other seeds: {}", in_words(&error))))
        .ok()
}

/// Formats an error as part of a sentence.
fn in_words(error: &anyhow::Error) -> String {
    format!("{error:#}")
}

fn network<'a>(metadata: &'a ModelMetadata, weights: &'a Weights) -> Result<Network<'a>, String> {
    let shapes =
        metadata.architecture.shapes(metadata.input()).map_err(|error| error.to_string())?;
    Ok(Network { metadata, weights, shapes })
}

fn inspect(
    history: &RunHistory,
    data: TestData,
    selected: &Selected,
    metadata: &ModelMetadata,
    weights: &Weights,
) -> anyhow::Result<Inspection> {
    let images = match data {
        TestData::AtHand(data) => data.part(tested_part(data)),
        TestData::In(folder) => {
            let asked = ImageRequest {
                metadata,
                run: Some(&history.path),
                folder,
                dataset: None,
                part: Part::Test,
                whole: false,
                falls_back: true,
            };
            let reading = Reading {
                threads: rayon::current_num_threads(),
                is_cached: true,
                progress: &PreparationProgress::new(ProgressChoice::Auto),
                is_stopped: &|| false,
            };
            choose_images(asked, reading)?.images
        }
    };
    note(format!("evaluating {} test images with {}", images.len(), selected.describe()));
    selected.run(Inspect { metadata, weights, images })
}

/// Returns the part to test on: validation images if there are no test images.
fn tested_part(data: &DataSet) -> Part {
    if data.test.is_empty() { Part::Validation } else { Part::Test }
}

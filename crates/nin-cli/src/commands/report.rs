//! `report`: a run as one self-contained HTML file.

use std::path::Path;
use std::process::ExitCode;

use nin_model::{ModelMetadata, Weights};
use nin_train::recipe::DataRecipe;
use nin_train::{RunRecord, load_model};

use crate::arguments::ReportArguments;
use crate::backend::Selected;
use crate::comparison::{self, Comparison};
use crate::output::{note, print_text, save};
use crate::report::{Inspect, Inspection, Network, Report};
use crate::seeds::SeedsFolder;
use crate::settings::{check_classes, open_training_data};

pub fn run(arguments: &ReportArguments) -> anyhow::Result<ExitCode> {
    let ReportArguments { run, output, data, device } = arguments;
    let default = run.join("report.html");
    let output = output.as_deref().unwrap_or(&default);
    // Nothing is opened for a folder that holds no run.
    let record = RunRecord::read(run)?;
    let selected = Selected::choose(device.backend, device.thread_count())?;
    write(&record, data.as_deref(), &selected, output)?;
    print_text(&output.display().to_string())?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a run's report, with the answers of its best checkpoint where its data set is at hand.
pub fn write(
    record: &RunRecord,
    data: Option<&Path>,
    selected: &Selected,
    output: &Path,
) -> anyhow::Result<()> {
    let model = load_model(&record.path).map_err(|error| said(&error.into()));
    let model = model.as_ref().map_err(Clone::clone);
    let inspection = model.clone().and_then(|(metadata, weights)| {
        inspect(record, data, selected, metadata, weights).map_err(|error| said(&error))
    });
    let network = model.and_then(|(metadata, weights)| network(metadata, weights));
    let inspection = inspection.as_ref().map_err(Clone::clone);
    let report = Report { record, network, inspection, seeds: seeds(record) };
    if let Err(reason) = &report.inspection {
        note(format!("the report has no answers: {reason}"));
    }
    save(output, report.html()?.as_bytes())
}

/// The runs with other seeds that stand beside this one.
fn seeds(record: &RunRecord) -> Option<Comparison> {
    let folder = SeedsFolder::around(&record.path)?;
    let compared = comparison::read(&[folder]).and_then(|records| Comparison::of(&records));
    compared.map_err(|error| note(format!("the report has no other seeds: {}", said(&error)))).ok()
}

/// An error as part of a sentence.
fn said(error: &anyhow::Error) -> String {
    format!("{error:#}")
}

fn network<'a>(metadata: &'a ModelMetadata, weights: &'a Weights) -> Result<Network<'a>, String> {
    let shapes =
        metadata.architecture.shapes(metadata.input()).map_err(|error| error.to_string())?;
    Ok(Network { metadata, weights, shapes })
}

fn inspect(
    record: &RunRecord,
    data: Option<&Path>,
    selected: &Selected,
    metadata: &ModelMetadata,
    weights: &Weights,
) -> anyhow::Result<Inspection> {
    let recipe = DataRecipe { dataset: metadata.dataset.clone(), ..record.recipe.data.clone() };
    let data = open_training_data(&recipe, data)?;
    check_classes(&data, metadata)?;
    note(format!("{} test images with {}", data.test.len(), selected.describe()));
    selected.run(Inspect { metadata, weights, images: data.test })
}

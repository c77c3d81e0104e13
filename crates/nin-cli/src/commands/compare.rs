//! `compare`: compares several runs.

use std::process::ExitCode;

use crate::arguments::CompareArguments;
use crate::comparison::{self, Comparison};
use crate::output::{Format, note, print_json, print_text, save};

pub fn run(arguments: &CompareArguments) -> anyhow::Result<ExitCode> {
    let comparison = Comparison::of(&comparison::read(&arguments.runs)?)?;
    if let Some(output) = &arguments.output {
        save(output, comparison.figure().svg.as_bytes())?;
        note(format!("curves in {}", output.display()));
    }
    match arguments.format {
        Format::Json => print_json(&comparison)?,
        Format::Text => print_text(&comparison.text())?,
    }
    Ok(ExitCode::SUCCESS)
}

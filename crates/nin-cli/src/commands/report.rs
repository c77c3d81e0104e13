//! `report`: writes a run, or runs with several seeds, as one self-contained HTML file.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use nin_train::RunHistory;

use crate::arguments::ReportArguments;
use crate::backend::Selected;
use crate::comparison::{self, Comparison};
use crate::output::{create_folder, note, print_text, save};
use crate::report::{self, Outputs, TestData};
use crate::seeds::SeedsFolder;
use crate::terminal::printable;

/// Opens a file in the user's program for it.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

pub fn run(arguments: &ReportArguments) -> anyhow::Result<ExitCode> {
    let ReportArguments { run, output, figures, open, data, device } = arguments;
    let output = output.clone().unwrap_or_else(|| run.join(report::FILE));
    if SeedsFolder::is_one(run) {
        return series(arguments, &output);
    }
    // Before a device is opened.
    let history = RunHistory::read(run)?;
    let selected = Selected::choose(device.request())?;
    let outputs = Outputs { page: &output, figures: figures.as_deref(), tensorboard: None };
    report::write(&history, TestData::In(data.as_deref()), &selected, outputs)?;
    print_text(&printable(&output.display().to_string()))?;
    if *open {
        open_in_browser(&output);
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the page of all runs in a folder of `train --seeds`.
fn series(arguments: &ReportArguments, output: &Path) -> anyhow::Result<ExitCode> {
    let (folder, seeds, _) = SeedsFolder::open(&arguments.run)?;
    let comparison = Comparison::of(&comparison::read(&folder.runs(&seeds))?)?;
    save(output, report::seeds_page(&arguments.run, output, &comparison).as_bytes())?;
    if let Some(folder) = &arguments.figures {
        create_folder(folder)?;
        save(&folder.join("seeds.svg"), comparison.figure().svg.as_bytes())?;
    }
    print_text(&printable(&output.display().to_string()))?;
    if arguments.open {
        open_in_browser(output);
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens the page in the user's browser.
fn open_in_browser(page: &Path) {
    // Its own messages are about the browsers that it tried.
    let status = Command::new(OPENER)
        .arg(page)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !status.is_ok_and(|status| status.success()) {
        note(format!(
            "warning: `{OPENER}` could not open the report: open it in a browser yourself"
        ));
    }
}

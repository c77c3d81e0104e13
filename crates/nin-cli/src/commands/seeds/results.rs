//! What a series says about its runs.

use nin_train::files::{read_file, write_file};
use nin_train::{Ending, RunFolder, RunHistory, Summary};
use serde_json::Value;

use crate::arguments::TrainArguments;
use crate::comparison::{Comparison, Spread};
use crate::report;
use crate::seeds::SeedsFolder;
use crate::terminal::printable;

/// The largest `summary.json`, in bytes. It has a few hundred.
const LARGEST_SUMMARY: u64 = 1 << 20;

/// Returns lines about the end of a run, for stderr. stdout has the table.
pub fn end_of_run(seed: u64, summary: &Summary, device: &str) -> Vec<String> {
    if summary.ending == Ending::Collapsed {
        vec![format!("seed {seed}: collapsed")]
    } else if let Some(lines) = summary.closing_lines(device) {
        lines.lines().map(|line| format!("seed {seed}: {line}")).collect()
    } else {
        vec![format!("seed {seed}: already finished after {} epochs", summary.epochs)]
    }
}

/// Writes the comparison of the runs so far: its table, its plot and its page.
pub fn write_comparison(
    folder: &SeedsFolder,
    comparison: &Comparison,
    arguments: &TrainArguments,
) -> anyhow::Result<()> {
    let json = serde_json::to_vec_pretty(comparison)?;
    let in_folder = |name: &str| folder.path().join(name);
    let mut files = vec![
        (in_folder("seeds.json"), json),
        (in_folder("seeds.svg"), comparison.figure().svg.into_bytes()),
    ];
    if !arguments.no_report {
        let page = folder.path().join(report::FILE);
        let html = report::seeds_page(folder.path(), &page, comparison);
        files.push((page, html.into_bytes()));
    }
    for (path, bytes) in files {
        match write_file(&path, &bytes) {
            // It only repeats what the runs contain.
            Err(error) if error.is_out_of_space() => {}
            other => other?,
        }
    }
    Ok(())
}

/// Returns the table, followed by the book's two lines for the median run.
pub fn text(histories: &[RunHistory], comparison: &Comparison) -> String {
    let mut text = comparison.text();
    let middle = Spread::median_run(&comparison.runs).and_then(|at| histories.get(at));
    if let Some((history, lines)) =
        middle.and_then(|history| Some((history, closing_lines(history)?)))
    {
        text.extend(["\n\nmedian run: ", &printable(&history.name()), ":\n", &lines]);
    }
    text
}

/// Returns the book's lines for a run, read from its folder.
fn closing_lines(history: &RunHistory) -> Option<String> {
    let summary =
        read_file(&RunFolder::open(&history.path).ok()?.summary_path(), LARGEST_SUMMARY).ok()?;
    let summary: Value = serde_json::from_slice(&summary).ok()?;
    let rate = summary["examples_per_sec"].as_f64()?;
    let device = history.environment.as_ref()?["device"].as_str()?.to_owned();
    let last = history.epochs().last()?;
    Some(Summary::book_lines(last, history.tested(), rate, &device))
}

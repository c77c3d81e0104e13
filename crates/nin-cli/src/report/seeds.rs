//! Runs of one recipe with several seeds: a section of each run's report, and a page of all runs.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};
use nin_train::RunHistory;

use super::page::{self, Section, cell, percent, table};
use crate::comparison::{Comparison, Row};

/// Returns a row for each run, including this one, and their spread.
pub(super) fn section(history: &RunHistory, comparison: &Comparison) -> Section {
    let this = history.name();
    let name = |row: &Row| {
        html! { @if row.run == this { strong { (row.run) } " (this run)" } @else { (row.run) } }
    };
    let body = html! { (spread(comparison)) (rows(comparison, name)) };
    Section { id: "seeds", title: "Other seeds", body }
}

/// Returns the page of a folder of such runs, as it is written to `output`. It links to the runs' own pages
/// if it is in their folder.
pub fn seeds_page(folder: &Path, output: &Path, comparison: &Comparison) -> String {
    let full = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let name = full.file_name().unwrap_or(full.as_os_str()).to_string_lossy();
    let is_in_folder = output.parent() == Some(folder);
    let link = |row: &Row| {
        let page = Path::new(&row.run).join(page::FILE);
        (is_in_folder && folder.join(&page).is_file()).then(|| page.display().to_string())
    };
    let run = |row: &Row| {
        html! { @if let Some(link) = link(row) { a href=(link) { (row.run) } } @else { (row.run) } }
    };
    let runs = Section { id: "runs", title: "Runs", body: rows(comparison, run) };
    let source = format!("data:image/svg+xml;base64,{}", STANDARD.encode(comparison.figure().svg));
    let drawing = html! {
        img alt="Training loss and test accuracy of each run over the epochs" src=(source);
    };
    let body = html! { figure { (page::scrolling("Curves of all runs", &drawing)) } };
    let curves = Section { id: "curves", title: "Curves", body };
    page::page(&name, &spread(comparison), &[runs, curves])
}

fn rows(comparison: &Comparison, name: impl Fn(&Row) -> Markup) -> Markup {
    let rows: Vec<_> = comparison.runs.iter().map(|row| cells(row, name(row))).collect();
    let head =
        ["run", "seed", "epochs", "training loss", "training accuracy", "test accuracy", "remarks"];
    table("Runs of the same recipe", &head, &rows)
}

fn cells(row: &Row, name: Markup) -> Vec<Markup> {
    vec![
        name,
        cell(row.seed),
        cell(format_args!("{} of {}", row.epochs, row.epochs_asked)),
        cell(row.train_loss.map_or_else(|| "–".to_owned(), |loss| format!("{loss:.4}"))),
        cell(percent(row.train_accuracy)),
        cell(percent(row.test_accuracy)),
        cell(row.remark()),
    ]
}

fn spread(comparison: &Comparison) -> Markup {
    let spread = &comparison.spread;
    html! {
        @if spread.ended == 0 {
            p { "No run has ended yet." }
        } @else {
            p {
                "Runs ended: " (spread.ended) ". Test accuracy: median "
                (percent(spread.median)) ", "
                (percent(spread.min)) " to " (percent(spread.max)) "; "
                (counts(spread.at_least_085, spread.below_070, spread.at_chance))
                @if let Some(published) = comparison.published {
                    " The " (published.runs) " published runs (" (published.source) "): median "
                    (percent(Some(published.median))) ", best " (percent(Some(published.max))) "; "
                    (counts(published.at_least_085, published.below_070, published.at_chance))
                }
            }
        }
    }
}

fn counts(at_least_085: usize, below_070: usize, at_chance: usize) -> String {
    format!(
        "{at_least_085} at 85\u{a0}% or above, {below_070} below 70\u{a0}%, {at_chance} at chance."
    )
}

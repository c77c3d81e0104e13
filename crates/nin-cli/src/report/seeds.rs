//! Runs of one recipe with several seeds: those beside a run, and the page of them all.

use std::fmt::Write as _;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nin_train::RunHistory;

use super::page::{self, Section, percent, table};
use crate::comparison::{Comparison, Row};
use crate::xml::escaped;

/// A row each, this run among them, and how they are spread.
pub(super) fn section(history: &RunHistory, comparison: &Comparison) -> Section {
    let this = history.name();
    let name = |row: &Row| {
        let name = escaped(&row.run);
        if row.run == this { format!("<strong>{name}</strong> (this run)") } else { name }
    };
    let body = format!("{}\n{}", spread(comparison), rows(comparison, name));
    Section { id: "seeds", title: "Other seeds", body }
}

/// Returns the page of a folder of such runs, as it is written to `output`. It links to the runs' own pages
/// if it is in their folder.
pub fn seeds_page(folder: &Path, output: &Path, comparison: &Comparison) -> anyhow::Result<String> {
    let full = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let name = full.file_name().unwrap_or(full.as_os_str()).to_string_lossy();
    let is_in_folder = output.parent() == Some(folder);
    let link = |row: &Row| {
        let page = Path::new(&row.run).join(page::FILE);
        (is_in_folder && folder.join(&page).is_file()).then(|| page.display().to_string())
    };
    let run = |row: &Row| {
        let name = escaped(&row.run);
        link(row).map_or(name.clone(), |link| format!("<a href=\"{}\">{name}</a>", escaped(&link)))
    };
    let runs = Section { id: "runs", title: "Runs", body: rows(comparison, run) };
    // A picture of its own: the page's style is for the page's own drawings, on its own ground.
    let drawing = format!(
        "<img class=\"plot\" alt=\"Training loss and test accuracy of each run over the epochs\" \
         src=\"data:image/svg+xml;base64,{}\">",
        STANDARD.encode(comparison.svg()?)
    );
    let drawing = page::scrolling("Curves of all runs", &drawing);
    let curves =
        Section { id: "curves", title: "Curves", body: format!("<figure>{drawing}</figure>") };
    Ok(page::page(&name, &spread(comparison), &[runs, curves]))
}

fn rows(comparison: &Comparison, name: impl Fn(&Row) -> String) -> String {
    let rows: Vec<_> = comparison.runs.iter().map(|row| cells(row, name(row))).collect();
    let head =
        ["run", "seed", "epochs", "training loss", "training accuracy", "test accuracy", "remarks"];
    table("Runs of the same recipe", &head, &rows)
}

fn cells(row: &Row, name: String) -> Vec<String> {
    vec![
        name,
        row.seed.to_string(),
        format!("{} of {}", row.epochs, row.epochs_asked),
        row.train_loss.map_or_else(|| "–".to_owned(), |loss| format!("{loss:.4}")),
        percent(row.train_accuracy),
        percent(row.test_accuracy),
        escaped(&row.remark()),
    ]
}

fn spread(comparison: &Comparison) -> String {
    let spread = &comparison.spread;
    if spread.ended == 0 {
        return "<p>None of them has ended yet.</p>".to_owned();
    }
    let mut text = format!(
        "<p>{} have ended. Test accuracy: median {}, {} to {}; {} at 85\u{a0}% or above, {} below \
         70\u{a0}%, {} at chance.",
        spread.ended,
        percent(spread.median),
        percent(spread.min),
        percent(spread.max),
        spread.at_least_085,
        spread.below_070,
        spread.at_chance,
    );
    if let Some(published) = comparison.published {
        let _ = write!(
            text,
            " Of the {} published ({}): median {}, best {}; {} at 85\u{a0}% or above, {} below \
             70\u{a0}%, {} at chance.",
            published.runs,
            published.source,
            percent(Some(published.median)),
            percent(Some(published.max)),
            published.at_least_085,
            published.below_070,
            published.at_chance,
        );
    }
    text + "</p>"
}

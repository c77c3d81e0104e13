//! The runs with other seeds that stand beside this one.

use std::fmt::Write as _;

use nin_train::RunRecord;

use super::page::{Section, escaped, percent, table};
use crate::comparison::{Comparison, Row};

/// A row each, this run among them, and how they are spread.
pub(super) fn section(record: &RunRecord, comparison: &Comparison) -> Section {
    let this = record.name();
    let rows: Vec<_> = comparison.runs.iter().map(|row| cells(row, row.run == this)).collect();
    let head =
        ["run", "seed", "epochs", "training loss", "training accuracy", "test accuracy", "remarks"];
    let table = table("Runs of the same recipe", &head, &rows);
    let body = format!("{}\n{table}", spread(comparison));
    Section { id: "seeds", title: "Other seeds", body }
}

fn cells(row: &Row, is_this: bool) -> Vec<String> {
    let name = escaped(&row.run);
    vec![
        if is_this { format!("<strong>{name}</strong> (this run)") } else { name },
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
         70\u{a0}%, {} dead.",
        spread.ended,
        percent(spread.median),
        percent(spread.min),
        percent(spread.max),
        spread.at_least_085,
        spread.below_070,
        spread.dead,
    );
    if let Some(published) = comparison.published {
        let _ = write!(
            text,
            " Of the {} published ({}): median {}, best {}; {} at 85\u{a0}% or above, {} below \
             70\u{a0}%, {} dead.",
            published.runs,
            published.source,
            percent(Some(published.median)),
            percent(Some(published.max)),
            published.at_least_085,
            published.below_070,
            published.dead,
        );
    }
    text + "</p>"
}

//! Formats a comparison as text.

use super::differences::Difference;
use super::row::Row;
use super::runs::Comparison;
use super::spread::Spread;
use crate::terminal::printable_text;

impl Comparison {
    /// Returns the table of the runs, their spread, and the differing keys.
    pub fn text(&self) -> String {
        let widest = self.runs.iter().map(|row| row.run.chars().count()).max();
        let width = widest.unwrap_or_default().max(3);
        let mut lines = vec![format!(
            "{:<width$} {:>10} {:>7} {:>10} {:>9} {:>8} {:>8}  remarks",
            "run", "seed", "epochs", "train loss", "train acc", "test acc", "best"
        )];
        lines.extend(self.runs.iter().map(|row| line(row, width)));
        lines.push(String::new());
        lines.extend(self.spread_lines());
        lines.extend(self.difference_lines());
        printable_text(&lines)
    }

    fn spread_lines(&self) -> Vec<String> {
        let Spread { ended, at_chance, below_070, at_least_085, min, median, max } = self.spread;
        if ended == 0 {
            return vec!["no run has ended yet".to_owned()];
        }
        let Some(published) = self.published else {
            return vec![format!(
                "{ended} of {} ended: test acc median {}, {} to {}; {at_least_085} ({}) at 0.85 or \
                 above, {below_070} ({}) below 0.70, {at_chance} ({}) at \
                 chance",
                self.runs.len(),
                figure(median),
                figure(min),
                figure(max),
                share(at_least_085, ended),
                share(below_070, ended),
                share(at_chance, ended),
            )];
        };
        let row = |name: &str, ours: String, theirs: String| {
            format!("{name:<20} {ours:>12} {theirs:>12}").trim_end().to_owned()
        };
        let counts = |name: &str, ours: usize, theirs: usize| {
            let ours = format!("{ours} ({})", share(ours, ended));
            row(name, ours, format!("{theirs} ({})", share(theirs, published.runs)))
        };
        vec![
            row("", "these".to_owned(), "published".to_owned()),
            row("runs that ended", ended.to_string(), published.runs.to_string()),
            counts("at chance", at_chance, published.at_chance),
            counts("test acc < 0.70", below_070, published.below_070),
            counts("test acc >= 0.85", at_least_085, published.at_least_085),
            row("median test acc", figure(median), format!("{:.4}", published.median)),
            row("lowest test acc", figure(min), "-".to_owned()),
            row("highest test acc", figure(max), format!("{:.4}", published.max)),
            format!("published: {}", published.source),
        ]
    }

    /// Returns nothing if only the seeds differ, which the table lists.
    fn difference_lines(&self) -> Vec<String> {
        let differences: Vec<&Difference> =
            self.differences.iter().filter(|found| found.key != "training.seed").collect();
        if differences.is_empty() {
            return Vec::new();
        }
        let mut lines = vec![String::new(), "recipe keys that differ:".to_owned()];
        for Difference { key, values } in differences {
            lines.push(format!("  {key}"));
            for (row, value) in self.runs.iter().zip(values) {
                lines.push(format!("    {}: {}", row.run, value.as_deref().unwrap_or("-")));
            }
        }
        lines
    }
}

fn line(row: &Row, width: usize) -> String {
    let line = format!(
        "{:<width$} {:>10} {:>7} {:>10} {:>9} {:>8} {:>8}  {}",
        row.run,
        row.seed,
        format!("{}/{}", row.epochs, row.epochs_asked),
        row.train_loss.map_or_else(|| "-".to_owned(), |loss| format!("{loss:.3}")),
        figure(row.train_accuracy),
        figure(row.test_accuracy),
        figure(row.best_test_accuracy.or(row.best_validation_accuracy)),
        row.remark(),
    );
    line.trim_end().to_owned()
}

/// Formats an accuracy, exact to one of 10,000 images.
fn figure(accuracy: Option<f64>) -> String {
    accuracy.map_or_else(|| "-".to_owned(), |accuracy| format!("{accuracy:.4}"))
}

fn share(part: usize, whole: usize) -> String {
    format!("{:.0} %", 100.0 * part as f64 / whole.max(1) as f64)
}

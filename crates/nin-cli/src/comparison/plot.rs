//! The curves of several runs in one figure.

use maud::html;

use super::published::Published;
use super::row::Row;
use super::runs::Comparison;
use super::spread::{GOOD, POOR};
use crate::curves::{Curve, Curves, highest};
use crate::drawing::{Chart, Figure, Legend, Level, Series};

/// Width and height of each chart, without its title.
const SIZE: [f64; 2] = [540.0, 432.0];
/// Higher losses are drawn at the edge, so that one outlier does not flatten the curves.
const HIGHEST_LOSS: f64 = 3.0;
/// Styles of figures.css that distinguish runs.
const STYLES: [&str; 10] =
    ["run-1", "run-2", "run-3", "run-4", "run-5", "run-6", "run-7", "run-8", "run-9", "run-10"];

impl Comparison {
    /// Draws training losses and test accuracies next to each other.
    pub fn figure(&self) -> Figure {
        let longest = self.curves.iter().map(Curves::epochs).fold(1.0, f64::max);
        let height =
            highest(self.curves.iter().map(|curves| &curves.train_loss), 0.5).min(HIGHEST_LOSS);
        let chart = |title, curve: fn(&Curves) -> &Curve, is_marked| Chart {
            title,
            size: SIZE,
            series: self.series(curve, is_marked),
            levels: Vec::new(),
            legend: Legend::None,
            epochs: longest,
            range: (0.0, 1.0),
        };
        let loss = Chart {
            legend: if self.are_told_apart() { Legend::Within } else { Legend::None },
            range: (0.0, height * 1.05),
            ..chart("training loss (nats), mean over the epoch so far", |of| &of.train_loss, false)
        };
        let accuracy =
            Chart { levels: self.levels(), ..chart("test accuracy", |of| &of.eval_accuracy, true) };
        let [width, height] = SIZE;
        let content = html! {
            (loss.titled())
            g transform=(format_args!("translate({width} 0)")) { (accuracy.titled()) }
        };
        let description = "Training loss and test accuracy of each run over the epochs";
        Figure::new("seeds", [0.0, 0.0, 2.0 * width, height + 28.0], description, &content)
    }

    fn series(&self, curve: fn(&Curves) -> &Curve, is_marked: bool) -> Vec<Series> {
        let runs = self.curves.iter().zip(&self.runs).enumerate();
        let series = runs.map(|(at, (curves, row))| Series {
            name: row.run.clone(),
            style: self.style(at, row),
            points: curve(curves).clone(),
            is_marked,
        });
        series.collect()
    }

    /// Returns whether each run has its own style. With more runs, the style shows the result.
    fn are_told_apart(&self) -> bool {
        self.runs.len() <= STYLES.len()
    }

    fn style(&self, at: usize, row: &Row) -> &'static str {
        if self.are_told_apart() {
            return STYLES[at % STYLES.len()];
        }
        match row.test_accuracy {
            _ if row.at_chance == Some(true) => "run-10",
            Some(accuracy) if accuracy >= GOOD => "run-3",
            Some(accuracy) if accuracy >= POOR => "run-1",
            _ => "run-2",
        }
    }

    /// Returns what was published, as lines across the accuracies.
    fn levels(&self) -> Vec<Level> {
        let Some(Published { median, max, .. }) = self.published else { return Vec::new() };
        vec![
            Level { value: max, name: format!("best published {max:.3}"), is_named_below: false },
            Level {
                value: median,
                name: format!("median published {median:.4}"),
                is_named_below: true,
            },
        ]
    }
}

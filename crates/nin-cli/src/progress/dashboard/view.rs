//! The layout of the dashboard.

use std::time::Duration;

use indicatif::HumanDuration;
use nin_train::{Event, Progress, RunDescription, StepReport};

use super::canvas::Canvas;
use crate::curves::{Curve, Curves, highest};
use crate::terminal::printable;

const TRAIN: &str = "\x1b[36m";
const TEST: &str = "\x1b[33m";
const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";
/// Fewer rows have no space for curves.
const LEAST_ROWS: usize = 14;
/// With fewer columns, the charts are stacked.
const TWO_COLUMNS: usize = 80;
/// Lines of the log to show.
const LOG_ROWS: usize = 6;
/// Columns for the numbers of an axis.
const AXIS: usize = 6;
/// Columns for the label of a bar.
const LABEL: usize = 20;

/// The content of the dashboard.
#[derive(Default)]
pub(super) struct View {
    title: String,
    pub(super) epochs: usize,
    steps_per_epoch: usize,
    latest: Option<StepReport>,
    testing: Option<(usize, usize)>,
    curves: Curves,
    /// Epochs and warnings, oldest first.
    pub(super) log: Vec<String>,
    palette: Palette,
}

/// How curves are distinguished.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Palette {
    #[default]
    Coloured,
    /// By weight: the test's curves are bold.
    Plain,
}

impl Palette {
    /// Follows <https://no-color.org>: no colours if `NO_COLOR` is set and not empty.
    pub(super) fn from_environment() -> Self {
        match std::env::var_os("NO_COLOR") {
            Some(value) if !value.is_empty() => Self::Plain,
            _ => Self::Coloured,
        }
    }

    fn style(self, style: &'static str) -> &'static str {
        match (self, style) {
            (Self::Plain, TRAIN) => PLAIN,
            (Self::Plain, TEST) => BOLD,
            _ => style,
        }
    }
}

impl View {
    pub(super) fn new(title: &str, run: &RunDescription, palette: Palette) -> Self {
        Self {
            title: printable(title).into_owned(),
            palette,
            epochs: run.epochs,
            steps_per_epoch: run.steps_per_epoch,
            ..Self::default()
        }
    }

    pub(super) fn progress(&mut self, progress: &Progress) {
        match progress {
            Progress::Training(report) => {
                self.latest = Some(report.clone());
                self.testing = None;
            }
            Progress::Testing { images, total, .. } => self.testing = Some((*images, *total)),
        }
    }

    pub(super) fn event(&mut self, event: &Event) {
        self.curves.add(event);
        if let Event::Step(step) = event {
            self.latest = Some(step.clone());
        }
    }

    /// Returns the lines for a terminal of `[columns, rows]`, which they never exceed.
    pub(super) fn lines(&self, [columns, rows]: [usize; 2]) -> Vec<String> {
        let mut below = self.bars(columns);
        below.extend(self.figures());
        let log = &self.log[self.log.len().saturating_sub(LOG_ROWS)..];
        let mut lines = vec![Line::of(BOLD, &self.title)];
        if rows >= LEAST_ROWS {
            below.extend(log.iter().map(|line| Line::of(PLAIN, line)));
            lines.extend(self.curves(columns, rows.saturating_sub(lines.len() + below.len() + 1)));
        }
        lines.extend(below);
        lines.push(Line::of(DIM, "Ctrl-C: save the state and stop; twice: stop immediately"));
        lines.truncate(rows);
        lines.iter().map(|line| line.text(columns, self.palette)).collect()
    }

    /// Draws both charts in this many columns and rows.
    fn curves(&self, columns: usize, rows: usize) -> Vec<Line> {
        let Curves { train_loss, train_accuracy, eval_loss, eval_accuracy, .. } = &self.curves;
        let (loss, accuracy) = ([train_loss, eval_loss], [train_accuracy, eval_accuracy]);
        if columns < TWO_COLUMNS {
            let (upper, lower) = (rows / 2, rows - rows / 2);
            let mut lines = chart("loss", loss, None, columns, upper);
            lines.extend(chart("accuracy", accuracy, Some(1.0), columns, lower));
            return lines;
        }
        let (left, right) = (columns / 2 - 1, columns - columns / 2 - 1);
        let left_lines = chart("loss", loss, None, left, rows);
        let right_lines = chart("accuracy", accuracy, Some(1.0), right, rows);
        left_lines
            .into_iter()
            .zip(right_lines)
            .map(|(mut one, other)| {
                one.pad(left + 2);
                one.0.extend(other.0);
                one
            })
            .collect()
    }

    /// Draws the bars of the training and of the epoch.
    fn bars(&self, columns: usize) -> Vec<Line> {
        let (epoch, step) =
            self.latest.as_ref().map_or((1, 0), |latest| (latest.epoch, latest.step));
        let steps = self.steps_per_epoch.max(1);
        let done = (epoch.saturating_sub(1) * steps + step) as f64;
        let of_all = done / (self.epochs * steps).max(1) as f64;
        let (label, of_epoch) = match self.testing {
            Some((images, all)) => {
                (format!("testing {images}/{all}"), images as f64 / all.max(1) as f64)
            }
            None => (format!("step {step}/{steps}"), step as f64 / steps as f64),
        };
        vec![
            bar(&format!("epoch {epoch}/{}", self.epochs), of_all, columns),
            bar(&label, of_epoch, columns),
        ]
    }

    fn figures(&self) -> Vec<Line> {
        let Some(latest) = &self.latest else {
            return vec![Line::of(PLAIN, "waiting for the first step")];
        };
        let left = HumanDuration(Duration::from_secs_f64(latest.secs_left.max(0.0)));
        let (loss, accuracy) = (latest.train_loss, latest.train_accuracy);
        let rate = latest.images_per_sec;
        vec![
            Line::of(
                PLAIN,
                &format!(
                    "loss {loss:.4}   accuracy {accuracy:.4}   {rate:.1} images/s   {left} left"
                ),
            ),
            Line::of(DIM, &format!("learning rate {:.3e}", latest.learning_rate)),
        ]
    }
}

/// Characters, each with its style.
struct Line(Vec<(char, &'static str)>);

impl Line {
    fn of(style: &'static str, text: &str) -> Self {
        let mut line = Self(Vec::new());
        line.add(style, text);
        line
    }

    fn add(&mut self, style: &'static str, text: &str) {
        // A control character would disturb the layout.
        let printable = |letter: char| if letter.is_control() { ' ' } else { letter };
        self.0.extend(text.chars().map(|letter| (printable(letter), style)));
    }

    fn pad(&mut self, columns: usize) {
        self.0.resize(columns.max(self.0.len()), (' ', PLAIN));
    }

    /// Returns the text with escape sequences, cut to this many columns with an ellipsis.
    fn text(&self, columns: usize, palette: Palette) -> String {
        let mut text = String::new();
        let mut current = "";
        let is_cut = self.0.len() > columns;
        for (at, &(letter, style)) in self.0.iter().take(columns).enumerate() {
            let letter = if is_cut && at + 1 == columns { '…' } else { letter };
            let style = palette.style(style);
            if style != current {
                text += PLAIN;
                text += style;
                current = style;
            }
            text.push(letter);
        }
        text
    }
}

/// Draws a chart with its heading and axes in this many columns and rows.
fn chart(
    name: &str,
    [train, test]: [&Curve; 2],
    top: Option<f64>,
    columns: usize,
    rows: usize,
) -> Vec<Line> {
    let points = || train.iter().chain(test);
    let last = points().map(|point| point.0).fold(0.0, f64::max).ceil().max(1.0);
    let largest = highest([train, test], 0.0);
    let top = top.unwrap_or(if largest > 0.0 { largest * 1.05 } else { 1.0 });
    let (width, height) = (columns.saturating_sub(AXIS + 2), rows.saturating_sub(2));
    let mut canvas = Canvas::new(width, height);
    let share = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
        points.iter().map(|&(along, up)| (along / last, up / top)).collect()
    };
    canvas.curve(&share(train), TRAIN);
    canvas.curve(&share(test), TEST);

    let mut heading = Line::of(BOLD, &format!("{:>AXIS$}  {name}  ", ""));
    heading.add(TRAIN, "━ training  ");
    heading.add(TEST, "━ test");
    let mut lines = vec![heading];
    for row in 0..height {
        let up = 1.0 - row as f64 / height.saturating_sub(1).max(1) as f64;
        let is_marked = row == 0 || row == height / 2 || row == height - 1;
        let figure = if is_marked { format!("{:>AXIS$.2}", top * up) } else { " ".repeat(AXIS) };
        let mut line = Line::of(DIM, &format!("{figure} │"));
        line.0.extend(canvas.row(row));
        lines.push(line);
    }
    let end = format!("epoch {last}");
    let gap = width.saturating_sub(end.len() + 1);
    lines.push(Line::of(DIM, &format!("{:>AXIS$}  0{:gap$}{end}", "", "")));
    lines.truncate(rows);
    lines
}

/// Draws a label, and a bar that fills the line.
fn bar(label: &str, share: f64, columns: usize) -> Line {
    let mut line = Line::of(PLAIN, &format!("{label:<LABEL$} "));
    let width = columns.saturating_sub(LABEL + 1);
    let filled = (share.clamp(0.0, 1.0) * width as f64).round() as usize;
    line.add(TRAIN, &"━".repeat(filled));
    line.add(DIM, &"─".repeat(width - filled));
    line
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use nin_train::EpochReport;

    fn step(step: usize) -> StepReport {
        StepReport {
            epoch: 2,
            step,
            steps_per_epoch: 10,
            train_loss: 0.75,
            train_accuracy: 0.5,
            learning_rate: 0.1,
            images_per_sec: 123.4,
            secs_left: 60.0,
        }
    }

    /// Without the escape sequences; nothing is wider or higher than the terminal.
    fn shown(view: &View, width: usize, height: usize) -> String {
        let lines = view.lines([width, height]);
        assert!(lines.len() <= height, "{} lines of {height}", lines.len());
        let plain = lines.iter().map(|line| {
            let mut parts = line.split('\x1b');
            let first = parts.next().unwrap_or_default().to_owned();
            let text = parts.fold(first, |text, part| text + part.split_once('m').unwrap().1);
            assert!(text.chars().count() <= width, "{text}");
            text
        });
        plain.collect::<Vec<_>>().join("\n")
    }

    fn run() -> RunDescription {
        RunDescription {
            folder: PathBuf::from("runs/a"),
            architecture: "small".to_owned(),
            dataset: "shapes".to_owned(),
            input: [1, 20, 20],
            epochs: 4,
            steps_per_epoch: 10,
            start: (1, 0),
        }
    }

    #[test]
    fn without_colours_the_test_curve_is_bold() {
        let lines = |palette| {
            let mut view = View::new("small on shapes", &run(), palette);
            view.event(&Event::Step(step(5)));
            view.lines([100, 30]).join("\n")
        };
        let (coloured, plain) = (lines(Palette::Coloured), lines(Palette::Plain));
        for colour in [TRAIN, TEST] {
            assert!(coloured.contains(colour) && !plain.contains(colour), "{plain}");
        }
        assert!(plain.contains(&format!("{PLAIN}{BOLD}━ test")), "{plain}");
        assert!(plain.contains(&format!("{PLAIN}{PLAIN}━ training")), "{plain}");
    }

    #[test]
    fn the_layout_fits_every_terminal_size() {
        let mut view = View::new("small on shapes", &run(), Palette::Coloured);
        assert!(shown(&view, 100, 30).contains("waiting for the first step"));
        view.event(&Event::Step(step(5)));
        view.event(&Event::Epoch(EpochReport {
            epoch: 1,
            total_steps: 10,
            train_loss: f64::INFINITY,
            train_accuracy: 0.4,
            evaluated_on: nin_data::Part::Test,
            eval_loss: 1.0,
            eval_accuracy: 0.4,
            learning_rate: 0.1,
            images_per_sec: 1.0,
            epoch_images_per_sec: 1.0,
            train_secs: 1.0,
            bookkeeping_secs: 0.0,
            test_secs: 1.0,
            best: true,
        }));
        view.log.push("epoch 1/4: loss 1".to_owned());
        view.progress(&Progress::Training(step(6)));
        let large = shown(&view, 100, 30);
        for part in [
            "small on shapes",
            "epoch 2/4",
            "step 6/10",
            "loss 0.7500",
            "123.4 images/s",
            "epoch 1/4: loss 1",
            "Ctrl-C",
            "training",
            "1.05",
        ] {
            assert!(large.contains(part), "{part} is not in\n{large}");
        }
        view.progress(&Progress::Testing { epoch: 2, images: 3, total: 60 });
        assert!(shown(&view, 50, 30).contains("testing 3/60"));
        // A title that is too long says so.
        assert!(shown(&view, 15, 30).starts_with("small on shapes\n"));
        assert!(shown(&view, 14, 30).starts_with("small on shap…\n"));
        // Too small for curves, and far too small.
        assert!(shown(&view, 60, 8).contains("loss 0.7500"));
        for (width, height) in [(0, 0), (1, 1), (5, 3), (200, 2), (3, 60), (300, 14), (79, 15)] {
            shown(&view, width, height);
        }
    }
}

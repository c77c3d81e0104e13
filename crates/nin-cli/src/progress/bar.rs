//! Progress bars, for a terminal.

use std::fmt::Write;
use std::time::Duration;

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use nin_train::{Event, Observer, Progress, RunDescription, StepReport};
use textwrap::{Options, WordSplitter};

use super::dashboard::terminal_size;
use super::plain::{Remarks, epoch_line, title};
use crate::terminal::printable;

/// The interval at which the bars are redrawn while nothing happens, for the clock.
const TICK: Duration = Duration::from_millis(500);
/// Columns to the right of a bar, without the digits of the steps: ` · loss 0.692 · acc 0.757 · 12345.6 images/s`
/// and a slash. Both bars reserve them, so that they have the same width.
const FIGURES: usize = 45;

/// Shows a bar for the epoch with its figures so far, a bar for the whole training below it, and a line for each
/// finished epoch above.
pub struct Bars {
    backend: String,
    epochs: usize,
    both: MultiProgress,
    epoch: ProgressBar,
    total: ProgressBar,
    remarks: Remarks,
}

impl Bars {
    /// Creates the bars. `backend` is in the first line.
    pub fn new(backend: String, remarks: Remarks) -> Self {
        Self {
            backend,
            epochs: 0,
            both: MultiProgress::new(),
            epoch: ProgressBar::hidden(),
            total: ProgressBar::hidden(),
            remarks,
        }
    }

    fn println(&self, line: &str) {
        // Ignores a terminal that is gone.
        let columns = terminal_size().map_or(0, |[columns, _]| columns);
        let _ = self.both.println(wrapped(&printable(line), columns));
    }

    fn show(&self, report: &StepReport) {
        self.epoch.set_prefix(format!("epoch {}/{}", report.epoch, self.epochs));
        self.epoch.set_length(report.steps_per_epoch as u64);
        self.epoch.set_position(report.step as u64);
        self.epoch.set_message(format!(
            "{}/{} · loss {:.3} · acc {:.3} · {:.1} images/s",
            report.step,
            report.steps_per_epoch,
            report.train_loss,
            report.train_accuracy,
            report.images_per_sec
        ));
        let done = (report.epoch - 1) * report.steps_per_epoch + report.step;
        self.total.set_position(done as u64);
    }
}

/// Writes how much of the training is done, and how long the rest takes.
fn left(state: &ProgressState, out: &mut dyn Write) {
    // Writing to a string does not fail.
    let percent = (f64::from(state.fraction()) * 100.0).floor();
    let _ = write!(out, "{percent:>3}% · {:#} left", HumanDuration(state.eta()));
}

/// Wraps a text between words. The terminal breaks longer words. A terminal of unknown width, 0, gets one
/// line.
fn wrapped(text: &str, columns: usize) -> String {
    if columns == 0 {
        return text.to_owned();
    }
    let options =
        Options::new(columns).break_words(false).word_splitter(WordSplitter::NoHyphenation);
    textwrap::fill(text, options)
}

impl Observer for Bars {
    fn begin(&mut self, run: &RunDescription) {
        self.epochs = run.epochs;
        self.println(&title(run, &self.backend));
        let (epoch, step) = run.start;
        let bar = |template: &str, length: usize| {
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("━╸─");
            let style = style.with_key("left", left);
            self.both.add(ProgressBar::new(length as u64).with_style(style))
        };
        let figures = FIGURES + 2 * run.steps_per_epoch.to_string().len();
        let of_epoch = bar(
            &format!("{{prefix}} {{wide_bar:.cyan/dim}} {{msg:{figures}}}"),
            run.steps_per_epoch,
        );
        let of_all = bar(
            &format!("{{prefix}} {{wide_bar:.green/dim}} {{left:{figures}}}"),
            run.epochs * run.steps_per_epoch,
        );
        let prefix = format!("epoch {epoch}/{}", run.epochs);
        of_all.set_prefix(format!("{:width$}", "all", width = prefix.len()));
        of_epoch.set_prefix(prefix);
        of_all.set_position(((epoch - 1) * run.steps_per_epoch + step) as u64);
        of_all.reset_eta();
        of_epoch.enable_steady_tick(TICK);
        of_all.enable_steady_tick(TICK);
        (self.epoch, self.total) = (of_epoch, of_all);
    }

    fn progress(&mut self, progress: &Progress) {
        match progress {
            Progress::Training(report) => self.show(report),
            Progress::Testing { images, total, .. } => {
                self.epoch.set_length(*total as u64);
                self.epoch.set_position(*images as u64);
                self.epoch.set_message(format!("testing {images}/{total}"));
            }
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Epoch(report) => {
                self.println(&epoch_line(report, self.epochs));
                // The next epoch starts with an empty bar.
                self.epoch.set_position(0);
                self.epoch.set_message("");
            }
            Event::End { .. } => {
                self.epoch.finish_and_clear();
                self.total.finish_and_clear();
            }
            // Also printed if the bars are hidden.
            other => self.both.suspend(|| self.remarks.event(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_wrap_between_words() {
        let text = "flex on AMD EPYC; run folder runs/quickstart";
        assert_eq!(wrapped(text, 44), text);
        assert_eq!(wrapped(text, 43), "flex on AMD EPYC; run folder\nruns/quickstart");
        assert_eq!(wrapped(text, 9), "flex on\nAMD EPYC;\nrun\nfolder\nruns/quickstart");
        assert_eq!(wrapped(text, 0), text);
    }
}

//! Progress bars: for a terminal.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use nin_train::{Event, Observer, Progress, RunDescription, StepReport};

use super::plain::{Remarks, epoch_line, title};

/// How often the bars are drawn while nothing happens: the clock goes on.
const TICK: Duration = Duration::from_millis(500);

/// A bar over the epoch with its figures so far, below it one over the whole training; above them a
/// line for each epoch that is done.
pub struct Bars {
    backend: String,
    epochs: usize,
    both: MultiProgress,
    epoch: ProgressBar,
    total: ProgressBar,
    remarks: Remarks,
}

impl Bars {
    /// `backend` stands in the first line.
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
        // There is nobody to tell that the terminal is gone.
        let _ = self.both.println(line);
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

impl Observer for Bars {
    fn begin(&mut self, run: &RunDescription) {
        self.epochs = run.epochs;
        self.println(&title(run, &self.backend));
        let (epoch, step) = run.start;
        let bar = |template: &str, length: usize| {
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("━╸─");
            self.both.add(ProgressBar::new(length as u64).with_style(style))
        };
        let of_epoch = bar("{prefix} {wide_bar:.cyan/dim} {msg}", run.steps_per_epoch);
        let of_all = bar(
            "{prefix} {wide_bar:.green/dim} {percent:>3}% · {eta} left",
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
                // The next one begins with an empty bar, not with what was said of this.
                self.epoch.set_position(0);
                self.epoch.set_message("");
            }
            Event::End { .. } => {
                self.epoch.finish_and_clear();
                self.total.finish_and_clear();
            }
            // Not lost where the bars are hidden.
            other => self.both.suspend(|| self.remarks.event(other)),
        }
    }
}

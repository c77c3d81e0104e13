//! Progress bars: for a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use nin_train::{Event, Observer, Progress, RunDescription};

use super::plain::{Remarks, epoch_line, title};

/// A bar over the whole training, with the figures of the epoch so far; a line for each epoch
/// that is done.
pub struct Bars {
    backend: String,
    epochs: usize,
    steps_per_epoch: usize,
    bar: ProgressBar,
    remarks: Remarks,
}

impl Bars {
    /// `backend` stands in the first line.
    pub fn new(backend: String, remarks: Remarks) -> Self {
        Self { backend, epochs: 0, steps_per_epoch: 0, bar: ProgressBar::hidden(), remarks }
    }
}

impl Observer for Bars {
    fn begin(&mut self, run: &RunDescription) {
        self.epochs = run.epochs;
        self.steps_per_epoch = run.steps_per_epoch;
        let steps = (run.epochs * run.steps_per_epoch) as u64;
        let style = ProgressStyle::with_template(
            "{prefix} {wide_bar:.cyan/dim} {percent:>3}% {msg} · {eta} left",
        )
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─");
        self.bar = ProgressBar::new(steps).with_style(style);
        self.bar.println(title(run, &self.backend));
        let (epoch, step) = run.start;
        self.bar.set_position(((epoch - 1) * run.steps_per_epoch + step) as u64);
        self.bar.reset_eta();
        self.bar.set_prefix(format!("epoch {epoch}/{}", run.epochs));
        self.bar.enable_steady_tick(Duration::from_millis(500));
    }

    fn progress(&mut self, progress: &Progress) {
        match progress {
            Progress::Training(report) => {
                self.bar.set_prefix(format!("epoch {}/{}", report.epoch, self.epochs));
                self.bar.set_message(format!(
                    "{}/{} · loss {:.3} · acc {:.3} · {:.1} images/s",
                    report.step,
                    report.steps_per_epoch,
                    report.train_loss,
                    report.train_accuracy,
                    report.images_per_sec
                ));
                let done = (report.epoch - 1) * self.steps_per_epoch + report.step;
                self.bar.set_position(done as u64);
            }
            Progress::Testing { images, total, .. } => {
                self.bar.set_message(format!("testing {images}/{total}"));
            }
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Epoch(report) => self.bar.println(epoch_line(report, self.epochs)),
            Event::End { .. } => self.bar.finish_and_clear(),
            // Not lost where the bar is hidden.
            other => self.bar.suspend(|| self.remarks.event(other)),
        }
    }
}

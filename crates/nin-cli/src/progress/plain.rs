//! Plain lines, for logs and pipes.

use std::time::Duration;

use indicatif::HumanDuration;
use nin_model::LayerScale;
use nin_train::{EpochReport, Event, Observer, RunDescription, StepReport};

use crate::output::note;
use crate::terminal::printable;

/// Writes a line at the start, at each point of the curves and at the end of each epoch.
pub struct PlainLines {
    backend: String,
    epochs: usize,
    remarks: Remarks,
}

impl PlainLines {
    /// Creates the observer. `backend` is in the first line.
    pub fn new(backend: String, remarks: Remarks) -> Self {
        Self { backend, epochs: 0, remarks }
    }
}

/// Describes the training on one line.
pub fn title(run: &RunDescription, backend: &str) -> String {
    let [channels, height, width] = run.input;
    let epochs = if run.epochs == 1 { "epoch" } else { "epochs" };
    let steps = if run.steps_per_epoch == 1 { "step" } else { "steps" };
    format!(
        "{} on {} at {channels}x{height}x{width}, {} {epochs} of {} {steps}, {backend}; run folder {}",
        run.architecture,
        run.dataset,
        run.epochs,
        run.steps_per_epoch,
        run.folder.display()
    )
}

/// Formats an epoch's figures on one line.
pub fn epoch_line(report: &EpochReport, epochs: usize) -> String {
    format!(
        "epoch {}/{epochs}: loss {:.3}, train acc {:.3}, {} acc {:.3}{}, {:.1} images/s, {:.0} s",
        report.epoch,
        report.train_loss,
        report.train_accuracy,
        report.evaluated_on.short_name(),
        report.eval_accuracy,
        if report.best { " (best)" } else { "" },
        report.images_per_sec,
        report.train_secs + report.test_secs,
    )
}

fn step_line(report: &StepReport, epochs: usize) -> String {
    let StepReport { epoch, step, steps_per_epoch, .. } = report;
    format!(
        "epoch {epoch}/{epochs}, step {step}/{steps_per_epoch}: loss {:.3}, train acc {:.3}, \
         {:.1} images/s, {} left",
        report.train_loss,
        report.train_accuracy,
        report.images_per_sec,
        HumanDuration(Duration::from_secs_f64(report.secs_left))
    )
}

/// Writes warnings, and details if requested.
#[derive(Debug, Clone, Copy)]
pub struct Remarks {
    /// Whether to write details.
    pub verbose: bool,
}

impl Remarks {
    /// Returns the remark about an event, if any.
    pub fn of(self, event: &Event) -> Option<String> {
        match event {
            Event::Loaded(transfer) => Some(transfer.to_string()),
            Event::Fitted { layers } if self.verbose => Some(fitted(layers)),
            other => warning(other),
        }
    }
}

/// Formats what the initialization found, one line per layer.
fn fitted(layers: &[LayerScale]) -> String {
    let lines = layers.iter().map(|LayerScale { layer, deviation }| {
        format!("\n  {layer}: standard deviation {deviation:.4} before its weights were scaled")
    });
    "initial weights, fitted to images layer by layer:".to_owned() + &lines.collect::<String>()
}

/// Formats a warning on one line.
fn warning(event: &Event) -> Option<String> {
    match event {
        Event::Warning { message } => Some(format!("warning: {}", printable(message))),
        Event::NonFinite { epoch, step, loss, layer, skipped: true, .. } => {
            let what = match (loss, layer) {
                (Some(_), Some(layer)) => format!("the gradient of `{layer}` is not finite"),
                _ => "the loss is not finite".to_owned(),
            };
            Some(format!("warning: {what} in epoch {epoch}, step {step}: step skipped"))
        }
        Event::Alarm(alarm) => {
            let said = if alarm.over { "note" } else { "warning" };
            let (epoch, step) = (alarm.epoch, alarm.step);
            let hint = alarm.hint().map_or_else(String::new, |hint| format!("\nhint: {hint}"));
            Some(format!("{said}: epoch {epoch}, step {step}: {alarm}{hint}"))
        }
        Event::Restart { attempt, seed, epoch, step } => Some(format!(
            "collapsed in epoch {epoch}, step {step}; attempt {attempt} starts with seed {seed}"
        )),
        _ => None,
    }
}

/// Writes remarks only.
impl Observer for Remarks {
    fn event(&mut self, event: &Event) {
        if let Some(line) = self.of(event) {
            line.lines().for_each(note);
        }
    }
}

impl Observer for PlainLines {
    fn begin(&mut self, run: &RunDescription) {
        self.epochs = run.epochs;
        note(title(run, &self.backend));
        if run.start != (1, 0) {
            note(format!("resumed in epoch {} after {} steps", run.start.0, run.start.1));
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Step(report) if report.step < report.steps_per_epoch => {
                note(step_line(report, self.epochs));
            }
            Event::Epoch(report) => note(epoch_line(report, self.epochs)),
            other => self.remarks.event(other),
        }
    }
}

//! `--tensorboard`: writes TensorBoard's event files into the run folder.

mod file;
mod message;

use std::io;
use std::path::Path;

use nin_data::Part;
use nin_train::{EpochReport, Event, Observer, Progress, RunDescription, StepReport};

use self::file::{EventFile, now};
use self::message::{Content, Image, START, SessionLog, Summary, Value, What};
use crate::output::note;

/// The folder of the files within the run folder.
const FOLDER: &str = "tensorboard";

/// Writes scalars at each logged step and epoch, and passes all events on to another observer.
pub struct TensorBoard {
    inner: Box<dyn Observer>,
    steps_per_epoch: usize,
    file: Option<EventFile>,
}

impl TensorBoard {
    /// Wraps another observer.
    pub fn new(inner: Box<dyn Observer>) -> Self {
        Self { inner, steps_per_epoch: 0, file: None }
    }

    /// Writes content for a step. A failure does not end the training.
    fn write(&mut self, step: usize, what: What) {
        let event = message::Event { wall_time: now(), step: step as i64, what: Some(what) };
        if let Some(file) = &mut self.file
            && let Err(error) = file.write(&event)
        {
            self.file = None;
            self.warn(&error);
        }
    }

    fn warn(&mut self, error: &io::Error) {
        let message = format!("stopped writing TensorBoard events: {error}");
        self.inner.event(&Event::Warning { message });
    }

    fn scalars(&mut self, step: usize, scalars: &[(&str, f64)]) {
        let value = |&(tag, value): &(&str, f64)| Value {
            tag: tag.to_owned(),
            content: Some(Content::Scalar(value as f32)),
        };
        let value = scalars.iter().map(value).collect();
        self.write(step, What::Summary(Summary { value }));
    }

    fn step(&mut self, report: &StepReport) {
        let step = report.epoch.saturating_sub(1) * self.steps_per_epoch + report.step;
        self.scalars(
            step,
            &[
                ("loss/train", report.train_loss),
                ("accuracy/train", report.train_accuracy),
                ("learning_rate", report.learning_rate),
                ("images_per_sec", report.images_per_sec),
            ],
        );
    }

    fn epoch(&mut self, report: &EpochReport) {
        let (loss, accuracy) = match report.evaluated_on {
            Part::Validation => ("loss/validation", "accuracy/validation"),
            Part::Test | Part::Train => ("loss/test", "accuracy/test"),
        };
        self.scalars(
            report.total_steps,
            &[
                (loss, report.eval_loss),
                (accuracy, report.eval_accuracy),
                ("epoch/train_loss", report.train_loss),
                ("epoch/train_accuracy", report.train_accuracy),
                ("epoch/train_secs", report.train_secs),
                ("epoch/test_secs", report.test_secs),
            ],
        );
    }
}

impl Observer for TensorBoard {
    fn begin(&mut self, run: &RunDescription) {
        self.inner.begin(run);
        self.steps_per_epoch = run.steps_per_epoch;
        match EventFile::create(&run.folder.join(FOLDER)) {
            Ok(file) => self.file = Some(file),
            Err(error) => self.warn(&error),
        }
        let (epoch, step) = run.start;
        let done = (epoch.saturating_sub(1)) * run.steps_per_epoch + step;
        self.write(done + 1, What::SessionLog(SessionLog { status: START }));
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Step(report) => self.step(report),
            Event::Epoch(report) => self.epoch(report),
            _ => {}
        }
        self.inner.event(event);
    }

    fn progress(&mut self, progress: &Progress) {
        self.inner.progress(progress);
    }
}

/// A picture for TensorBoard.
pub struct Picture {
    /// Its name in TensorBoard.
    pub tag: String,
    /// The PNG.
    pub png: Vec<u8>,
    /// `[height, width]`, in pixels.
    pub size: [usize; 2],
    /// Channels, including alpha.
    pub channels: u8,
}

/// Writes pictures for a step into the run folder. A failure is only a warning.
pub fn write_pictures(run: &Path, step: usize, pictures: Vec<Picture>) {
    let written = EventFile::create(&run.join(FOLDER)).and_then(|mut file| {
        for Picture { tag, png, size: [height, width], channels } in pictures {
            let image = Image {
                height: height as i32,
                width: width as i32,
                colorspace: i32::from(channels),
                encoded_image_string: png,
            };
            let value = vec![Value { tag, content: Some(Content::Image(image)) }];
            let what = Some(What::Summary(Summary { value }));
            file.write(&message::Event { wall_time: now(), step: step as i64, what })?;
        }
        Ok(())
    });
    if let Err(error) = written {
        note(format!("warning: no pictures for TensorBoard: {error}"));
    }
}

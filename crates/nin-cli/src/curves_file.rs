//! `curves.svg`: training loss, training accuracy and validation or test accuracy, as in the book's figure.

use nin_data::own_files::FolderId;
use nin_train::files::write_file;
use nin_train::{
    Event, Observer, Progress, RunDescription, RunFolder, TrainError, one_line, read_events,
};

use crate::curves::{Curve, Curves, highest};
use crate::drawing::{Chart, Legend, Series};

const SIZE: [f64; 2] = [720.0, 452.0];
/// Higher losses are drawn at the edge, so that one outlier does not flatten the curves.
const HIGHEST_LOSS: f64 = 5.0;

/// Draws the curves after each epoch and at the end, and passes all events on to another observer.
pub struct CurvesFile {
    inner: Box<dyn Observer>,
    curves: Curves,
    /// The run, and the identity of its folder.
    run: Option<(RunFolder, FolderId)>,
    has_warned: bool,
}

impl CurvesFile {
    /// Wraps another observer.
    pub fn new(inner: Box<dyn Observer>) -> Self {
        Self { inner, curves: Curves::default(), run: None, has_warned: false }
    }

    /// Returns the curves of a resumed run so far.
    fn earlier(&self) -> Result<Curves, TrainError> {
        let Some((run, _)) = &self.run else { return Ok(Curves::default()) };
        read_events(&run.metrics_path()).map(|events| Curves::of(&events))
    }

    /// Draws. On a full disk the old drawing stays; no failure ends the training.
    fn draw(&mut self) {
        let Some((run, id)) = &self.run else { return };
        // Writes nothing into another folder in the run's place, which the training itself reports.
        if !FolderId::of(run.path()).is_ok_and(|found| found == *id) {
            return;
        }
        let svg = chart(&self.curves).figure("curves").svg;
        if let Err(error) = write_file(&run.curves_path(), svg.as_bytes())
            && !error.is_out_of_space()
            && !std::mem::replace(&mut self.has_warned, true)
        {
            self.warn(&format!("the curves were not drawn: {}", one_line(&error)));
        }
    }

    fn warn(&mut self, message: &str) {
        self.inner.event(&Event::Warning { message: message.to_owned() });
    }
}

impl Observer for CurvesFile {
    fn begin(&mut self, run: &RunDescription) {
        self.inner.begin(run);
        self.run = RunFolder::open(&run.folder).ok().zip(FolderId::of(&run.folder).ok());
    }

    fn event(&mut self, event: &Event) {
        self.inner.event(event);
        if let Event::Resume { .. } = event {
            // By now the log is cut back to what the checkpoint keeps.
            match self.earlier() {
                Ok(curves) => self.curves = curves,
                Err(error) => {
                    let error = one_line(&error);
                    self.warn(&format!("the curves lack the part before the resume: {error}"));
                }
            }
        }
        self.curves.add(event);
        if matches!(event, Event::Epoch(_) | Event::End { .. }) {
            self.draw();
        }
    }

    fn progress(&mut self, progress: &Progress) {
        self.inner.progress(progress);
    }
}

fn chart(curves: &Curves) -> Chart {
    let series = |name: String, style, points: &Curve| Series {
        name,
        style,
        points: points.clone(),
        is_marked: true,
    };
    let evaluated = format!("{} acc", curves.evaluated_on.short_name());
    let height = highest([&curves.train_loss], 1.0).min(HIGHEST_LOSS) * 1.05;
    Chart {
        title: "",
        size: SIZE,
        series: vec![
            series("train loss".to_owned(), "train-loss", &curves.train_loss),
            series("train acc".to_owned(), "train-accuracy", &curves.train_accuracy),
            series(evaluated, "eval-accuracy", &curves.eval_accuracy),
        ],
        levels: Vec::new(),
        legend: Legend::Above,
        epochs: curves.epochs(),
        range: (0.0, height),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_events_has_a_figure() {
        let svg = chart(&Curves::default()).figure("curves").svg;
        assert!(svg.starts_with("<svg") && svg.contains("test acc"), "{svg}");
    }
}

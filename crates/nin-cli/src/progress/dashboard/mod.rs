//! `--progress tui`: a dashboard that fills the terminal.

mod canvas;
mod screen;
mod view;

use std::time::{Duration, Instant};

use nin_train::{Event, Observer, Progress, RunDescription};

use self::view::{Palette, View};
use super::plain::{PlainLines, Remarks, epoch_line, title};
use crate::output::note;
use crate::terminal::printable;

pub use self::screen::{give_back, size as terminal_size};

/// The minimum time between two drawings.
const PACE: Duration = Duration::from_millis(100);

/// Draws on the terminal of stderr. Writes plain lines if stderr is not a terminal.
pub struct Dashboard {
    backend: String,
    view: View,
    /// Whether the dashboard has taken over the terminal.
    is_shown: bool,
    drawn: Option<Instant>,
    /// The lines to print when the terminal is restored.
    lines: Vec<String>,
    instead: PlainLines,
    remarks: Remarks,
}

impl Dashboard {
    /// Creates the dashboard. `backend` is in the first line.
    pub fn new(backend: String, remarks: Remarks) -> Self {
        Self {
            view: View::default(),
            is_shown: false,
            drawn: None,
            lines: Vec::new(),
            instead: PlainLines::new(backend.clone(), remarks),
            remarks,
            backend,
        }
    }

    fn draw(&mut self) {
        if !self.is_shown {
            return;
        }
        let shown = screen::size().and_then(|size| screen::show(&self.view.lines(size)));
        if shown.is_err() {
            // The terminal is gone, but training continues.
            self.leave();
        }
        self.drawn = Some(Instant::now());
    }

    /// Restores the terminal and prints a line for each epoch and warning.
    fn leave(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            give_back();
            for line in self.lines.drain(..) {
                line.lines().for_each(note);
            }
        }
    }

    fn keep(&mut self, line: String) {
        self.view.log.push(line.clone());
        self.lines.push(line);
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        // A training that failed has no last event.
        self.leave();
    }
}

impl Observer for Dashboard {
    fn begin(&mut self, run: &RunDescription) {
        match screen::take() {
            Ok(()) => {
                let title = title(run, &self.backend);
                self.view = View::new(&printable(&title), run, Palette::from_environment());
                self.lines.push(title);
                self.is_shown = true;
                self.draw();
            }
            Err(error) => {
                give_back();
                note(format!("no dashboard, using plain lines: {error}"));
                self.instead.begin(run);
            }
        }
    }

    fn progress(&mut self, progress: &Progress) {
        if self.is_shown {
            self.view.progress(progress);
            if self.drawn.is_none_or(|drawn| drawn.elapsed() >= PACE) {
                self.draw();
            }
        }
    }

    fn event(&mut self, event: &Event) {
        if !self.is_shown {
            return self.instead.event(event);
        }
        self.view.event(event);
        if let Some(line) = self.remarks.of(event) {
            self.keep(line);
        }
        match event {
            Event::Epoch(report) => {
                self.keep(epoch_line(report, self.view.epochs));
                self.draw();
            }
            Event::End { .. } => self.leave(),
            _ => {}
        }
    }
}

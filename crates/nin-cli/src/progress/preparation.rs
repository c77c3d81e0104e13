//! Shows on stderr how much of a folder of pictures has been read.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use nin_data::{Preparing, Stage};

use crate::arguments::ProgressChoice;
use crate::output::note;
use crate::ranks::is_root;

/// Nothing is shown for shorter work.
const PATIENCE: Duration = Duration::from_secs(2);
/// The interval between plain lines.
const PAUSE: Duration = Duration::from_secs(10);

/// Shows how many pictures are read and decoded, and how long the rest takes.
#[derive(Debug)]
pub struct PreparationProgress {
    style: Style,
    state: Mutex<Option<State>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Bar,
    Lines,
    Nothing,
}

#[derive(Debug)]
struct State {
    stage: Stage,
    begun: Instant,
    last_line: Instant,
    bar: Option<ProgressBar>,
}

impl PreparationProgress {
    /// Creates the progress in the style of a training's.
    pub fn new(choice: ProgressChoice) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let style = match choice {
            _ if !is_root() => Style::Nothing,
            ProgressChoice::None | ProgressChoice::Json => Style::Nothing,
            ProgressChoice::Auto | ProgressChoice::Bar | ProgressChoice::Tui if is_terminal => {
                Style::Bar
            }
            _ => Style::Lines,
        };
        Self { style, state: Mutex::new(None) }
    }

    /// Shows a new state, from any thread.
    pub fn show(&self, Preparing { stage, done, total }: Preparing) {
        if self.style == Style::Nothing {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.as_ref().is_none_or(|state| state.stage != stage) {
            if let Some(bar) = state.take().and_then(|state| state.bar) {
                bar.finish_and_clear();
            }
            let now = Instant::now();
            *state = Some(State { stage, begun: now, last_line: now, bar: None });
        }
        let Some(state) = &mut *state else { return };
        let elapsed = state.begun.elapsed();
        if elapsed < PATIENCE {
            return;
        }
        if self.style == Style::Bar {
            let bar = state.bar.get_or_insert_with(|| bar(stage, total));
            bar.set_position(done as u64);
        } else if state.last_line.elapsed() >= PAUSE {
            state.last_line = Instant::now();
            let left = elapsed.mul_f64((total - done) as f64 / done.max(1) as f64);
            let rate = done as f64 / elapsed.as_secs_f64();
            note(format!(
                "{} pictures: {done} of {total}, {rate:.0} per second, {} left",
                word(stage),
                HumanDuration(left)
            ));
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(bar) = state.and_then(|state| state.bar) {
            bar.finish_and_clear();
        }
    }
}

fn word(stage: Stage) -> &'static str {
    match stage {
        Stage::Reading => "reading",
        Stage::Decoding => "decoding",
    }
}

fn bar(stage: Stage, total: usize) -> ProgressBar {
    let template = "{prefix} {wide_bar:.cyan/dim} {pos}/{len} · {per_sec} · {eta} left";
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─");
    ProgressBar::new(total as u64)
        .with_style(style)
        .with_prefix(format!("{} pictures", word(stage)))
}

//! Shows the progress of a training on stderr.

mod bar;
mod dashboard;
mod json;
mod plain;
mod preparation;

use std::io::IsTerminal;

use nin_train::Observer;

use crate::arguments::{ProgressChoice, TrainArguments};
use crate::backend::Selected;
use crate::ranks::is_root;
pub use dashboard::give_back;
pub use preparation::PreparationProgress;

/// Returns the chosen observer. `auto` is a bar on a terminal and plain lines elsewhere.
pub fn observer(arguments: &TrainArguments, selected: &Selected) -> Box<dyn Observer> {
    if !is_root() {
        return Box::new(());
    }
    let remarks = plain::Remarks { verbose: arguments.verbose };
    let backend = selected.describe();
    let choice = match arguments.progress {
        ProgressChoice::Auto if std::io::stderr().is_terminal() => ProgressChoice::Bar,
        ProgressChoice::Auto => ProgressChoice::Plain,
        other => other,
    };
    match choice {
        ProgressChoice::None => Box::new(remarks),
        ProgressChoice::Json => Box::new(json::JsonLines),
        ProgressChoice::Tui => Box::new(dashboard::Dashboard::new(backend, remarks)),
        ProgressChoice::Bar => Box::new(bar::Bars::new(backend, remarks)),
        ProgressChoice::Plain | ProgressChoice::Auto => {
            Box::new(plain::PlainLines::new(backend, remarks))
        }
    }
}

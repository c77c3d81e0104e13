//! What people see of a training while it runs, on stderr.

mod bar;
mod dashboard;
mod json;
mod plain;

use std::io::IsTerminal;

use nin_train::Observer;

use crate::arguments::ProgressChoice;
use crate::backend::Selected;
pub use dashboard::give_back;

/// The observer for a choice; `auto` is a bar on a terminal and plain lines elsewhere.
pub fn observer(choice: ProgressChoice, selected: &Selected) -> Box<dyn Observer> {
    let backend = selected.describe();
    let choice = match choice {
        ProgressChoice::Auto if std::io::stderr().is_terminal() => ProgressChoice::Bar,
        ProgressChoice::Auto => ProgressChoice::Plain,
        other => other,
    };
    match choice {
        ProgressChoice::None => Box::new(plain::Warnings),
        ProgressChoice::Json => Box::new(json::JsonLines),
        ProgressChoice::Tui => Box::new(dashboard::Dashboard::new(backend)),
        ProgressChoice::Bar => Box::new(bar::Bars::new(backend)),
        ProgressChoice::Plain | ProgressChoice::Auto => Box::new(plain::PlainLines::new(backend)),
    }
}

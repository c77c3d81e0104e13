//! Compares several runs: as a table, as JSON, and as curves in one figure.

mod differences;
mod folders;
mod plot;
mod published;
mod row;
mod runs;
mod spread;
mod table;

pub use folders::read;
pub use row::Row;
pub use runs::Comparison;
pub use spread::{Spread, median};

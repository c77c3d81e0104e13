//! `report.html`: a self-contained page about a run: what was trained, how it went, what the network learned, and
//! where and why it is wrong.

mod calibration;
mod chart;
mod contents;
mod evaluation;
mod inspection;
mod mistakes;
mod network;
mod page;
mod run;
mod seeds;
mod verdict;
mod writer;

pub use page::FILE;
pub use seeds::seeds_page;
pub use writer::{Outputs, TestData, conclude, write};

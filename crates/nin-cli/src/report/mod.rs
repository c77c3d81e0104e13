//! `report.html`: one file that shows a run: what was trained, how it went, what it learnt, where it
//! errs and why it said so. It needs no network and no other file.

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

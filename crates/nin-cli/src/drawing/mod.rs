//! Drawings as SVG: line charts, and figures as files of their own.

mod chart;
mod figure;
mod scale;

pub use chart::{Area, Chart, Legend, Level, Series};
pub use figure::{Figure, STYLE, image};

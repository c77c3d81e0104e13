//! The program as people and scripts meet it, one test binary.

mod bad_input;
mod completions;
mod exchange;
mod predict;
mod program;
mod report;
mod shapes;
mod trained;
mod training;
mod wgpu;

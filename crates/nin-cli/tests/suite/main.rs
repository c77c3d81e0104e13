//! The program as people and scripts meet it, one test binary.

mod bad_input;
mod compare;
mod completions;
mod exchange;
mod fetch;
mod full_disk;
mod interfaces;
mod predict;
mod program;
mod report;
mod resume;
mod seeds;
mod sentinel;
mod shapes;
mod signals;
mod training;
mod wgpu;
mod workshop;

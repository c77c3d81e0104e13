//! The program as people and scripts meet it, one test binary.

mod bad_input;
mod interfaces;
mod program;
mod shapes;
mod training;
mod wgpu;

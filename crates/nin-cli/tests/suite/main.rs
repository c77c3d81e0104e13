//! The program as people and scripts meet it, one test binary.

mod bad_input;
mod fetch;
mod full_disk;
mod interfaces;
mod program;
mod resume;
mod shapes;
mod signals;
mod training;
mod wgpu;

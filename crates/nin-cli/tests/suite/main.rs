//! The program as people and scripts meet it, one test binary.

mod bad_input;
mod chromium;
mod clothes;
mod colour;
mod compare;
mod completions;
mod dashboard;
mod datasets;
mod exchange;
mod fetch;
mod fine_tuning;
mod full_disk;
mod idx_names;
mod imbalance;
mod interfaces;
mod photos;
mod precision;
mod predict;
mod preprocessing;
mod pretrained;
mod program;
mod report;
mod resume;
mod seeds;
mod sentinel;
mod serve;
mod shapes;
mod signals;
mod surroundings;
mod tensorboard;
mod training;
#[cfg(unix)]
mod tutorial;
mod wgpu;
mod workshop;

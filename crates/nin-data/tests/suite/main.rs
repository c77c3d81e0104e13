//! Integration tests of nin-data, one binary.

mod loader;
mod real_data;
mod resize;

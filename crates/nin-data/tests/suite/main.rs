//! Integration tests of nin-data, one binary.

#[cfg(unix)]
mod bad_folders;
mod loader;
mod real_data;
mod resize;

//! Integration tests of nin-data, one binary.

#[cfg(unix)]
mod bad_folders;
mod cifar;
mod folders;
mod loader;
#[cfg(target_os = "linux")]
mod mnist_dataset;
mod pictures;
mod real_data;
mod resize;
mod transform;

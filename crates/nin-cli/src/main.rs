//! The `nin-cli` program.

fn main() {}

//! Integration tests of nin-train, one binary.

mod parity;

//! Training runs.

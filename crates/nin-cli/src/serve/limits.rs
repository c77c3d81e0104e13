//! What requests may ask for, and how the server answers them by default.

use std::time::Duration;

use nin_prediction::Threshold;

/// Bounds on what requests may ask for.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest body, in bytes.
    pub body_bytes: usize,
    /// Pictures that wait for their answers.
    pub queue: usize,
    /// Open connections.
    pub connections: usize,
    /// How long a request may take to arrive, and again to be answered.
    pub patience: Duration,
}

/// Answers where a request does not say otherwise.
#[derive(Debug, Clone, Copy, Default)]
pub struct Defaults {
    /// The least probability of an answer.
    pub threshold: Option<Threshold>,
}

//! The threshold of the command line.

use nin_prediction::Threshold;

use crate::error::CommandError;

/// Returns a threshold, or an error with a hint for the command line.
pub fn checked_threshold(probability: f64) -> anyhow::Result<Threshold> {
    Threshold::new(probability).ok_or_else(|| {
        CommandError::new(
            format!("the threshold `{probability}` is not a probability"),
            "pass a number from 0 to 1, such as --threshold 0.8",
        )
        .into()
    })
}

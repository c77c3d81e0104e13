//! `--progress json`: writes the events of `metrics.jsonl`, one per line.

use nin_train::{Event, Observer};

use crate::output::note;

/// Writes each event as it happens.
pub struct JsonLines;

impl Observer for JsonLines {
    fn event(&mut self, event: &Event) {
        if let Ok(line) = serde_json::to_string(event) {
            note(line);
        }
    }
}

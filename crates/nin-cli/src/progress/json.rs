//! `--progress json`: the events of `metrics.jsonl`, a line each.

use std::io::{Write, stderr};

use nin_train::{Event, Observer};

/// Writes each event as it happens. A closed stderr does not end the training.
pub struct JsonLines;

impl Observer for JsonLines {
    fn event(&mut self, event: &Event) {
        if let Ok(line) = serde_json::to_string(event) {
            let _ = writeln!(stderr(), "{line}");
        }
    }
}

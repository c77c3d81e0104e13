//! What the parts share.

use serde_json::{Value, json};

use super::programs::Programs;
use crate::arguments::GpuArguments;

/// What every part needs.
pub(super) struct Session<'a> {
    pub(super) arguments: &'a GpuArguments,
    pub(super) programs: Programs,
}

/// Adds a row to a part's findings.
pub(super) fn push(rows: &mut Value, row: Value) {
    match rows.as_array_mut() {
        Some(rows) => rows.push(row),
        None => *rows = json!([row]),
    }
}

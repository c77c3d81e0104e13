//! Every tile and algorithm for every layer.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::limit::Limit;
use super::session::Session;

/// The time that the measuring program leaves for its last kernel.
const MARGIN: Duration = Duration::from_secs(10);

/// Times tiles, the chosen ones first, until the time is over.
pub(super) fn run(session: &Session, limit: &Limit, found: &mut Value) -> anyhow::Result<()> {
    let left = limit.left().unwrap_or(Duration::MAX).saturating_sub(MARGIN);
    let mut tiles = Command::new(&session.programs.tiles);
    tiles.args(["--batch", &session.arguments.batch.to_string()]);
    tiles.args(["--divisor", &session.arguments.divisor.to_string()]);
    tiles.args(["--secs", &left.as_secs().max(1).to_string()]);
    *found = serde_json::from_str(&limit.printed(&mut tiles)?)?;
    Ok(())
}

//! Ctrl-C and its kin: the first asks a training or a server to end, the second ends the program.

use std::fs;
use std::sync::Arc;
use std::thread;

use anyhow::Context;
use burn::train::Interrupter;
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use signal_hook::low_level;

use crate::exit::INTERRUPTED;
use crate::progress;

/// Connects the signals that end programs to a training.
pub fn stop_on_signal(interrupter: &Interrupter) -> anyhow::Result<()> {
    let interrupter = interrupter.clone();
    on_signal(move || interrupter.stop(Some("interrupted")))
}

/// Calls `stop` at the first SIGINT (Ctrl-C), SIGTERM (`kill`) or SIGHUP (the terminal was closed);
/// the second ends the program at once.
pub fn on_signal(stop: impl Fn() + Send + 'static) -> anyhow::Result<()> {
    let mut signals = vec![SIGINT, SIGTERM];
    if !is_ignored(SIGHUP) {
        // Under `nohup` it is, and the training outlives its terminal.
        signals.push(SIGHUP);
    }
    let mut signals = Signals::new(signals).context("cannot listen for signals")?;
    let listener = move || {
        for (earlier, _signal) in signals.forever().enumerate() {
            if earlier > 0 {
                progress::give_back();
                // At once: checkpoints are written aside and renamed, none is left half-written.
                low_level::exit(i32::from(INTERRUPTED));
            }
            stop();
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(listener)
        .context("cannot listen for signals")?;
    Ok(())
}

/// Lets a write that exceeds the limit on the size of files (`ulimit -f`) fail with an error, which the
/// program can report. Without this, the signal ends it without a word.
pub fn outlive_file_limit() {
    // Where it cannot be done, the signal ends the program as it did.
    let _ = flag::register(SIGXFSZ, Arc::default());
}

/// Whether whoever started this program told it to ignore a signal; Linux says so.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

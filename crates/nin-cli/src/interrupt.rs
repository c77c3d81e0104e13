//! Signals such as Ctrl-C: the first asks a training or a server to end, the second ends the program.

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
use crate::stopping::ask_to_stop;

/// Stops a training at the first signal.
pub fn stop_on_signal(interrupter: &Interrupter) -> anyhow::Result<()> {
    let interrupter = interrupter.clone();
    on_signal(move || interrupter.stop(Some("interrupted")))
}

/// Calls `stop` at the first SIGINT (Ctrl-C), SIGTERM (`kill`) or SIGHUP (the terminal was closed);
/// the second ends the program immediately.
pub fn on_signal(stop: impl Fn() + Send + 'static) -> anyhow::Result<()> {
    let mut signals = vec![SIGINT, SIGTERM];
    if !is_ignored(SIGHUP) {
        // `nohup` ignores it, so that the training outlives its terminal.
        signals.push(SIGHUP);
    }
    let mut signals = Signals::new(signals).context("cannot listen for signals")?;
    let listener = move || {
        for (earlier, _signal) in signals.forever().enumerate() {
            if earlier > 0 {
                progress::give_back();
                // Checkpoints are written to temporary folders and renamed, so none is left incomplete.
                low_level::exit(i32::from(INTERRUPTED));
            }
            ask_to_stop();
            stop();
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(listener)
        .context("cannot listen for signals")?;
    Ok(())
}

/// Turns a write beyond the file size limit (`ulimit -f`) into an error that the program can report. Otherwise
/// the signal would end it silently.
pub fn outlive_file_limit() {
    // If this fails, the signal ends the program as before.
    let _ = flag::register(SIGXFSZ, Arc::default());
}

/// Returns whether this process was started with a signal ignored, on Linux.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

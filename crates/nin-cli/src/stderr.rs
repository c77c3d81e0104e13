//! Writes lines to stderr. A full pipe holds the program up, as usual, until a signal asks it to stop. A terminated `mpirun`
//! stops reading, and soon kills its processes, which must save their state before.

use std::io::{self, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::stopping::was_asked_to_stop;

/// As many bytes as can be written without waiting where `poll` allows a write (`PIPE_BUF`).
const PART: usize = 4096;

/// How long it waits for a part once the program was asked to stop.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// Writes a line. Ignores a closed stderr. Drops what is not taken once the program was asked to stop.
pub fn write_line(line: &str) {
    let mut stderr = io::stderr().lock();
    for part in format!("{line}\n").as_bytes().chunks(PART) {
        if !is_taken(&stderr) || stderr.write_all(part).is_err() {
            return;
        }
    }
}

/// Waits until stderr takes another part. Returns `false` if it does not, and the program was asked to stop.
fn is_taken(stderr: &io::StderrLock<'_>) -> bool {
    loop {
        let mut stderr = [PollFd::new(stderr, PollFlags::OUT)];
        match poll(&mut stderr, Some(&PATIENCE)) {
            Ok(0) if was_asked_to_stop() => return false,
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            // Of a file or pipe that cannot be written to, the write says so.
            Ok(_) | Err(_) => return true,
        }
    }
}

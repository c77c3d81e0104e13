//! How the program ends: exit codes, and an error's `error:` and `hint:` lines.

use std::io;
use std::process::ExitCode;

use nin_data::DataError;
use nin_train::one_line;

use crate::hints::hint;
use crate::ranks::is_root;
use crate::stderr::write_line;
use crate::terminal::printable;

/// The exit code of a run that was interrupted with its state saved.
pub const INTERRUPTED: u8 = 130;

/// Writes the error to stderr and returns the exit code. A closed pipe on stdout is not an error.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if is_broken_pipe(error) {
        return ExitCode::SUCCESS;
    }
    let is_interrupted = |cause: &DataError| matches!(cause, DataError::Interrupted);
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<DataError>());
    let code =
        if causes.any(is_interrupted) { ExitCode::from(INTERRUPTED) } else { ExitCode::FAILURE };
    if !is_root() {
        // Another process has the same error, and reports it.
        return code;
    }
    // If stderr is closed, too, the error cannot be reported.
    write_line(&format!("error: {}", printable(&one_line(error.as_ref()))));
    if let Some(hint) = hint(error) {
        write_line(&format!("hint: {}", printable(&hint)));
    }
    code
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

//! How an error ends the program: one `error:` line with its cause, one `hint:` line, and the code.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use nin_data::DataError;
use nin_train::one_line;

use crate::hints::hint;
use crate::terminal::printable;

/// The state is saved, and the run was asked to end.
pub const INTERRUPTED: u8 = 130;

/// An error of the program itself, with what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct CommandError {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl CommandError {
    /// An error with its hint.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

/// What to do with a URL where a path is expected.
pub const NOT_FETCHED: &str =
    "only local files are read: download it first, then name the file or folder";

/// That what is to be read is no URL, which would be looked for as a file of that name.
pub fn check_is_local(path: &Path) -> Result<(), CommandError> {
    let text = path.to_string_lossy();
    let is_url =
        ["http://", "https://", "ftp://", "s3://"].iter().any(|scheme| text.starts_with(scheme));
    if is_url && !path.exists() {
        let message = format!("`{text}` is a URL, expected a local path");
        return Err(CommandError::new(message, NOT_FETCHED));
    }
    Ok(())
}

/// Writes the error to stderr; a closed pipe on stdout is no error.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if is_broken_pipe(error) {
        return ExitCode::SUCCESS;
    }
    let is_interrupted = |cause: &DataError| matches!(cause, DataError::Interrupted);
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<DataError>());
    let code =
        if causes.any(is_interrupted) { ExitCode::from(INTERRUPTED) } else { ExitCode::FAILURE };
    let mut stderr = io::stderr().lock();
    // Nobody is left to be told where stderr is closed too.
    let _ = writeln!(stderr, "error: {}", printable(&one_line(error.as_ref())));
    if let Some(hint) = hint(error) {
        let _ = writeln!(stderr, "hint: {}", printable(&hint));
    }
    code
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

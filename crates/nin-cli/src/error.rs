//! The program's own error: a message and a hint.

use std::path::Path;

/// An error with a hint.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct CommandError {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl CommandError {
    /// Returns an error with its hint.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

/// The hint for a URL given where a path is expected.
pub const NOT_FETCHED: &str = "only local files are read: download it first, then pass its path";

/// Checks that a path is not a URL, which would be looked up as a file of that name.
///
/// # Errors
/// A URL that does not exist as a path.
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

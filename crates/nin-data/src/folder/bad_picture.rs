//! A picture that cannot be used.

/// A picture that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPicture {
    /// Its path, relative to the folder of the data set.
    pub path: String,
    /// Why it cannot be used.
    pub reason: String,
}

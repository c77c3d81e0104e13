//! The parts of a data set.

/// What the images of a data set are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Trained on.
    Train,
    /// Chooses the best checkpoint, and stops a training early.
    Validation,
    /// Measures the result, once.
    Test,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// Its name: `train`, `validation` or `test`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }

    /// Its short name, as in `val acc`.
    pub const fn short_name(self) -> &'static str {
        match self {
            Self::Validation => "val",
            Self::Train | Self::Test => self.name(),
        }
    }

    /// Parses the name of a folder or of a table's column: also `val` and `valid`, in any case.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let is = |known: &&str| known.eq_ignore_ascii_case(name);
        match () {
            () if is(&"train") => Some(Self::Train),
            () if ["val", "valid", "validation"].iter().any(is) => Some(Self::Validation),
            () if is(&"test") => Some(Self::Test),
            () => None,
        }
    }
}

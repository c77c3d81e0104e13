//! The parts of a data set.

/// A part of a data set (its split).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Images to train on.
    Train,
    /// Images that choose the best checkpoint and drive early stopping.
    Validation,
    /// Images that measure the result once, at the end.
    Test,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// Returns the name: `train`, `validation` or `test`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }

    /// Returns the short name, as in `val acc`.
    pub const fn short_name(self) -> &'static str {
        match self {
            Self::Validation => "val",
            Self::Train | Self::Test => self.name(),
        }
    }

    /// Parses the name of a folder or a value of the column `split`. Accepts `val` and `valid` as well, in
    /// upper or lower case.
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

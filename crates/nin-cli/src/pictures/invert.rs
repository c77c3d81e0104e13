//! `--invert` and `?invert=`.

use clap::ValueEnum;
use nin_train::Inversion;

/// Whether light and dark are inverted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Invert {
    /// If the picture has a bright background and the network was trained on a black one
    Auto,
    /// Always
    Yes,
    /// Never
    No,
}

impl From<Invert> for Inversion {
    fn from(invert: Invert) -> Self {
        match invert {
            Invert::Auto => Self::Auto,
            Invert::Yes => Self::Always,
            Invert::No => Self::Never,
        }
    }
}

//! The built-in networks: those of the book, of the paper, and of the Caffe model zoo.

use std::str::FromStr;

use crate::{Architecture, Block, ModelError, Pool, Width};

/// A built-in architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Builtin {
    /// Dive into Deep Learning, chapter "Network in Network (NiN)": 1x224x224, ten classes.
    D2l,
    /// The paper's network for MNIST: 1x28x28, ten classes.
    PaperMnist,
    /// The paper's network for CIFAR-10: 3x32x32, ten classes.
    PaperCifar10,
    /// The paper's network for CIFAR-100: 3x32x32, a hundred classes.
    PaperCifar100,
    /// The paper's network for SVHN: 3x32x32, ten classes.
    PaperSvhn,
    /// The Caffe model zoo's network for ImageNet: 3x224x224, a thousand classes.
    Imagenet,
}

/// The definition of a built-in architecture.
struct Table {
    name: &'static str,
    /// The size of the images it was published for, `[channels, height, width]`.
    input: [usize; 3],
    classes: usize,
    blocks: &'static [Block],
}

const fn widths(first: usize, second: usize, third: usize) -> [Width; 3] {
    [Width::Channels(first), Width::Channels(second), Width::Channels(third)]
}

const fn widths_to_classes(first: usize, second: usize) -> [Width; 3] {
    [Width::Channels(first), Width::Channels(second), Width::CLASSES]
}

const fn mlpconv(kernel: usize, stride: usize, padding: usize, widths: [Width; 3]) -> Block {
    Block { kernel, stride, padding, widths, pool: None, dropout: 0.0 }
}

impl Block {
    const fn pool(self, ceil_mode: bool) -> Self {
        Self { pool: Some(Pool { kernel: 3, stride: 2, padding: 0, ceil_mode }), ..self }
    }

    const fn dropout(self, dropout: f64) -> Self {
        Self { dropout, ..self }
    }
}

// The pools of the book round down. Those of cuda-convnet and Caffe, which the paper used, round up.
const FLOOR: bool = false;
const CEIL: bool = true;

const D2L: Table = Table {
    name: "d2l",
    input: [1, 224, 224],
    classes: 10,
    blocks: &[
        mlpconv(11, 4, 0, widths(96, 96, 96)).pool(FLOOR),
        mlpconv(5, 1, 2, widths(256, 256, 256)).pool(FLOOR),
        mlpconv(3, 1, 1, widths(384, 384, 384)).pool(FLOOR).dropout(0.5),
        mlpconv(3, 1, 1, [Width::CLASSES; 3]),
    ],
};

const PAPER_MNIST: Table = Table {
    name: "paper-mnist",
    input: [1, 28, 28],
    classes: 10,
    blocks: &[
        mlpconv(5, 1, 2, widths(96, 64, 48)).pool(CEIL).dropout(0.5),
        mlpconv(5, 1, 2, widths(128, 96, 48)).pool(CEIL).dropout(0.5),
        mlpconv(5, 1, 2, widths_to_classes(128, 96)),
    ],
};

const PAPER_CIFAR: &[Block] = &[
    mlpconv(5, 1, 2, widths(192, 160, 96)).pool(CEIL).dropout(0.5),
    mlpconv(5, 1, 2, widths(192, 192, 192)).pool(CEIL).dropout(0.5),
    mlpconv(3, 1, 1, widths_to_classes(192, 192)),
];

const PAPER_CIFAR10: Table =
    Table { name: "paper-cifar10", input: [3, 32, 32], classes: 10, blocks: PAPER_CIFAR };

const PAPER_CIFAR100: Table =
    Table { name: "paper-cifar100", input: [3, 32, 32], classes: 100, blocks: PAPER_CIFAR };

const PAPER_SVHN: Table = Table {
    name: "paper-svhn",
    input: [3, 32, 32],
    classes: 10,
    blocks: &[
        mlpconv(5, 1, 2, widths(128, 96, 64)).pool(CEIL).dropout(0.5),
        mlpconv(5, 1, 2, widths(320, 256, 128)).pool(CEIL).dropout(0.5),
        mlpconv(5, 1, 2, widths_to_classes(384, 256)),
    ],
};

const IMAGENET: Table = Table {
    name: "imagenet",
    input: [3, 224, 224],
    classes: 1000,
    blocks: &[
        mlpconv(11, 4, 0, widths(96, 96, 96)).pool(CEIL),
        mlpconv(5, 1, 2, widths(256, 256, 256)).pool(CEIL),
        mlpconv(3, 1, 1, widths(384, 384, 384)).pool(CEIL).dropout(0.5),
        mlpconv(3, 1, 1, widths_to_classes(1024, 1024)),
    ],
};

impl Builtin {
    /// Every built-in architecture.
    pub const ALL: [Self; 6] = [
        Self::D2l,
        Self::PaperMnist,
        Self::PaperCifar10,
        Self::PaperCifar100,
        Self::PaperSvhn,
        Self::Imagenet,
    ];

    const fn table(self) -> &'static Table {
        match self {
            Self::D2l => &D2L,
            Self::PaperMnist => &PAPER_MNIST,
            Self::PaperCifar10 => &PAPER_CIFAR10,
            Self::PaperCifar100 => &PAPER_CIFAR100,
            Self::PaperSvhn => &PAPER_SVHN,
            Self::Imagenet => &IMAGENET,
        }
    }

    /// Returns the name in recipes.
    pub const fn name(self) -> &'static str {
        self.table().name
    }

    /// Returns every name, in the order of [`Builtin::ALL`].
    pub fn names() -> Vec<&'static str> {
        Self::ALL.map(Self::name).to_vec()
    }

    /// Returns the size of the images it was published for, `[channels, height, width]`.
    pub const fn input(self) -> [usize; 3] {
        self.table().input
    }

    /// Returns the number of classes it was published for.
    pub const fn classes(self) -> usize {
        self.table().classes
    }

    /// Returns the blocks, first to last.
    pub const fn blocks(self) -> &'static [Block] {
        self.table().blocks
    }

    /// Creates the architecture for images of `input_channels` channels and for `classes` classes.
    ///
    /// # Errors
    /// [`ModelError::Architecture`] where either number is out of range.
    pub fn architecture(
        self,
        input_channels: usize,
        classes: usize,
    ) -> Result<Architecture, ModelError> {
        Architecture::new(self.name(), input_channels, classes, self.blocks().to_vec())
    }
}

impl FromStr for Builtin {
    type Err = ModelError;

    fn from_str(name: &str) -> Result<Self, ModelError> {
        Self::ALL
            .into_iter()
            .find(|builtin| builtin.name() == name)
            .ok_or_else(|| ModelError::UnknownArchitecture { name: name.to_owned() })
    }
}

//! The networks that the benches measure.

use nin_kernels::{ConvGeometry, MlpconvGeometry};

/// A block: kernel, stride and padding of its first layer, the widths of all three, and whether it ends in a pooling.
type Block = (usize, usize, usize, [usize; 3], bool);

/// A network.
pub(crate) struct Network {
    pub(crate) name: &'static str,
    /// Of the input.
    channels: usize,
    /// The height and the width of the input.
    pixels: usize,
    /// Whether the sizes of pools round up.
    ceil_mode: bool,
    blocks: &'static [Block],
}

const D2L: &[Block] = &[
    (11, 4, 0, [96; 3], true),
    (5, 1, 2, [256; 3], true),
    (3, 1, 1, [384; 3], true),
    (3, 1, 1, [10; 3], false),
];

const QUICKSTART: &[Block] =
    &[(5, 1, 2, [32; 3], true), (3, 1, 1, [64; 3], true), (3, 1, 1, [64, 64, 10], false)];

const RECORD: &[Block] = &[
    (3, 1, 1, [64; 3], true),
    (3, 1, 1, [128; 3], false),
    (3, 1, 1, [128; 3], true),
    (3, 1, 1, [192, 192, 10], false),
];

const PAPER_CIFAR10: &[Block] =
    &[(5, 1, 2, [192, 160, 96], true), (5, 1, 2, [192; 3], true), (3, 1, 1, [192, 192, 10], false)];

const PAPER_MNIST: &[Block] = &[
    (5, 1, 2, [96, 64, 48], true),
    (5, 1, 2, [128, 96, 48], true),
    (5, 1, 2, [128, 96, 10], false),
];

pub(crate) const NETWORKS: [Network; 6] = [
    network("d2l-224", [1, 224], false, D2L),
    network("d2l-96", [1, 96], false, D2L),
    network("quickstart", [1, 28], true, QUICKSTART),
    network("record", [1, 28], true, RECORD),
    network("paper-cifar10", [3, 32], true, PAPER_CIFAR10),
    network("paper-mnist", [1, 28], true, PAPER_MNIST),
];

const fn network(
    name: &'static str,
    [channels, pixels]: [usize; 2],
    ceil_mode: bool,
    blocks: &'static [Block],
) -> Network {
    Network { name, channels, pixels, ceil_mode, blocks }
}

impl Network {
    /// Returns the sizes of its blocks on a batch.
    pub(crate) fn geometries(&self, batch: usize) -> Vec<MlpconvGeometry> {
        let (mut channels, mut size) = (self.channels, [self.pixels; 2]);
        let block = |&(kernel, stride, padding, [first, second, third], pools): &Block| {
            let conv = ConvGeometry::new(
                batch,
                [channels, first],
                size,
                [kernel; 2],
                [stride; 2],
                [padding; 2],
            );
            let mut block = MlpconvGeometry::new(conv.expect("valid sizes"), [second, third])
                .expect("valid sizes");
            if pools {
                block = block
                    .with_max_pool([3; 2], [2; 2], [0; 2], self.ceil_mode)
                    .expect("valid sizes");
            }
            (channels, size) = (third, block.output_size());
            block
        };
        self.blocks.iter().map(block).collect()
    }
}

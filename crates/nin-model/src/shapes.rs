//! Shape inference: the output of every layer, without creating a tensor.

use crate::{Architecture, Block, LARGEST_SIDE, ModelError, Pool};

/// The kind of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LayerKind {
    /// A convolution and two 1x1 convolutions, each with bias and ReLU.
    MlpConv,
    /// A max pool.
    MaxPool,
    /// Dropout.
    Dropout,
    /// The mean of each class map.
    GlobalAveragePool,
    /// `[batch, classes, 1, 1]` to `[batch, classes]`.
    Flatten,
}

impl LayerKind {
    /// Returns the name in machine-readable output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MlpConv => "mlpconv",
            Self::MaxPool => "max_pool",
            Self::Dropout => "dropout",
            Self::GlobalAveragePool => "global_average_pool",
            Self::Flatten => "flatten",
        }
    }

    /// Returns its class in PyTorch, in the book's network.
    pub const fn torch_class(self) -> &'static str {
        match self {
            Self::MlpConv => "Sequential",
            Self::MaxPool => "MaxPool2d",
            Self::Dropout => "Dropout",
            Self::GlobalAveragePool => "AdaptiveAvgPool2d",
            Self::Flatten => "Flatten",
        }
    }
}

/// The shape and the cost of one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerShape {
    /// The layer's name, unique in its network, such as `block 2`.
    pub name: String,
    /// The kind of the layer.
    pub kind: LayerKind,
    /// The output for one image: `[1, channels, height, width]`, or `[1, classes]` at the end.
    pub output: Vec<usize>,
    /// The number of weights and biases.
    pub parameters: u64,
    /// Multiply-accumulates of the convolutions, in a forward pass of one image.
    pub macs: u64,
    /// Values that the layer writes for one image, inner convolutions included.
    pub activations: u64,
}

/// The layers of a network for one size of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetworkShapes {
    /// The shape of the input, `[1, channels, height, width]`.
    pub input: [usize; 4],
    /// Blocks, pools, dropouts, average and flatten, in order.
    pub layers: Vec<LayerShape>,
    /// The size of the class maps, the input of the global average pool, `[height, width]`.
    pub class_map: [usize; 2],
}

impl NetworkShapes {
    /// Returns the number of weights and biases of the network.
    pub fn parameters(&self) -> u64 {
        self.layers.iter().map(|layer| layer.parameters).sum()
    }

    /// Returns the multiply-accumulates of a forward pass of one image.
    pub fn macs(&self) -> u64 {
        self.layers.iter().map(|layer| layer.macs).sum()
    }
}

/// Returns the output side of a convolution, or `None` where the kernel does not fit.
pub(crate) fn convolution_side(side: usize, block: &Block) -> Option<usize> {
    side.saturating_add(2 * block.padding)
        .checked_sub(block.kernel)
        .map(|room| room / block.stride + 1)
}

/// Returns the output side of a max pool as PyTorch defines it (`torch.nn.MaxPool2d`), or `None` where the window does not
/// fit. PyTorch differs in ceil mode: it also pools an input that is smaller than the window by less than a stride.
///
/// In ceil mode the last window must start in the input or in its left padding; a window that would start in the right
/// padding is dropped.
pub(crate) fn pool_side(side: usize, pool: &Pool) -> Option<usize> {
    let padded = side.saturating_add(2 * pool.padding);
    let room = padded.checked_sub(pool.kernel)?;
    if !pool.ceil_mode {
        return Some(room / pool.stride + 1);
    }
    let windows = room.div_ceil(pool.stride) + 1;
    let last_starts_beyond = (windows - 1) * pool.stride >= side.saturating_add(pool.padding);
    Some(if last_starts_beyond { windows - 1 } else { windows }).filter(|&windows| windows > 0)
}

impl Architecture {
    /// Infers the output shape, parameters and multiply-accumulates of every layer for one image of
    /// `[channels, height, width]`. Takes microseconds: nothing is computed.
    ///
    /// # Errors
    /// [`ModelError::InputChannels`]; [`ModelError::InputTooSmall`], with the first layer without output and the smallest
    /// square input that works; [`ModelError::TooLarge`] where a count overflows.
    pub fn shapes(&self, input: [usize; 3]) -> Result<NetworkShapes, ModelError> {
        let [channels, height, width] = input;
        if channels != self.input_channels() {
            return Err(ModelError::InputChannels {
                expected: self.input_channels(),
                found: channels,
            });
        }
        self.walk(height, width).map_err(|failure| match failure {
            Failure::NothingLeft { layer } => {
                ModelError::InputTooSmall { layer, input, smallest: self.smallest_input() }
            }
            Failure::Overflow { layer, what } => ModelError::TooLarge { layer, what },
        })
    }

    /// Returns the side of the smallest square input, up to [`LARGEST_SIDE`], that reaches the last layer.
    pub fn smallest_input(&self) -> Option<usize> {
        (1..=LARGEST_SIDE).find(|&side| self.walk(side, side).is_ok())
    }

    fn walk(&self, height: usize, width: usize) -> Result<NetworkShapes, Failure> {
        let input = [1, self.input_channels(), height, width];
        let mut sides = [height, width];
        let mut layers = Vec::new();
        for (index, (block, channels)) in self.block_channels().enumerate() {
            let number = index + 1;
            let [_, _, _, output] = channels;

            let mlpconv = mlpconv_layer(number, block, channels, &mut sides)?;
            layers.push(mlpconv);
            if let Some(pool) = &block.pool {
                let name = format!("pool {number}");
                sides = each_side(sides, &name, |side| pool_side(side, pool))?;
                layers.push(plain_layer(name, LayerKind::MaxPool, output, sides)?);
            }
            if block.dropout > 0.0 {
                let name = format!("dropout {number}");
                layers.push(plain_layer(name, LayerKind::Dropout, output, sides)?);
            }
        }
        let classes = self.classes();
        let average = "global average pool".to_owned();
        layers.push(plain_layer(average, LayerKind::GlobalAveragePool, classes, [1, 1])?);
        layers.push(LayerShape {
            output: vec![1, classes],
            ..plain_layer("flatten".to_owned(), LayerKind::Flatten, classes, [1, 1])?
        });
        Ok(NetworkShapes { input, layers, class_map: sides })
    }
}

enum Failure {
    NothingLeft { layer: String },
    Overflow { layer: String, what: &'static str },
}

fn each_side(
    sides: [usize; 2],
    layer: &str,
    side: impl Fn(usize) -> Option<usize>,
) -> Result<[usize; 2], Failure> {
    let nothing_left = || Failure::NothingLeft { layer: layer.to_owned() };
    Ok([side(sides[0]).ok_or_else(nothing_left)?, side(sides[1]).ok_or_else(nothing_left)?])
}

fn mlpconv_layer(
    number: usize,
    block: &Block,
    channels: [usize; 4],
    sides: &mut [usize; 2],
) -> Result<LayerShape, Failure> {
    let name = format!("block {number}");
    *sides = each_side(*sides, &name, |side| convolution_side(side, block))?;
    let [input, first, second, third] = channels.map(|count| count as u64);
    let kernel_area = (block.kernel * block.kernel) as u64;
    // Bounded by Architecture::new to 31 bits.
    let weights = input * kernel_area * first + first * second + second * third;
    let parameters = weights + first + second + third;

    let mut layer = plain_layer(name, LayerKind::MlpConv, channels[3], *sides)?;
    let area = layer.activations / third;
    let overflow = |what| Failure::Overflow { layer: layer.name.clone(), what };
    let macs = weights.checked_mul(area).ok_or_else(|| overflow("multiply-accumulates"))?;
    let activations =
        (first + second + third).checked_mul(area).ok_or_else(|| overflow("activations"))?;
    layer.parameters = parameters;
    layer.macs = macs;
    layer.activations = activations;
    Ok(layer)
}

fn plain_layer(
    name: String,
    kind: LayerKind,
    channels: usize,
    sides: [usize; 2],
) -> Result<LayerShape, Failure> {
    let activations = (channels as u64)
        .checked_mul(sides[0] as u64)
        .and_then(|rows| rows.checked_mul(sides[1] as u64))
        .filter(|&count| count <= u64::MAX >> 24);
    let Some(activations) = activations else {
        return Err(Failure::Overflow { layer: name, what: "activations" });
    };
    let output = vec![1, channels, sides[0], sides[1]];
    Ok(LayerShape { name, kind, output, parameters: 0, macs: 0, activations })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Builtin;

    #[test]
    fn built_in_networks_have_the_published_counts() {
        // Written down from the paper's and the book's definitions, by hand.
        let published = [
            (Builtin::D2l, 1_992_166, 762_297_352),
            (Builtin::PaperMnist, 349_674, 50_699_712),
            (Builtin::PaperCifar10, 966_986, 222_486_528),
            (Builtin::PaperCifar100, 984_356, 223_592_448),
            (Builtin::PaperSvhn, 1_986_026, 274_235_392),
            (Builtin::Imagenet, 7_595_176, 1_100_188_800),
        ];
        for (builtin, parameters, macs) in published {
            let architecture = builtin.architecture(builtin.input()[0], builtin.classes()).unwrap();
            let shapes = architecture.shapes(builtin.input()).unwrap();
            assert_eq!(shapes.parameters(), parameters, "{}", builtin.name());
            assert_eq!(shapes.macs(), macs, "{}", builtin.name());
        }
    }

    #[test]
    fn the_papers_cifar_network_on_fashion_mnist() {
        let architecture = Builtin::PaperCifar10.architecture(1, 10).unwrap();
        let shapes = architecture.shapes([1, 28, 28]).unwrap();
        assert_eq!((shapes.parameters(), shapes.macs()), (957_386, 162_814_848));
        assert_eq!(shapes.class_map, [7, 7]);
    }

    #[test]
    fn the_books_table() {
        let architecture = Builtin::D2l.architecture(1, 10).unwrap();
        let shapes = architecture.shapes([1, 224, 224]).unwrap();
        let outputs: Vec<_> = shapes.layers.iter().map(|layer| layer.output.clone()).collect();
        let expected: [&[usize]; 10] = [
            &[1, 96, 54, 54],
            &[1, 96, 26, 26],
            &[1, 256, 26, 26],
            &[1, 256, 12, 12],
            &[1, 384, 12, 12],
            &[1, 384, 5, 5],
            &[1, 384, 5, 5],
            &[1, 10, 5, 5],
            &[1, 10, 1, 1],
            &[1, 10],
        ];
        assert_eq!(outputs, expected);
    }

    #[test]
    fn too_small_an_input_names_the_layer_and_the_smallest_that_works() {
        let architecture = Builtin::D2l.architecture(1, 10).unwrap();
        assert!(architecture.shapes([1, 67, 67]).is_ok());
        let error = architecture.shapes([1, 66, 66]).unwrap_err();
        assert_eq!(
            error,
            ModelError::InputTooSmall {
                layer: "pool 3".to_owned(),
                input: [1, 66, 66],
                smallest: Some(67),
            }
        );
        assert!(error.hint().contains("67x67"));
    }

    #[test]
    fn class_maps_of_the_book_by_input() {
        let architecture = Builtin::D2l.architecture(1, 10).unwrap();
        for (side, map) in [(67, 1), (98, 1), (99, 2), (131, 3), (195, 5), (224, 5), (226, 5)] {
            assert_eq!(architecture.shapes([1, side, side]).unwrap().class_map, [map; 2], "{side}");
        }
    }

    /// Written by PyTorch: `MaxPool2d(k, s, p, ceil_mode=c)(torch.zeros(1, 1, n, n)).shape[-1]`.
    #[test]
    fn pools_round_as_pytorch_does() {
        let cases = [
            // side, kernel, stride, padding, floor, ceil
            (32, 3, 2, 0, 15, 16),
            (28, 3, 2, 0, 13, 14),
            (5, 3, 2, 1, 3, 3),
            (6, 3, 2, 1, 3, 4),
            (4, 2, 3, 1, 2, 2),
            (7, 2, 3, 1, 3, 3),
            (8, 2, 3, 1, 3, 3),
            (9, 2, 3, 1, 4, 4),
        ];
        for (side, kernel, stride, padding, floor, ceil) in cases {
            let pool = |ceil_mode| Pool { kernel, stride, padding, ceil_mode };
            assert_eq!(
                pool_side(side, &pool(false)),
                Some(floor),
                "floor of {side} {kernel} {stride} {padding}"
            );
            assert_eq!(
                pool_side(side, &pool(true)),
                Some(ceil),
                "ceil of {side} {kernel} {stride} {padding}"
            );
        }
    }

    #[test]
    fn endless_images_are_an_error() {
        let architecture = Builtin::D2l.architecture(1, 10).unwrap();
        let error = architecture.shapes([1, usize::MAX / 4, usize::MAX / 4]).unwrap_err();
        assert!(matches!(error, ModelError::TooLarge { .. }), "{error}");
    }
}

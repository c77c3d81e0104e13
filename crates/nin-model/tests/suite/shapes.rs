//! Shape inference agrees with a forward pass, and with PyTorch's layers.

use burn::tensor::Tensor;
use burn_flex::{Flex, FlexDevice};
use nin_model::{
    Architecture, Block, Builtin, Initialization, ModelError, NetworkInNetwork, NetworkShapes,
    Pool, Width,
};
use nin_random::{Purpose, Stream};
use serde::Deserialize;

/// Random architectures, with an input that is large enough.
const RANDOM_ARCHITECTURES: usize = 200;

/// Random numbers for one architecture, drawn in sequence.
struct Draw {
    stream: Stream,
    position: u64,
}

impl Draw {
    fn new(number: u64) -> Self {
        Self { stream: Stream::new(200, Purpose::Sampling, [number, 0]), position: 0 }
    }

    /// Returns a number from `smallest` to `largest`, inclusive.
    fn within(&mut self, smallest: usize, largest: usize) -> usize {
        self.position += 1;
        smallest + self.stream.below((largest - smallest) as u64 + 1, self.position) as usize
    }

    fn flag(&mut self) -> bool {
        self.within(0, 1) == 1
    }

    fn pool(&mut self) -> Pool {
        let kernel = self.within(1, 5);
        Pool {
            kernel,
            stride: self.within(1, 4),
            padding: self.within(0, kernel / 2),
            ceil_mode: self.flag(),
        }
    }

    fn block(&mut self, is_last: bool) -> Block {
        let kernel = self.within(1, 7);
        let third = Width::Channels(self.within(1, 20));
        Block {
            kernel,
            stride: self.within(1, 3),
            padding: self.within(0, kernel - 1),
            widths: [
                Width::Channels(self.within(1, 20)),
                Width::Channels(self.within(1, 20)),
                if is_last { Width::CLASSES } else { third },
            ],
            pool: (self.within(0, 4) > 0).then(|| self.pool()),
            dropout: if self.flag() { 0.5 } else { 0.0 },
        }
    }

    fn architecture(&mut self, name: &str) -> Architecture {
        let count = self.within(1, 3);
        let blocks = (1..=count).map(|number| self.block(number == count)).collect();
        Architecture::new(name, self.within(1, 3), self.within(2, 5), blocks).unwrap()
    }
}

fn outputs(shapes: &NetworkShapes) -> Vec<Vec<usize>> {
    shapes.layers.iter().map(|layer| layer.output.clone()).collect()
}

fn network(architecture: &Architecture) -> NetworkInNetwork<Flex> {
    let weights = Initialization::Kaiming.weights(architecture, 1);
    NetworkInNetwork::from_weights(architecture, &weights, &FlexDevice).unwrap()
}

/// Compares with a forward pass through every layer.
fn assert_true(network: &NetworkInNetwork<Flex>, input: [usize; 3], shapes: &NetworkShapes) {
    let [channels, height, width] = input;
    let images = || Tensor::zeros([1, channels, height, width], &FlexDevice);
    let architecture = network.architecture();
    assert_eq!(outputs(shapes), network.trace(images()), "{input:?}, {architecture:?}");
    // Unlike `trace`, this pools in the kernels, as part of fused blocks.
    let [map_height, map_width] = shapes.class_map;
    let maps = network.class_maps(images()).dims();
    let expected = [1, architecture.classes(), map_height, map_width];
    assert_eq!(maps, expected, "{input:?}, {architecture:?}");
}

#[test]
fn built_in_networks() {
    for builtin in Builtin::ALL {
        let input = builtin.input();
        let architecture = builtin.architecture(input[0], builtin.classes()).unwrap();
        let shapes = architecture.shapes(input).unwrap();
        assert_true(&network(&architecture), input, &shapes);
    }
}

#[test]
fn random_architectures() {
    let mut compared = 0;
    for number in 0.. {
        let mut draw = Draw::new(number);
        let architecture = draw.architecture(&format!("random {number}"));
        let input = [architecture.input_channels(), draw.within(1, 40), draw.within(1, 40)];
        let shapes = match architecture.shapes(input) {
            Ok(shapes) => shapes,
            Err(ModelError::InputTooSmall { .. }) => continue,
            Err(error) => panic!("{input:?}, {architecture:?}: {error}"),
        };
        let network = network(&architecture);
        assert_true(&network, input, &shapes);
        assert_true(&network.without_kernels(), input, &shapes);
        compared += 1;
        if compared == RANDOM_ARCHITECTURES {
            break;
        }
    }
}

/// A case of `shapes_golden.py`.
#[derive(Deserialize)]
struct Golden {
    architecture: Architecture,
    input: [usize; 3],
    /// `None` where PyTorch rejects the input.
    outputs: Option<Vec<Vec<usize>>>,
}

#[test]
fn pytorch_says_the_same() {
    let cases: Vec<Golden> = serde_json::from_str(include_str!("shapes_golden.json")).unwrap();
    assert_eq!(cases.len(), 50);
    let mut refused = 0;
    for Golden { architecture, input, outputs: expected } in cases {
        let found = match architecture.shapes(input) {
            Ok(shapes) => Some(outputs(&shapes)),
            Err(ModelError::InputTooSmall { .. }) => None,
            Err(error) => panic!("{input:?}, {architecture:?}: {error}"),
        };
        if found.is_none() && expected.as_ref().is_some_and(|all| reaches_over(&architecture, all))
        {
            refused += 1;
            continue;
        }
        assert_eq!(found, expected, "{input:?}, {architecture:?}");
    }
    assert_eq!(refused, 2, "PyTorch pools there what is smaller than the window");
}

/// Returns whether the window of a pool is larger than its padded input, which PyTorch allows in ceil mode.
fn reaches_over(architecture: &Architecture, outputs: &[Vec<usize>]) -> bool {
    let mut layers = outputs.iter();
    architecture.blocks().iter().any(|block| {
        let [_, _, height, width] = layers.next().unwrap()[..] else { panic!("four dimensions") };
        let is_larger = block.pool.is_some_and(|pool| {
            layers.next();
            height.min(width) + 2 * pool.padding < pool.kernel
        });
        if block.dropout > 0.0 {
            layers.next();
        }
        is_larger
    })
}

//! A file saved by PyTorch gives the logits that PyTorch gave. `generate_golden.py` wrote both.

use burn::tensor::{Tensor, TensorData};
use burn_flex::{Flex, FlexDevice};
use nin_exchange::pytorch::to_ours;
use nin_model::{Architecture, Block, NetworkInNetwork, Weights, Width};
use serde_json::Value;

use crate::onnx::{block, pool};

/// Sums of a few hundred products in 32-bit floats, in another order.
const TOLERANCE: f64 = 1e-5;

#[test]
fn a_pytorch_checkpoint_gives_pytorchs_logits() {
    let (weights, _) =
        Weights::from_safetensors(include_bytes!("../golden/sequential.safetensors")).unwrap();
    let golden: Value = serde_json::from_str(include_str!("../golden/logits.json")).unwrap();
    let blocks = vec![
        Block { pool: Some(pool(3, 2, 0, false)), ..block(5, 2, 0, [Width::Channels(6); 3]) },
        Block {
            pool: Some(pool(3, 2, 0, true)),
            dropout: 0.5,
            ..block(3, 1, 1, [Width::Channels(8); 3])
        },
        block(3, 1, 1, [Width::CLASSES; 3]),
    ];
    let architecture = Architecture::new("golden", 1, 4, blocks).unwrap();
    let ours = to_ours(&architecture, &weights).unwrap();
    let network =
        NetworkInNetwork::<Flex>::from_weights(&architecture, &ours, &FlexDevice).unwrap();

    let shape = [2, 1, 28, 30];
    let images = (0..shape.iter().product::<usize>()).map(|at| (at * 7919 % 256) as f32 / 255.0);
    let images = TensorData::new(images.collect::<Vec<_>>(), shape);
    let logits = network.forward(Tensor::from_data(images, &FlexDevice));
    let logits: Vec<f32> = logits.into_data().to_vec().unwrap();
    let expected: Vec<f64> = golden["logits"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|row| row.as_array().unwrap())
        .map(|value| value.as_f64().unwrap())
        .collect();
    assert_eq!(logits.len(), expected.len());
    for (found, expected) in logits.into_iter().zip(expected) {
        assert!((f64::from(found) - expected).abs() <= TOLERANCE, "{found} is not {expected}");
    }
}

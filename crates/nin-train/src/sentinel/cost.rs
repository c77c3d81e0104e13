//! Measures the cost of the sentinel relative to a step. Run it by hand on an idle machine:
//! `cargo test --release -p nin-train sentinel::cost -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use burn::backend::Autodiff;
use burn::tensor::{Int, Tensor, TensorData};
use burn::train::TrainStep;
use burn_flex::{Flex, FlexDevice};
use nin_data::ImageBatch;
use nin_model::{Builtin, Initialization, NetworkInNetwork};

use super::{NORM_EVERY, Observation, Sentinel, SentinelState};
use crate::classifier::Classifier;
use crate::gradient_check::examine;

type Training = Autodiff<Flex>;

/// Largest allowed share of a step.
const MOST: f64 = 0.01;
const REPEATS: usize = 15;

/// Returns the median of several timings.
fn median(mut what: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..REPEATS)
        .map(|_| {
            let begun = Instant::now();
            what();
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[REPEATS / 2]
}

fn batch(images: usize, side: usize) -> ImageBatch<Training> {
    let pixels = (0..images * side * side).map(|at| (at % 255) as f32 / 255.0).collect::<Vec<_>>();
    let labels: Vec<usize> = (0..images).map(|at| at % 10).collect();
    let targets: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
    let targets: Tensor<Training, 1, Int> =
        Tensor::from_data(TensorData::new(targets, [images]), &FlexDevice);
    ImageBatch {
        images: Tensor::from_data(TensorData::new(pixels, [images, 1, side, side]), &FlexDevice),
        targets,
        indices: (0..images).collect(),
        labels,
        mixed: None,
        epoch: 1,
        step: 0,
        place: None,
    }
}

#[test]
#[ignore = "a timing"]
fn less_than_a_hundredth_of_a_step_of_the_books_recipe_at_96() {
    let architecture = Builtin::D2l.architecture(1, 10).unwrap();
    let weights = Initialization::Xavier.weights(&architecture, 42);
    let network = NetworkInNetwork::from_weights(&architecture, &weights, &FlexDevice).unwrap();
    let classifier = Classifier::<Training>::new(network, 42);
    let batch = batch(128, 96);
    let step = median(|| drop(TrainStep::step(&classifier, batch.clone())));

    let output = TrainStep::step(&classifier, batch);
    let answers = output.item.0.unwrap();
    let examined =
        |with_norm| median(|| drop(examine(&classifier, &output.grads, with_norm).unwrap()));
    let norm = examined(true).saturating_sub(examined(false));
    let sentinel = Sentinel::new((0..10).map(|class| class.to_string()).collect(), 469);
    let mut state = SentinelState::default();
    let watched = median(|| {
        let seen = Observation::of(&answers, 2.3, Some(0.1));
        drop(sentinel.observe(&mut state, (1, 1, 1), &seen));
    });
    let cost = watched + norm / NORM_EVERY as u32;
    let share = cost.as_secs_f64() / step.as_secs_f64();
    println!(
        "step {step:?}; norm {norm:?}, at each tenth; the rest {watched:?}; {:.4} % of a step",
        100.0 * share
    );
    assert!(share < MOST, "{share}");
}

//! Updates of parameters against plain loops.

use nin_gpu::{AdamW, Sgd};

use crate::adapter::{client, read, write};
use crate::oracle::{assert_close, numbers};

/// Of the largest value: a few roundings.
const TOLERANCE: f64 = 1e-6;

const LEN: usize = 1000;

#[test]
fn sgd_with_momentum() {
    let Some(client) = client() else { return };
    let sgd = Sgd { rate: 0.1, momentum: 0.9, weight_decay: 0.01 };
    let mut weight: Vec<f64> = numbers(LEN, 1).into_iter().map(f64::from).collect();
    let mut momenta = vec![0.0; LEN];
    let mut weight_buffer = write(&client, &numbers(LEN, 1));
    let mut momenta_buffer = None;
    for step in 0..3 {
        let gradient = numbers(LEN, 2 + step);
        for ((weight, momentum), gradient) in weight.iter_mut().zip(&mut momenta).zip(&gradient) {
            *momentum = 0.9 * *momentum + f64::from(*gradient) + 0.01 * *weight;
            *weight -= 0.1 * *momentum;
        }
        let gradient = write(&client, &gradient);
        let [updated, new_momenta] =
            sgd.step(&client, LEN, [&weight_buffer, &gradient], momenta_buffer.as_ref()).unwrap();
        (weight_buffer, momenta_buffer) = (updated, Some(new_momenta));
    }
    assert_close("weight", &read(&client, weight_buffer), &weight, TOLERANCE);
    assert_close("momenta", &read(&client, momenta_buffer.unwrap()), &momenta, TOLERANCE);
}

#[test]
fn adamw_with_bias_correction() {
    let Some(client) = client() else { return };
    let (rate, decay, betas, epsilon) = (0.01, 0.1, [0.9, 0.999], 1e-8);
    let mut weight: Vec<f64> = numbers(LEN, 1).into_iter().map(f64::from).collect();
    let (mut first, mut second) = (vec![0.0; LEN], vec![0.0; LEN]);
    let mut weight_buffer = write(&client, &numbers(LEN, 1));
    let mut means: Option<[_; 2]> = None;
    for step in 1..4 {
        let gradient = numbers(LEN, 2 + step as u32);
        let correct = |beta: f64| 1.0 - beta.powi(step);
        let values = weight.iter_mut().zip(&mut first).zip(&mut second).zip(&gradient);
        for (((weight, first), second), &gradient) in values {
            let gradient = f64::from(gradient);
            *first = betas[0] * *first + (1.0 - betas[0]) * gradient;
            *second = betas[1] * *second + (1.0 - betas[1]) * gradient * gradient;
            let root = (*second / correct(betas[1])).sqrt() + epsilon;
            *weight = *weight * (1.0 - rate * decay) - rate * *first / correct(betas[0]) / root;
        }
        let adamw = AdamW {
            rate: (rate / correct(betas[0])) as f32,
            betas: betas.map(|beta| beta as f32),
            complements: betas.map(|beta| (1.0 - beta) as f32),
            epsilon: epsilon as f32,
            root_correction: correct(betas[1]).sqrt() as f32,
            decay: (1.0 - rate * decay) as f32,
        };
        let gradient = write(&client, &gradient);
        let old = means.as_ref().map(|[first, second]| [first, second]);
        let [updated, new_first, new_second] =
            adamw.step(&client, LEN, [&weight_buffer, &gradient], old).unwrap();
        (weight_buffer, means) = (updated, Some([new_first, new_second]));
    }
    let [found_first, found_second] = means.unwrap();
    assert_close("weight", &read(&client, weight_buffer), &weight, TOLERANCE);
    assert_close("first", &read(&client, found_first), &first, TOLERANCE);
    assert_close("second", &read(&client, found_second), &second, TOLERANCE);
}

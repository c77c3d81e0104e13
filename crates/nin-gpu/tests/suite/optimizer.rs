//! Updates of parameters against plain loops.

use cubecl::server::Handle;
use nin_gpu::{AdamW, Error, Sgd, Update, launch_updates};

use crate::adapter::{Client, client, read, write};
use crate::oracle::{assert_close, numbers};

/// Of the largest value: a few roundings.
const TOLERANCE: f64 = 1e-6;

/// The numbers of values of the parameters: more parameters than a dispatch takes, and some end within a workgroup.
fn lens() -> Vec<usize> {
    (0..40).map(|parameter| [1000, 1, 256, 37][parameter % 4] + parameter).collect()
}

/// A parameter in 64 bits, with what its optimizer keeps.
struct Parameter {
    weight: Vec<f64>,
    kept: [Vec<f64>; 2],
}

/// Takes three steps of all parameters on the device by `update`, and by `step` on the host, and compares. `update` gets the
/// parameter's number, the step, counted from 1, and the buffers. `step` gets the gradient instead.
fn compare(
    buffers_kept: usize,
    update: impl Fn(&Client, usize, i32, &[Handle]) -> Update,
    step: impl Fn(usize, i32, &mut Parameter, &[f64]),
) {
    let Some(client) = client() else { return };
    let lens = lens();
    let seed = |parameter: usize, step: i32| parameter as u32 * 10 + step as u32;
    let weight = |parameter: usize| numbers(lens[parameter], seed(parameter, 0));
    let mut buffers: Vec<Vec<Handle>> =
        (0..lens.len()).map(|parameter| vec![write(&client, &weight(parameter))]).collect();
    let mut expected: Vec<Parameter> = (0..lens.len())
        .map(|parameter| Parameter {
            weight: wide(&weight(parameter)),
            kept: [vec![0.0; lens[parameter]], vec![0.0; lens[parameter]]],
        })
        .collect();
    for count in 1..4 {
        let mut updates = Vec::new();
        for (parameter, buffers) in buffers.iter_mut().enumerate() {
            let gradient = numbers(lens[parameter], seed(parameter, count));
            step(parameter, count, &mut expected[parameter], &wide(&gradient));
            buffers.insert(1, write(&client, &gradient));
            let prepared = update(&client, parameter, count, buffers);
            *buffers = prepared.updated().to_vec();
            updates.push(prepared);
        }
        launch_updates(&client, &updates).unwrap();
    }
    for (buffers, expected) in buffers.into_iter().zip(&expected) {
        assert_eq!(buffers.len(), 1 + buffers_kept);
        let all = [&expected.weight, &expected.kept[0], &expected.kept[1]];
        for ((what, buffer), expected) in ["weight", "first", "second"].iter().zip(buffers).zip(all)
        {
            assert_close(what, &read(&client, buffer), expected, TOLERANCE);
        }
    }
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// Every parameter has a rate of its own, and every second one no weight decay.
fn rate_and_decay(parameter: usize) -> (f64, f64) {
    (0.1 / (1 + parameter) as f64, if parameter.is_multiple_of(2) { 0.01 } else { 0.0 })
}

#[test]
fn sgd_with_momentum() {
    const MOMENTUM: f64 = 0.9;
    let update = |client: &Client, parameter: usize, _, buffers: &[Handle]| {
        let (rate, weight_decay) = rate_and_decay(parameter);
        let (rate, weight_decay) = (rate as f32, weight_decay as f32);
        let sgd = Sgd { rate, momentum: MOMENTUM as f32, weight_decay };
        let operands = [&buffers[0], &buffers[1]];
        sgd.update(client, lens()[parameter], operands, buffers.get(2)).unwrap()
    };
    compare(1, update, |parameter, _, Parameter { weight, kept: [momenta, _] }, gradient| {
        let (rate, weight_decay) = rate_and_decay(parameter);
        for ((weight, momentum), gradient) in weight.iter_mut().zip(momenta).zip(gradient) {
            *momentum = MOMENTUM * *momentum + gradient + weight_decay * *weight;
            *weight -= rate * *momentum;
        }
    });
}

#[test]
fn adamw_with_bias_correction() {
    const BETAS: [f64; 2] = [0.9, 0.999];
    const EPSILON: f64 = 1e-8;
    let corrections = |step: i32| BETAS.map(|beta| 1.0 - beta.powi(step));
    let update = |client: &Client, parameter: usize, step: i32, buffers: &[Handle]| {
        let (rate, weight_decay) = rate_and_decay(parameter);
        let [correction_1, correction_2] = corrections(step);
        let adamw = AdamW {
            rate: (rate / correction_1) as f32,
            beta_1: BETAS[0] as f32,
            beta_2: BETAS[1] as f32,
            complement_1: (1.0 - BETAS[0]) as f32,
            complement_2: (1.0 - BETAS[1]) as f32,
            epsilon: EPSILON as f32,
            root_correction: correction_2.sqrt() as f32,
            decay: (1.0 - rate * weight_decay) as f32,
        };
        let means = buffers.get(2).zip(buffers.get(3)).map(|(first, second)| [first, second]);
        adamw.update(client, lens()[parameter], [&buffers[0], &buffers[1]], means).unwrap()
    };
    compare(2, update, |parameter, step, Parameter { weight, kept: [first, second] }, gradient| {
        let (rate, weight_decay) = rate_and_decay(parameter);
        let [correction_1, correction_2] = corrections(step);
        let values = weight.iter_mut().zip(first).zip(second).zip(gradient);
        for (((weight, first), second), gradient) in values {
            *first = BETAS[0] * *first + (1.0 - BETAS[0]) * gradient;
            *second = BETAS[1] * *second + (1.0 - BETAS[1]) * gradient * gradient;
            let root = (*second / correction_2).sqrt() + EPSILON;
            *weight = *weight * (1.0 - rate * weight_decay) - rate * *first / correction_1 / root;
        }
    });
}

#[test]
fn updates_of_several_kinds_are_those_of_each_alone() {
    let Some(client) = client() else { return };
    let len = 300;
    let buffers: Vec<Handle> = (0..4).map(|salt| write(&client, &numbers(len, salt))).collect();
    let sgd = Sgd { rate: 0.1, momentum: 0.9, weight_decay: 0.01 };
    let adamw = AdamW {
        rate: 0.1,
        beta_1: 0.9,
        beta_2: 0.99,
        complement_1: 0.1,
        complement_2: 0.01,
        epsilon: 1e-8,
        root_correction: 0.5,
        decay: 0.999,
    };
    let operands = [&buffers[0], &buffers[1]];
    // AdamW's second average is not negative.
    let square =
        write(&client, &numbers(len, 3).iter().map(|value| value * value).collect::<Vec<_>>());
    let prepare = || {
        [
            sgd.update(&client, len, operands, None).unwrap(),
            sgd.update(&client, len, operands, Some(&buffers[2])).unwrap(),
            adamw.update(&client, len, operands, None).unwrap(),
            adamw.update(&client, len, operands, Some([&buffers[2], &square])).unwrap(),
            sgd.update(&client, len, operands, None).unwrap(),
        ]
    };
    let (together, alone) = (prepare(), prepare());
    launch_updates(&client, &together).unwrap();
    for update in &alone {
        launch_updates(&client, std::slice::from_ref(update)).unwrap();
    }
    let values = |update: &Update| -> Vec<Vec<f32>> {
        update.updated().iter().map(|buffer| read(&client, buffer.clone())).collect()
    };
    let found: Vec<_> = together.iter().map(values).collect();
    assert_eq!(found, alone.iter().map(values).collect::<Vec<_>>());
    // Each kind does something else.
    for (at, one) in found[..4].iter().enumerate() {
        assert!(found[..at].iter().all(|other| other[0] != one[0]), "{at}");
    }
}

#[test]
fn a_buffer_that_is_too_short_is_refused() {
    let Some(client) = client() else { return };
    let [weight, gradient] = [3, 4].map(|len| write(&client, &numbers(len, 1)));
    let sgd = Sgd { rate: 0.1, momentum: 0.0, weight_decay: 0.0 };
    let error = sgd.update(&client, 4, [&weight, &gradient], None).unwrap_err();
    assert_eq!(error, Error::Length { what: "a parameter's buffer", found: 3, expected: 4 });
}

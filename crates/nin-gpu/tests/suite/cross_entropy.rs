//! The cross-entropy against plain loops.

use nin_gpu::{CrossEntropy, Error};

use crate::adapter::{client, read, write};
use crate::oracle::{assert_close, numbers};

/// Of the largest value: roundings of `exp`, of `ln` and of sums.
const TOLERANCE: f64 = 1e-5;

/// Returns the loss of each image and the gradient of the logits of the sum of losses times `slopes`.
fn expected(
    classes: usize,
    logits: &[f32],
    factors: &[f32],
    slopes: &[f32],
) -> (Vec<f64>, Vec<f64>) {
    let (mut losses, mut gradient) = (Vec::new(), Vec::new());
    let images = logits.chunks(classes).zip(factors.chunks(classes)).zip(slopes);
    for ((logits, factors), &slope) in images {
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers: Vec<f64> =
            logits.iter().map(|&logit| (f64::from(logit) - f64::from(largest)).exp()).collect();
        let sum: f64 = powers.iter().sum();
        let terms = powers.iter().zip(factors);
        losses.push(
            -terms.map(|(power, &factor)| f64::from(factor) * (power / sum).ln()).sum::<f64>(),
        );
        let shares: f64 = factors.iter().copied().map(f64::from).sum();
        let terms = powers.iter().zip(factors);
        let slope = f64::from(slope);
        gradient.extend(
            terms.map(|(power, &factor)| (power / sum * shares - f64::from(factor)) * slope),
        );
    }
    (losses, gradient)
}

#[test]
fn losses_and_gradients_for_any_number_of_classes() {
    let Some(client) = client() else { return };
    for (images, classes, scale) in [
        (1, 2, 1.0),
        (5, 10, 30.0),
        (3, 64, 1.0),
        (2, 65, 1.0),
        (70, 3, 200.0),
        (4, 1000, 5.0),
        (70_000, 2, 1.0),
    ] {
        let name = format!("{images} images, {classes} classes, logits over {scale}");
        let logits: Vec<f32> =
            numbers(images * classes, 1).into_iter().map(|logit| logit * scale).collect();
        let factors: Vec<f32> = numbers(images * classes, 2).into_iter().map(f32::abs).collect();
        let slopes = numbers(images, 3);
        let (losses, gradient) = expected(classes, &logits, &factors, &slopes);
        let cross_entropy = CrossEntropy { images, classes };
        let [logits, factors, slopes] =
            [&logits, &factors, &slopes].map(|values| write(&client, values));
        let found = cross_entropy.losses(&client, [&logits, &factors]).unwrap();
        assert_close(&name, &read(&client, found), &losses, TOLERANCE);
        let found = cross_entropy.gradient(&client, [&logits, &factors, &slopes]).unwrap();
        assert_close(&name, &read(&client, found), &gradient, TOLERANCE);
    }
}

#[test]
fn what_is_not_finite_stays_so_in_its_image() {
    let Some(client) = client() else { return };
    let logits = write(&client, &[0.0, f32::NAN, 1.0, f32::INFINITY, 2.0, 3.0]);
    let factors = write(&client, &[1.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
    let slopes = write(&client, &[1.0; 3]);
    let cross_entropy = CrossEntropy { images: 3, classes: 2 };
    let gradient = cross_entropy.gradient(&client, [&logits, &factors, &slopes]).unwrap();
    let gradient = read(&client, gradient);
    let has_finite = |image: &[f32]| image.iter().any(|value| value.is_finite());
    let found: Vec<bool> = gradient.chunks(2).map(has_finite).collect();
    assert_eq!(found, [false, false, true], "{gradient:?}");
    let losses = read(&client, cross_entropy.losses(&client, [&logits, &factors]).unwrap());
    let found: Vec<bool> = losses.iter().map(|loss| loss.is_finite()).collect();
    assert_eq!(found, [false, false, true], "{losses:?}");
}

#[test]
fn a_buffer_that_is_too_short_is_refused() {
    let Some(client) = client() else { return };
    let cross_entropy = CrossEntropy { images: 2, classes: 3 };
    let [logits, factors] = [&[0.0; 6][..], &[0.0; 5]].map(|values| write(&client, values));
    let error = cross_entropy.losses(&client, [&logits, &factors]).unwrap_err();
    assert_eq!(error, Error::Length { what: "the factors", found: 5, expected: 6 });
}

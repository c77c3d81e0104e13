//! Max pooling and its gradient.

use nin_kernels::{PoolGeometry, nchw_from_panels, panels_from_nchw};
use proptest::prelude::*;

use crate::oracle;
use crate::support::{absolute, bits, contexts, error, random};

/// A sum of a few gradients.
const POOL_ERROR: f64 = 1e-6;

fn geometries() -> impl Strategy<Value = (usize, usize, PoolGeometry)> {
    let pair = |range: std::ops::Range<usize>| [range.clone(), range];
    let sizes =
        (1_usize..3, 1_usize..35, pair(1..14), pair(1..5), pair(1..4), pair(0..3), any::<bool>());
    sizes.prop_filter_map(
        "the window fits",
        |(batch, channels, input, window, stride, padding, ceil)| {
            let geometry =
                PoolGeometry::new(batch, channels, input, window, stride, padding, ceil).ok()?;
            Some((batch, channels, geometry))
        },
    )
}

/// Compares a pooling and its gradient with the oracle. `special` for values with NaN and infinity.
fn compare(batch: usize, channels: usize, geometry: &PoolGeometry, special: bool) {
    let pixels = |size: [usize; 2]| size[0] * size[1];
    let (in_pixels, out_pixels) = (pixels(geometry.input_size()), pixels(geometry.output_size()));
    // Few distinct values, so that ties are frequent.
    let mut planes = random(5, batch * channels * in_pixels);
    for value in &mut planes {
        *value = (*value * 3.0).round();
    }
    if special {
        planes.iter_mut().step_by(7).for_each(|value| *value = f32::NAN);
        planes.iter_mut().skip(3).step_by(5).for_each(|value| *value = f32::NEG_INFINITY);
    }
    let (expected, expected_positions) = oracle::max_pool_forward(geometry, &planes);
    let gradient_planes = random(6, expected.len());
    let gated: Vec<f32> = gradient_planes
        .iter()
        .zip(&expected)
        .map(|(&gradient, &value)| if value <= 0.0 { 0.0 } else { gradient })
        .collect();
    for context in contexts(2) {
        let mut input = vec![f32::NAN; geometry.input_len()];
        panels_from_nchw(&context, [batch, channels, in_pixels], &planes, &mut input).unwrap();
        let (mut output, mut positions) =
            (vec![f32::NAN; geometry.output_len()], vec![9; geometry.output_len()]);
        context.max_pool_forward(geometry, &input, &mut output, Some(&mut positions)).unwrap();
        let mut alone = vec![f32::NAN; geometry.output_len()];
        context.max_pool_forward(geometry, &input, &mut alone, None).unwrap();
        assert_eq!(bits(&alone), bits(&output));

        let sizes = [batch, channels, out_pixels];
        let mut found = vec![f32::NAN; expected.len()];
        nchw_from_panels(&context, sizes, &output, &mut found).unwrap();
        assert_eq!(bits(&found), bits(&expected));
        let position_values: Vec<f32> =
            positions.iter().map(|&position| f32::from(position)).collect();
        nchw_from_panels(&context, sizes, &position_values, &mut found).unwrap();
        let expected_values: Vec<f32> =
            expected_positions.iter().map(|&position| f32::from(position)).collect();
        assert_eq!(&found, &expected_values);

        let mut gradient = vec![f32::NAN; geometry.output_len()];
        panels_from_nchw(&context, sizes, &gradient_planes, &mut gradient).unwrap();
        let mut grad_input = vec![f32::NAN; geometry.input_len()];
        let mut grad_planes = vec![f32::NAN; planes.len()];
        for (gate, upstream) in [(None, &gradient_planes), (Some(output.as_slice()), &gated)] {
            context
                .max_pool_backward(geometry, &positions, &gradient, gate, &mut grad_input)
                .unwrap();
            nchw_from_panels(&context, [batch, channels, in_pixels], &grad_input, &mut grad_planes)
                .unwrap();
            let expected = oracle::max_pool_backward(geometry, &expected_positions, upstream);
            let size =
                oracle::max_pool_backward(geometry, &expected_positions, &absolute(upstream));
            assert!(error(&grad_planes, &expected, &size) < POOL_ERROR);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_shape_matches_the_oracle((batch, channels, geometry) in geometries(), special in any::<bool>()) {
        compare(batch, channels, &geometry, special);
    }
}

/// A position is a byte: the last of 256 is 255.
#[test]
fn the_largest_window_matches_the_oracle() {
    let geometry = PoolGeometry::new(1, 17, [40, 33], [16, 16], [15, 9], [8, 3], true).unwrap();
    compare(1, 17, &geometry, false);
    compare(1, 17, &geometry, true);
}

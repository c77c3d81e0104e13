//! bf16 operands, on every instruction set that multiplies them: layers of stride one, in words of two or in tiles.

use nin_kernels::{Algorithm, Context, ConvGeometry, ConvInput, Isa, Precision};
use proptest::prelude::*;

use crate::convolution::{Answers, Case, DIRECT_ERROR};
use crate::support::{bits, from_a_worker};

/// The error of rounded operands: each is rounded by at most 2^-9 of itself, a product by twice that.
const BF16_ERROR: f64 = 1.0 / 256.0;

/// A bound that fp32 meets and bf16 does not, to show that a result was computed in bf16.
const FP32_ERROR: f64 = 10.0 * DIRECT_ERROR;

fn contexts(threads: usize) -> Vec<Context> {
    Isa::ALL
        .into_iter()
        .filter_map(|isa| Context::new(isa, threads).ok())
        .filter(Context::computes_in_bf16)
        .map(|context| context.with_precision(Precision::Bf16))
        .collect()
}

/// Returns whether a convolution is computed in bf16.
fn in_bf16(context: &Context, case: &Case) -> bool {
    context.algorithm_of(&case.geometry, ConvInput::Panels(&[])).ends_with("bf16")
}

/// Rounds to bf16, towards zero.
fn cut(values: &mut [f32]) {
    for value in values {
        *value = f32::from_bits(value.to_bits() & 0xFFFF_0000);
    }
}

fn pointwise(batch: usize, channels: [usize; 2], size: [usize; 2]) -> Case {
    Case::new(ConvGeometry::new(batch, channels, size, [1, 1], [1, 1], [0, 0]).unwrap())
}

fn square(batch: usize, channels: [usize; 2], size: usize, kernel: usize, padding: usize) -> Case {
    let geometry = ConvGeometry::new(batch, channels, [size; 2], [kernel; 2], [1, 1], [padding; 2]);
    Case::new(geometry.unwrap())
}

fn all_bits(answers: &Answers) -> [Vec<u32>; 4] {
    [&answers.output, &answers.grad_input, &answers.grad_weight, &answers.grad_bias]
        .map(|values| bits(values))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Operands that are bf16 already are not rounded, so that the error is that of fp32 and any mismatched pair shows.
    /// Sizes are around those of lanes, panels and tiles, with odd numbers of pixels.
    #[test]
    fn operands_that_are_bf16_are_exact(
        batch in 1_usize..4,
        inputs in prop::sample::select(vec![1_usize, 2, 15, 16, 17, 31, 32, 33, 49]),
        outputs in prop::sample::select(vec![1_usize, 10, 16, 17, 32, 33, 64]),
        height in 1_usize..9,
        width in 1_usize..31,
        relu: bool,
    ) {
        let mut case = pointwise(batch, [inputs, outputs], [height, width]);
        for values in [&mut case.input, &mut case.weight, &mut case.grad_output] {
            cut(values);
        }
        for context in contexts(2) {
            let found = case.run(&context, false, relu, true);
            case.compare(&found, relu, true, [DIRECT_ERROR; 3])?;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// The same for any kernel. Without tiles (because of a stride, a margin wider than the kernel, or the CPU) it is
    /// computed in fp32 or in words, and is exact as well.
    #[test]
    fn any_kernel_is_exact(
        batch in 1_usize..4,
        channels in [1_usize..70, 1_usize..70],
        size in [1_usize..12, 1_usize..40],
        kernel in [1_usize..6, 1_usize..6],
        stride in prop::sample::select(vec![[1_usize, 1], [1, 1], [1, 1], [2, 1]]),
        padding in [0_usize..5, 0_usize..5],
        planes: bool,
        relu: bool,
        masked: bool,
    ) {
        let Ok(geometry) = ConvGeometry::new(batch, channels, size, kernel, stride, padding) else {
            return Ok(());
        };
        let mut case = Case::new(geometry);
        for values in [&mut case.input, &mut case.weight, &mut case.grad_output] {
            cut(values);
        }
        for context in contexts(2) {
            let context = context.with_algorithm(Algorithm::Direct);
            let found = case.run(&context, planes, relu, masked);
            case.compare(&found, relu, masked, [DIRECT_ERROR; 3])?;
        }
    }
}

/// Layers of several parts, the last of which is not a whole tile; layers that fill the buffered operands several times, and
/// in part; kernels wider than one copy.
#[test]
fn large_layers_are_exact() {
    let cases = [
        (pointwise(3, [33, 40], [37, 29]), false),
        (pointwise(1, [96, 96], [60, 57]), false),
        (square(35, [64, 64], 20, 3, 1), false),
        (square(2, [2, 17], 40, 17, 3), true),
        (square(1, [1, 16], 47, 33, 0), true),
    ];
    for (mut case, planes) in cases {
        for values in [&mut case.input, &mut case.weight, &mut case.grad_output] {
            cut(values);
        }
        for context in
            contexts(2).into_iter().map(|context| context.with_algorithm(Algorithm::Direct))
        {
            let found = case.run(&context, planes, true, true);
            case.compare(&found, true, true, [DIRECT_ERROR; 3]).unwrap();
        }
    }
}

#[test]
fn rounded_operands_stay_within_the_bound() {
    let cases = [
        pointwise(9, [96, 96], [7, 9]),
        pointwise(9, [33, 17], [7, 9]),
        pointwise(9, [384, 10], [7, 9]),
        square(9, [33, 40], 9, 3, 1),
        square(2, [17, 70], 12, 5, 2),
        square(9, [33, 40], 9, 2, 1),
        square(9, [17, 40], 9, 7, 3),
    ];
    let computed = contexts(2).iter().filter(|context| in_bf16(context, &cases[3])).count();
    assert!(computed > 0, "the portable tiles are always available");
    for case in &cases {
        for context in contexts(2).into_iter().filter(|context| in_bf16(context, case)) {
            let found = case.run(&context, false, true, true);
            case.compare(&found, true, true, [BF16_ERROR; 3]).unwrap();
            let exact = case.compare(&found, true, true, [FP32_ERROR; 3]);
            assert!(exact.is_err(), "{} computed in fp32", context.name());
        }
    }
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    from_a_worker(|| {
        for case in [pointwise(11, [33, 20], [9, 9]), square(11, [33, 20], 9, 3, 1)] {
            for isa in Isa::ALL {
                let context = |threads| {
                    Context::new(isa, threads)
                        .map(|context| context.with_precision(Precision::Bf16))
                };
                let Ok(one) = context(1) else { continue };
                let expected = all_bits(&case.run(&one, false, true, true));
                for threads in 2..=4 {
                    let found = case.run(&context(threads).unwrap(), false, true, true);
                    assert!(all_bits(&found) == expected, "{isa}, {threads} threads");
                }
            }
        }
    });
}

/// Without the instruction, in layers that do not fit its layout, and in Winograd's algorithm, nothing changes.
#[test]
fn all_else_is_fp32() {
    let strided = ConvGeometry::new(5, [20, 33], [8, 8], [1, 1], [2, 2], [0, 0]).unwrap();
    let wide_margin = square(2, [20, 33], 8, 3, 3);
    let cases = [
        square(5, [20, 33], 8, 3, 1),
        Case::new(strided),
        wide_margin,
        pointwise(3, [20, 33], [8, 8]),
    ];
    let mut compared = 0;
    for context in Isa::ALL.into_iter().filter_map(|isa| Context::new(isa, 2).ok()) {
        for case in &cases {
            for algorithm in [Algorithm::Direct, Algorithm::Winograd] {
                let context = context.clone().with_algorithm(algorithm);
                let asked = context.clone().with_precision(Precision::Bf16);
                if in_bf16(&asked, case) {
                    continue;
                }
                let expected = all_bits(&case.run(&context, false, true, true));
                let found = all_bits(&case.run(&asked, false, true, true));
                assert!(found == expected, "{}, {algorithm:?}", context.name());
                compared += 1;
            }
        }
    }
    assert!(compared >= 3 * Isa::ALL.len());
}

//! 1x1 layers with bf16 operands, on every instruction set that multiplies them.

use nin_kernels::{Algorithm, ConvGeometry, Cpu, Isa, Precision};
use proptest::prelude::*;

use crate::convolution::{Answers, Case, DIRECT_ERROR};
use crate::support::bits;

/// Each operand is rounded by 2^-9 of itself at most, a product by twice that.
const BF16_ERROR: f64 = 1.0 / 256.0;

/// Of the bound, what operands that lie anywhere between two bf16 use in the mean: a rounding of zero everywhere would
/// pass the bound above, and means that nothing was computed in bf16 at all.
const BF16_LEAST: f64 = 1.0 / 4096.0;

fn cpus(threads: usize) -> Vec<Cpu> {
    Isa::ALL
        .into_iter()
        .filter_map(|isa| Cpu::new(isa, threads).ok())
        .filter(Cpu::computes_in_bf16)
        .map(|cpu| cpu.with_precision(Precision::Bf16))
        .collect()
}

/// The nearest bf16 towards zero.
fn cut(values: &mut [f32]) {
    for value in values {
        *value = f32::from_bits(value.to_bits() & 0xFFFF_0000);
    }
}

fn pointwise(batch: usize, channels: [usize; 2], size: [usize; 2]) -> Case {
    Case::new(ConvGeometry::new(batch, channels, size, [1, 1], [1, 1], [0, 0]).unwrap())
}

fn all_bits(answers: &Answers) -> [Vec<u32>; 4] {
    [&answers.output, &answers.grad_input, &answers.grad_weight, &answers.grad_bias]
        .map(|values| bits(values))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Operands that are bf16 already leave nothing to round: what is left is fp32's error, and any pair that met the
    /// wrong partner shows. Sizes lie round lanes, panels, tiles and odd numbers of pixels.
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
        for cpu in cpus(2) {
            let found = case.run(&cpu, false, relu, true);
            case.compare(&found, relu, true, [DIRECT_ERROR; 3])?;
        }
    }
}

#[test]
fn rounded_operands_stay_within_the_bound() {
    for channels in [[96, 96], [33, 17], [384, 10]] {
        let case = pointwise(9, channels, [7, 9]);
        for cpu in cpus(2) {
            let found = case.run(&cpu, false, true, true);
            case.compare(&found, true, true, [BF16_ERROR; 3]).unwrap();
            let exact = case.compare(&found, true, true, [BF16_LEAST; 3]);
            assert!(exact.is_err(), "{} computed in fp32", cpu.name());
        }
    }
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    let case = pointwise(11, [33, 20], [9, 9]);
    for isa in Isa::ALL {
        let cpu = |threads| Cpu::new(isa, threads).map(|cpu| cpu.with_precision(Precision::Bf16));
        let Ok(one) = cpu(1) else { continue };
        let expected = all_bits(&case.run(&one, false, true, true));
        for threads in 2..=4 {
            let found = case.run(&cpu(threads).unwrap(), false, true, true);
            assert!(all_bits(&found) == expected, "{isa}, {threads} threads");
        }
    }
}

/// Where the CPU has no such instruction, in layers that are not 1x1, and in Winograd's, nothing changes.
#[test]
fn all_else_is_fp32() {
    let other = ConvGeometry::new(5, [20, 33], [8, 8], [3, 3], [1, 1], [1, 1]).unwrap();
    let strided = ConvGeometry::new(5, [20, 33], [8, 8], [1, 1], [2, 2], [0, 0]).unwrap();
    let cases = [
        (Case::new(other), true),
        (Case::new(strided), true),
        (pointwise(3, [20, 33], [8, 8]), false),
    ];
    for isa in Isa::ALL {
        let Ok(cpu) = Cpu::new(isa, 2) else { continue };
        for (case, always) in &cases {
            if !always && cpu.computes_in_bf16() {
                continue;
            }
            for algorithm in [Algorithm::Direct, Algorithm::Winograd] {
                let cpu = cpu.clone().with_algorithm(algorithm);
                let expected = all_bits(&case.run(&cpu, false, true, true));
                let asked = cpu.with_precision(Precision::Bf16);
                assert!(all_bits(&case.run(&asked, false, true, true)) == expected, "{isa}");
            }
        }
    }
}

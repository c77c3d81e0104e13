//! Results have the same bits for any number of threads, and depend on the instruction set by its roundings alone.

use nin_kernels::{Algorithm, Context, ConvGeometry, Isa};

use crate::convolution::{Answers, Case};
use crate::support::{bits, from_a_worker};

fn all_bits(answers: &Answers) -> [Vec<u32>; 4] {
    [&answers.output, &answers.grad_input, &answers.grad_weight, &answers.grad_bias]
        .map(|values| bits(values))
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    from_a_worker(|| {
        for (batch, channels, size, kernel, padding) in [
            (11, [33, 20], 9, 1, 0),
            (5, [20, 33], 8, 3, 1),
            (9, [16, 17], 10, 5, 2),
            // Chunks of images that threads compute alone, the last one smaller.
            (43, [20, 33], 12, 3, 1),
            (33, [20, 33], 12, 3, 1),
            (3, [16, 16], 6, 7, 3),
        ] {
            let geometry =
                ConvGeometry::new(batch, channels, [size; 2], [kernel; 2], [1; 2], [padding; 2])
                    .unwrap();
            let case = Case::new(geometry);
            for (isa, algorithm) in Isa::ALL
                .into_iter()
                .flat_map(|isa| [(isa, Algorithm::Direct), (isa, Algorithm::Winograd)])
            {
                let Ok(one) = Context::new(isa, 1).map(|context| context.with_algorithm(algorithm))
                else {
                    continue;
                };
                let expected = all_bits(&case.run(&one, false, true, true));
                for threads in 2..=4 {
                    let context = Context::new(isa, threads).unwrap().with_algorithm(algorithm);
                    // Twice: the second run reuses scratch memory.
                    for _ in 0..2 {
                        assert!(
                            all_bits(&case.run(&context, false, true, true)) == expected,
                            "{isa}, {threads} threads"
                        );
                    }
                }
            }
        }
    });
}

/// Every instruction set adds the products of a sum in the same order, on x86 and on ARM. What differs is whether it rounds
/// a product before adding it.
#[test]
fn the_same_bits_wherever_products_are_rounded_alike() {
    /// FNV-1a over the bits of all results. They change when the order of a sum does.
    const FUSED: u64 = 0xF034_8D04_4FC1_BB0D;
    const ROUNDED: u64 = 0xB921_ED24_585F_8F13;

    for isa in Isa::ALL {
        let Ok(context) = Context::new(isa, 1) else { continue };
        let is_portable = isa.name().starts_with("portable");
        let mut hash = 0xCBF2_9CE4_8422_2325_u64;
        for (algorithm, channels, kernel, padding) in [
            (Algorithm::Direct, [33, 20], 1, 0),
            (Algorithm::Direct, [5, 33], 3, 1),
            (Algorithm::Winograd, [20, 17], 3, 1),
            (Algorithm::Winograd, [16, 17], 5, 2),
        ] {
            let geometry =
                ConvGeometry::new(3, channels, [9; 2], [kernel; 2], [1; 2], [padding; 2]).unwrap();
            let context = context.clone().with_algorithm(algorithm);
            for planes in [false, true] {
                let answers = Case::new(geometry).run(&context, planes, true, true);
                for bits in all_bits(&answers).into_iter().flatten() {
                    hash = (hash ^ u64::from(bits)).wrapping_mul(0x100_0000_01B3);
                }
            }
        }
        let expected = if is_portable { ROUNDED } else { FUSED };
        assert_eq!(hash, expected, "{isa}: {hash:#x}");
    }
}

//! Results have the same bits for any number of threads.

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

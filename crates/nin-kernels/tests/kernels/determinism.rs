//! The same bits for any number of threads, and wherever the groups of a batch lie.

use nin_kernels::{Algorithm, ConvGeometry, Cpu, Isa};

use crate::convolution::{Answers, Case};
use crate::support::bits;

fn all_bits(answers: &Answers) -> [Vec<u32>; 4] {
    [&answers.output, &answers.grad_input, &answers.grad_weight, &answers.grad_bias]
        .map(|values| bits(values))
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
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
            let Ok(one) = Cpu::new(isa, 1).map(|cpu| cpu.with_algorithm(algorithm)) else {
                continue;
            };
            let expected = all_bits(&case.run(&one, false, true, true));
            for threads in 2..=4 {
                let cpu = Cpu::new(isa, threads).unwrap().with_algorithm(algorithm);
                // Twice: the second time the scratch memory has been used.
                for _ in 0..2 {
                    assert!(
                        all_bits(&case.run(&cpu, false, true, true)) == expected,
                        "{isa}, {threads} threads"
                    );
                }
            }
        }
    }
}

/// The values in pairs, pairs of pairs and so on.
fn tree(parts: &[Vec<f32>]) -> Vec<f32> {
    match parts {
        [part] => part.clone(),
        _ => {
            let (left, right) = parts.split_at(parts.len() / 2);
            tree(left).iter().zip(tree(right)).map(|(left, right)| left + right).collect()
        }
    }
}

/// So could as many processes compute it: each its group's images alone, and then the tree of what they have.
#[test]
fn a_batch_is_a_tree_of_its_groups() {
    const BATCH: usize = 8;
    let of_batch = |batch, kernel: usize| {
        let (kernel, padding) = ([kernel; 2], [kernel / 2; 2]);
        ConvGeometry::new(batch, [20, 33], [9, 13], kernel, [1; 2], padding).unwrap()
    };
    for isa in Isa::ALL {
        let Ok(cpu) = Cpu::new(isa, 2) else { continue };
        for (kernel, algorithm, groups) in [
            (1, Algorithm::Direct, 8),
            (3, Algorithm::Direct, 8),
            (3, Algorithm::Winograd, 4),
            (5, Algorithm::Winograd, 4),
        ] {
            let cpu = cpu.clone().with_algorithm(algorithm);
            let whole = Case::new(of_batch(BATCH, kernel));
            let of_group = |group: usize| {
                let mut case = Case::new(of_batch(BATCH / groups, kernel));
                let cut = |from: &[f32]| {
                    let len = from.len() / groups;
                    from[group * len..(group + 1) * len].to_vec()
                };
                case.input = cut(&whole.input);
                case.grad_output = cut(&whole.grad_output);
                case.run(&cpu, false, true, true)
            };
            let found = whole.run(&cpu, false, true, true);
            let parts: Vec<Answers> = (0..groups).map(of_group).collect();
            let weights: Vec<_> = parts.iter().map(|part| part.grad_weight.clone()).collect();
            let biases: Vec<_> = parts.iter().map(|part| part.grad_bias.clone()).collect();
            let name = format!("{isa}, {kernel}x{kernel}, {algorithm:?}");
            assert!(bits(&found.grad_weight) == bits(&tree(&weights)), "{name}: weight");
            assert!(bits(&found.grad_bias) == bits(&tree(&biases)), "{name}: bias");
        }
    }
}

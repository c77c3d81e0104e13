//! Instruction sets, random values and error bounds.

use nin_kernels::{Context, Isa};

/// Every instruction set that this machine has, each with so many threads.
pub(crate) fn contexts(threads: usize) -> Vec<Context> {
    let contexts: Vec<Context> =
        Isa::ALL.into_iter().filter_map(|isa| Context::new(isa, threads).ok()).collect();
    assert!(contexts.len() >= 2, "the portable ones are always there");
    contexts
}

/// Does the work in a pool of one thread. What that hands to a CPU's pool, it hands over by rayon's own atomics, which
/// ThreadSanitizer sees (`.ci/sanitizers`); from any other thread it goes by the standard library's mutex and condition
/// variable, which are not instrumented, so that every report would be of those.
pub(crate) fn from_a_worker(work: impl FnOnce() + Send) {
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(work);
}

/// Values in -1..1 from a counter-based generator.
pub(crate) fn random(seed: u64, len: usize) -> Vec<f32> {
    let value = |index: u64| {
        let mut bits = (index.wrapping_add(seed << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits >> 40) as f32 / (1_u64 << 23) as f32) - 1.0
    };
    (0..len as u64).map(value).collect()
}

/// The L2 norm of the difference, relative to that of `size`: the same sums over absolute values, so that a sum that
/// happens to cancel does not count for more.
pub(crate) fn error(found: &[f32], expected: &[f64], size: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let squares =
        |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
    let difference = squares(
        &mut found.iter().zip(expected).map(|(&found, &expected)| f64::from(found) - expected),
    );
    let size = squares(&mut size.iter().copied());
    if size == 0.0 { difference.sqrt() } else { (difference / size).sqrt() }
}

/// Absolute values.
pub(crate) fn absolute(values: &[f32]) -> Vec<f32> {
    values.iter().map(|value| value.abs()).collect()
}

/// The bits, for comparisons that admit no difference.
pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

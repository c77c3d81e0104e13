//! Instruction sets, random values and error bounds.

use nin_kernels::{Context, Isa};

/// Returns a context for every instruction set of this machine.
pub(crate) fn contexts(threads: usize) -> Vec<Context> {
    let contexts: Vec<Context> =
        Isa::ALL.into_iter().filter_map(|isa| Context::new(isa, threads).ok()).collect();
    assert!(contexts.len() >= 2, "the portable ones are always available");
    contexts
}

/// Does the work in a pool of one thread. From there, rayon hands work to the pool of a context by atomics, which
/// ThreadSanitizer sees (`.ci/sanitizers`). From any other thread it uses a mutex and a condition variable of the standard
/// library, which are not instrumented and cause false reports.
pub(crate) fn from_a_worker(work: impl FnOnce() + Send) {
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(work);
}

/// Returns values in -1..1 from a counter-based generator.
pub(crate) fn random(seed: u64, len: usize) -> Vec<f32> {
    let value = |index: u64| {
        let mut bits = (index.wrapping_add(seed << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits >> 40) as f32 / (1_u64 << 23) as f32) - 1.0
    };
    (0..len as u64).map(value).collect()
}

/// Returns the L2 norm of the difference, relative to that of `size`: the same sums over absolute values, so that sums
/// that cancel do not count for more.
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

/// Returns the absolute values.
pub(crate) fn absolute(values: &[f32]) -> Vec<f32> {
    values.iter().map(|value| value.abs()).collect()
}

/// Returns the bits, for exact comparisons.
pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

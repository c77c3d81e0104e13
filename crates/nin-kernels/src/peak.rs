//! The peak rate of the arithmetic units, to compare the kernels with.

use std::time::{Duration, Instant};

use crate::arch::{Operation, Vector};
use crate::context::Context;

/// Independent sums: more than the latency times the number of units of any x86 CPU, and no more than its registers.
const SUMS: usize = 12;

/// Independent sums where vectors have 4 lanes: ARM cores have up to four units with a latency of four cycles, and 32
/// registers.
const NARROW_SUMS: usize = 24;

/// Steps in a burst of some tens of microseconds.
const STEPS: usize = 1 << 14;

/// Multiply-accumulates that touch no memory.
struct MultiplyAdds {
    factor: f32,
}

impl Operation for MultiplyAdds {
    /// The number of floating-point operations, and a value that keeps the compiler from removing them.
    type Output = (u64, f32);

    #[inline(always)]
    unsafe fn run<V: Vector>(self) -> (u64, f32) {
        // SAFETY: as the caller's.
        unsafe {
            if V::LANES == 4 {
                multiply_add::<V, NARROW_SUMS>(self.factor)
            } else {
                multiply_add::<V, SUMS>(self.factor)
            }
        }
    }
}

/// Returns the output of [`MultiplyAdds`].
///
/// # Safety
/// The CPU has `V`.
#[inline(always)]
unsafe fn multiply_add<V: Vector, const SUMS: usize>(factor: f32) -> (u64, f32) {
    let mut lanes = [0.0; 16];
    // SAFETY: `lanes` holds a vector of any instruction set; the features by the caller.
    unsafe {
        let factor = V::splat(factor);
        let mut sums = [V::splat(1.0); SUMS];
        for _ in 0..STEPS {
            for sum in &mut sums {
                // NEON's `fmla` overwrites its sum. Elsewhere the product changes, so that it is not hoisted.
                *sum = if V::LANES == 4 {
                    factor.mul_add(factor, *sum)
                } else {
                    sum.mul_add(factor, factor)
                };
            }
        }
        let total = sums.into_iter().reduce(|total, sum| total.add(sum)).unwrap_or(factor);
        total.store(lanes.as_mut_ptr());
    }
    ((2 * STEPS * SUMS * V::LANES) as u64, lanes[0])
}

impl Context {
    /// Measures the floating-point operations per second that all threads reach together on registers alone.
    ///
    /// Takes about `duration`. Adds up the fastest of many short bursts of each thread, because other processes can only
    /// slow a burst down. A fused multiply-add counts as two operations.
    pub fn measure_peak_flops(&self, duration: Duration) -> f64 {
        let mut rates = vec![0.0; self.threads()];
        self.each(&mut rates, |rate| *rate = self.thread_peak_flops(duration));
        rates.iter().sum()
    }

    fn thread_peak_flops(&self, duration: Duration) -> f64 {
        let start = Instant::now();
        let mut best = 0.0_f64;
        while start.elapsed() < duration {
            let burst = Instant::now();
            // Opaque to the compiler, and too small to overflow.
            let (count, value) = self.run(MultiplyAdds { factor: std::hint::black_box(0.5) });
            std::hint::black_box(value);
            best = best.max(count as f64 / burst.elapsed().as_secs_f64());
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;

    #[test]
    fn the_peak_is_a_rate() {
        let peak =
            Context::new(Isa::Portable, 2).unwrap().measure_peak_flops(Duration::from_millis(5));
        assert!(peak.is_finite() && peak > 1e6);
    }
}

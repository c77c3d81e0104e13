//! The ReLU's mask on its own, for a gradient that nothing else has touched.

use super::Vector;
use crate::arch::Operation;
use crate::cpu::Cpu;

struct Masking<'a> {
    gradient: &'a [f32],
    gate: &'a [f32],
    gated: &'a mut [f32],
}

/// `gated = gradient` where `gate` is positive, 0 elsewhere. The slices are of one length, whole panels.
pub(crate) fn gate(cpu: &Cpu, gradient: &[f32], gate: &[f32], gated: &mut [f32]) {
    cpu.run(Masking { gradient, gate, gated });
}

impl Operation for Masking<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let inputs = self.gradient.chunks_exact(V::LANES).zip(self.gate.chunks_exact(V::LANES));
        for ((gradient, gate), gated) in inputs.zip(self.gated.chunks_exact_mut(V::LANES)) {
            // SAFETY: chunks of a vector's length; the features by the caller.
            unsafe {
                V::load(gradient.as_ptr())
                    .gated_by(V::load(gate.as_ptr()))
                    .store(gated.as_mut_ptr());
            }
        }
    }
}

//! The ReLU's mask on its own, for a gradient that nothing else has touched.

use super::Vector;
use crate::arch::Operation;
use crate::cpu::Cpu;

struct Masking<'a> {
    gradient: &'a [f32],
    gate: &'a [f32],
    gated: &'a mut [f32],
}

struct Leaking<'a> {
    masking: Masking<'a>,
    closed_slope: f32,
}

/// `gated = gradient` where `gate` is positive, `closed_slope * gradient` elsewhere. The slices are of one length, whole
/// panels.
pub(crate) fn gate(
    cpu: &Cpu,
    gradient: &[f32],
    gate: &[f32],
    closed_slope: f32,
    gated: &mut [f32],
) {
    let masking = Masking { gradient, gate, gated };
    if closed_slope == 0.0 {
        cpu.run(masking);
    } else {
        cpu.run(Leaking { masking, closed_slope });
    }
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

impl Operation for Leaking<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Masking { gradient, gate, gated } = self.masking;
        let inputs = gradient.chunks_exact(V::LANES).zip(gate.chunks_exact(V::LANES));
        for ((gradient, gate), gated) in inputs.zip(gated.chunks_exact_mut(V::LANES)) {
            // SAFETY: chunks of a vector's length; the features by the caller.
            unsafe {
                let gradient = V::load(gradient.as_ptr());
                let open = gradient.gated_by(V::load(gate.as_ptr()));
                // Exact where the gate is open: nothing is left of the difference.
                let closed = gradient.sub(open).mul(V::splat(self.closed_slope));
                open.add(closed).store(gated.as_mut_ptr());
            }
        }
    }
}

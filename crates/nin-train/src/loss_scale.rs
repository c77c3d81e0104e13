//! Loss scaling for training in f16 (Micikevicius et al., arXiv:1710.03740, section 3.2).
//!
//! Many gradients between layers are smaller than the smallest 16-bit float. So the loss is multiplied by a power of two before
//! the backward pass, and the gradients of the weights, which have 32 bits, are divided by it. If a gradient overflows, the step
//! is skipped and the factor halved; after many steps without, it is doubled. The numbers are those of PyTorch's `GradScaler`,
//! which has no largest and no smallest factor.

use nin_model::Precision;
use serde::{Deserialize, Serialize};

/// The largest exponent. The product of loss and factor stays far from the largest 32-bit float.
const LARGEST: u32 = 24;

/// Number of steps without overflow after which the factor is doubled.
const PERIOD: usize = 2000;

/// The factor on the loss, a power of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossScale {
    exponent: u32,
    /// Number of steps since the factor changed.
    steps: usize,
}

impl LossScale {
    /// The factor before the first step.
    const FIRST: Self = Self { exponent: 16, steps: 0 };

    /// Returns the first factor of a training in this precision; `None` if its gradients do not need one.
    pub(crate) fn of(precision: Precision) -> Option<Self> {
        (precision == Precision::F16).then_some(Self::FIRST)
    }

    /// Returns the factor.
    pub fn factor(self) -> f64 {
        f64::from(1_u32 << self.exponent.min(LARGEST))
    }

    /// Counts a step without overflow.
    pub(crate) fn step(&mut self) {
        self.steps += 1;
        if self.steps >= PERIOD {
            *self = Self { exponent: self.exponent.min(LARGEST - 1) + 1, steps: 0 };
        }
    }

    /// Halves the factor; returns `false` if it is one already, and scaling is not what overflows.
    pub(crate) fn shrink(&mut self) -> bool {
        let exponent = self.exponent.min(LARGEST).checked_sub(1);
        *self = Self { exponent: exponent.unwrap_or(0), steps: 0 };
        exponent.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_is_halved_at_an_overflow_and_doubled_after_many_steps() {
        let mut scale = LossScale::FIRST;
        assert_eq!(scale.factor(), 65_536.0);
        for _ in 0..PERIOD - 1 {
            scale.step();
        }
        assert_eq!(scale.factor(), 65_536.0);
        // An overflow starts the count again.
        assert!(scale.shrink());
        scale.step();
        assert_eq!(scale.factor(), 32_768.0);
        for _ in 1..PERIOD {
            scale.step();
        }
        assert_eq!(scale, LossScale::FIRST);
    }

    #[test]
    fn the_factor_stays_between_one_and_the_largest() {
        let mut scale = LossScale::FIRST;
        for _ in 0..16 {
            assert!(scale.shrink());
        }
        assert_eq!(scale.factor(), 1.0);
        assert!(!scale.shrink());
        for _ in 0..PERIOD * 40 {
            scale.step();
        }
        assert_eq!(scale.factor(), 16_777_216.0);
    }
}

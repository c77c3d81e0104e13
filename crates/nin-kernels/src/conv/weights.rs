//! The weights of a layer, and their packed forms.

use std::sync::{Arc, Mutex};

use super::choice::WeightCost;
use crate::lock::lock;
use crate::scratch::Scratch;

/// The order in which a kernel reads weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// For the direct algorithm, as `f32`.
    Fp32,
    /// For the direct algorithm, two bf16 in a word.
    Words,
    /// For the direct algorithm, in tiles of bf16.
    Tiles,
    /// Transformed by Winograd's algorithm.
    Winograd,
}

/// The packed weights of a layer that calls with equal weights share. An algorithm packs on first use.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    forms: [Mutex<Option<Arc<Scratch>>>; 4],
}

/// The weights of a layer, `[out, in, height, width]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LayerWeights<'a> {
    values: &'a [f32],
    kept: Option<&'a Kept>,
}

impl<'a> LayerWeights<'a> {
    /// Weights that every call packs anew: the next one may have others.
    pub(crate) fn new(values: &'a [f32]) -> Self {
        Self { values, kept: None }
    }

    /// Weights whose packed forms are kept. `kept` belongs to these weights, and to one context.
    pub(crate) fn with_kept(values: &'a [f32], kept: &'a Kept) -> Self {
        Self { values, kept: Some(kept) }
    }

    /// Returns what they cost before they are multiplied.
    pub(crate) fn cost(self) -> WeightCost {
        if self.kept.is_some() { WeightCost::Read } else { WeightCost::Transform }
    }

    /// Returns the packed weights, by `pack` unless they are kept.
    pub(crate) fn packed(self, form: Form, pack: impl FnOnce(&[f32]) -> Scratch) -> Arc<Scratch> {
        let Some(kept) = self.kept else { return Arc::new(pack(self.values)) };
        let slot = &kept.forms[form as usize];
        let found = lock(slot).clone();
        if let Some(packed) = found {
            return packed;
        }
        // Not under the lock: packing waits for other threads, which may wait for this lock.
        let packed = Arc::new(pack(self.values));
        Arc::clone(lock(slot).get_or_insert(packed))
    }
}

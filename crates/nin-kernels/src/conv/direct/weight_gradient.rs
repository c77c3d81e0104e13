//! The gradients of weight and bias, summed over the images of each group.

use crate::context::Context;
use crate::conv::format::Format;
use crate::conv::groups::group_size;
use crate::conv::lowering::Depth;
use crate::conv::operands::Layout;
use crate::conv::reduce::{sum_weight_gradient, tree_sum};
use crate::conv::{fp32, tiles, words};
use crate::geometry::ConvGeometry;
use crate::panels::PANEL;
use crate::scratch::Scratch;

/// The weight gradient of a layer, in the number format of the layer.
#[allow(clippy::large_enum_variant, reason = "there is one per layer, and it is never moved")]
pub(super) enum WeightGradient {
    Fp32(fp32::WeightGradient),
    Words(words::WeightGradient),
    Tiles(tiles::WeightGradient),
}

/// The sums of one group of images.
pub(crate) struct Sums<'a> {
    pub(super) weight: &'a mut [f32],
    pub(super) bias: &'a mut [f32],
    /// Whether the first product in fp32 or words, which overwrites the sums of the weight, is still to come. Products in tiles
    /// are formed later, so `pending` knows it for them.
    pub(super) is_fresh: bool,
    /// Operands in tiles that are not multiplied yet.
    pub(super) pending: Option<tiles::Pending>,
}

/// The sums of all groups.
pub(crate) struct GroupSums {
    weight: Scratch,
    bias: Scratch,
    weight_len: usize,
    bias_len: usize,
}

impl WeightGradient {
    pub(super) fn new(context: &Context, geometry: &ConvGeometry, layout: Layout) -> Self {
        match Format::of(context, geometry, layout) {
            Format::Fp32 => Self::Fp32(fp32::WeightGradient::new(geometry, layout)),
            Format::Words(arch) => Self::Words(words::WeightGradient::new(arch, geometry)),
            Format::Tiles(arch) => Self::Tiles(tiles::WeightGradient::new(arch, geometry, layout)),
        }
    }

    /// Returns the order of depths in the sums.
    fn depth(&self) -> Depth {
        match self {
            Self::Fp32(gradient) => gradient.depth(),
            Self::Words(gradient) => gradient.depth(),
            Self::Tiles(gradient) => gradient.depth(),
        }
    }

    /// Allocates the sums of all groups.
    pub(super) fn sums(&self, context: &Context, geometry: &ConvGeometry) -> GroupSums {
        let groups = geometry.batch.div_ceil(group_size(geometry.batch));
        let bias_len = geometry.out_panels() * PANEL;
        let weight_len = bias_len * self.depth().len();
        // The first products of a group overwrite its sums.
        let weight = context.scratch.take(groups * weight_len);
        let bias = context.scratch.take_zeroed(groups * bias_len);
        GroupSums { weight, bias, weight_len, bias_len }
    }

    /// Divides the sums into those of each group, in order.
    pub(super) fn groups<'s>(&self, context: &Context, sums: &'s mut GroupSums) -> Vec<Sums<'s>> {
        let pending = || match self {
            Self::Tiles(gradient) => Some(gradient.pending(context)),
            Self::Fp32(_) | Self::Words(_) => None,
        };
        let weights = sums.weight.chunks_exact_mut(sums.weight_len);
        weights
            .zip(sums.bias.chunks_exact_mut(sums.bias_len))
            .map(|(weight, bias)| Sums { weight, bias, is_fresh: true, pending: pending() })
            .collect()
    }

    /// Completes the sums of a group after its last image.
    pub(super) fn finish_group(&self, sums: &mut Sums) {
        if let (Self::Tiles(gradient), Some(pending)) = (self, &mut sums.pending) {
            gradient.flush(pending, sums.weight);
        }
    }

    /// Sums the groups into `grad_weight` and `grad_bias`.
    pub(super) fn finish(
        &self,
        context: &Context,
        sums: &GroupSums,
        grad_weight: &mut [f32],
        grad_bias: Option<&mut [f32]>,
    ) {
        let out_panels = sums.bias_len / PANEL;
        sum_weight_gradient(context, out_panels, self.depth(), &sums.weight, grad_weight);
        if let Some(grad_bias) = grad_bias {
            let parts: Vec<&[f32]> = sums.bias.chunks_exact(sums.bias_len).collect();
            tree_sum(&parts, 0, grad_bias);
        }
    }
}

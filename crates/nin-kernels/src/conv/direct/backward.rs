//! The backward pass: the gradients of weight, bias and, if requested, input.

use super::product::Product;
use super::weight_gradient::{GroupSums, Sums, WeightGradient};
use crate::arch::generic::Epilogue;
use crate::context::Context;
use crate::conv::groups::{group_size, group_slices};
use crate::conv::operands::{ConvBackward, Layout};
use crate::conv::pack::padded_bias;
use crate::conv::relu::relu_backward;
use crate::conv::words::Image;
use crate::geometry::ConvGeometry;
use crate::layout::image_to_planes;
use crate::scratch::Scratch;

/// The backward pass of a layer, for one image at a time.
pub(crate) struct Backward<'a> {
    context: &'a Context,
    geometry: &'a ConvGeometry,
    weight_gradient: WeightGradient,
    input_gradient: Option<InputGradient<'a>>,
}

/// The gradient of a layer's input.
struct InputGradient<'a> {
    context: &'a Context,
    geometry: &'a ConvGeometry,
    layout: Layout,
    product: Product,
    no_bias: Scratch,
    mask: bool,
}

impl InputGradient<'_> {
    /// Returns the epilogue of a gradient in panels: the mask by the ReLU whose output `image` is, in the number format of the
    /// product.
    fn epilogue<'i>(&self, image: &'i [f32]) -> Epilogue<'i> {
        if self.mask { Epilogue::Gate(image) } else { Epilogue::Store }
    }

    /// Computes the gradient of one image.
    fn image(&self, image: Image, gradient: &[f32], grad_input: &mut [f32]) {
        let Self { context, product, no_bias, .. } = self;
        match (self.layout, product, image) {
            (Layout::Panels, Product::Words(words), Image::Values(values)) if self.mask => {
                let mut gate = context.scratch.take(values.len() / 2);
                words.narrow(values, &mut gate);
                product.image(context, gradient, no_bias, Epilogue::Gate(&gate), grad_input);
            }
            (Layout::Panels, _, Image::Values(image) | Image::Words(image)) => {
                product.image(context, gradient, no_bias, self.epilogue(image), grad_input);
            }
            (Layout::Planes, _, Image::Values(image) | Image::Words(image)) => {
                let mut panels = context.scratch.take(self.geometry.in_image());
                product.image(context, gradient, no_bias, Epilogue::Store, &mut panels);
                image_to_planes(self.geometry.in_pixels(), &panels, grad_input);
                if self.mask {
                    for (gradient, &input) in grad_input.iter_mut().zip(image) {
                        *gradient = if input <= 0.0 { 0.0 } else { *gradient };
                    }
                }
            }
        }
    }
}

impl<'a> Backward<'a> {
    /// `mask` is [`ConvBackward::mask_grad_input`]; `None` skips the input gradient.
    pub(crate) fn new(
        context: &'a Context,
        geometry: &'a ConvGeometry,
        layout: Layout,
        weight: &[f32],
        mask: Option<bool>,
    ) -> Self {
        let input_gradient = mask.map(|mask| InputGradient {
            context,
            geometry,
            layout,
            product: Product::input_gradient(context, geometry, layout, weight),
            no_bias: padded_bias(context, geometry.in_panels(), None),
            mask,
        });
        let weight_gradient = WeightGradient::new(context, geometry, layout);
        Self { context, geometry, weight_gradient, input_gradient }
    }

    /// Allocates the sums of all groups.
    pub(crate) fn sums(&self) -> GroupSums {
        self.weight_gradient.sums(self.context, self.geometry)
    }

    /// Divides the sums into those of each group, in order.
    pub(crate) fn groups<'s>(&self, sums: &'s mut GroupSums) -> Vec<Sums<'s>> {
        self.weight_gradient.groups(self.context, sums)
    }

    /// Returns whether images may come in words.
    pub(crate) fn reads_words(&self) -> bool {
        matches!(self.weight_gradient, WeightGradient::Words(_)) && self.geometry.is_pointwise()
    }

    /// Adds the weight and bias gradients of one image to the sums of its group, and writes its input gradient.
    pub(crate) fn image(
        &self,
        image: Image,
        gradient: &[f32],
        sums: &mut Sums,
        grad_input: Option<&mut [f32]>,
    ) {
        let context = self.context;
        let Sums { weight, bias, is_fresh, pending } = sums;
        let sums = [&mut **weight, &mut **bias];
        let mut grad_input = self.input_gradient.as_ref().zip(grad_input);
        match (&self.weight_gradient, image, pending) {
            (WeightGradient::Words(layer), _, _) => {
                layer.add(context, (image, gradient), sums, std::mem::take(is_fresh));
            }
            (WeightGradient::Fp32(layer), Image::Values(image), _) => {
                layer.add(context, [image, gradient], sums, std::mem::take(is_fresh));
            }
            (WeightGradient::Tiles(layer), Image::Values(image), Some(pending)) => {
                let operands = [image, gradient];
                // Both products take a part of the gradient while its tiles are in L2.
                layer.add(context, operands, pending, sums, |part, filled| {
                    if let Some((layer, grad_input)) = &mut grad_input
                        && let Product::Tiles(product) = &layer.product
                    {
                        let (bias, epilogue) = (&layer.no_bias, layer.epilogue(image));
                        let gradient = (gradient, filled);
                        product.part(context, part, gradient, bias, epilogue, grad_input);
                    }
                });
            }
            (WeightGradient::Tiles(_), _, None) => {
                unreachable!("sums in tiles have operands pending")
            }
            (_, Image::Words(_), _) => unreachable!("only products of words read words"),
        }
        if let Some((layer, grad_input)) = grad_input
            && !matches!(layer.product, Product::Tiles(_))
        {
            layer.image(image, gradient, grad_input);
        }
    }

    /// Completes the sums of a group after its last image.
    pub(crate) fn finish_group(&self, sums: &mut Sums) {
        self.weight_gradient.finish_group(sums);
    }

    /// Sums the groups into the gradients of weight and bias.
    pub(crate) fn finish(
        &self,
        sums: &GroupSums,
        grad_weight: &mut [f32],
        grad_bias: Option<&mut [f32]>,
    ) {
        self.weight_gradient.finish(self.context, sums, grad_weight, grad_bias);
    }
}

pub(crate) fn backward(context: &Context, geometry: &ConvGeometry, work: ConvBackward) {
    let mask = work.grad_input.is_some().then_some(work.mask_grad_input);
    let layer = Backward::new(context, geometry, work.input.layout(), work.weight, mask);
    let mut sums = layer.sums();
    let images = work.input.values();
    let (image_len, out_image) = (images.len() / geometry.batch, geometry.out_image());
    let group = group_size(geometry.batch);
    let groups = layer.groups(&mut sums);
    let grad_inputs = group_slices(work.grad_input, group * image_len, groups.len());
    let (grad_output, output) = (work.grad_output, work.output);
    let parts = groups.into_iter().zip(grad_inputs).enumerate();
    let image_gradients = |index: usize, sums: &mut Sums, grad_input: Option<&mut [f32]>| {
        let image = &images[index * image_len..(index + 1) * image_len];
        let at = index * out_image..(index + 1) * out_image;
        let masked = output
            .map(|output| relu_backward(context, &grad_output[at.clone()], &output[at.clone()]));
        let gradient = masked.as_deref().unwrap_or(&grad_output[at]);
        layer.image(Image::Values(image), gradient, sums, grad_input);
    };
    context.each(parts, |(part, (mut sums, grad_input))| {
        let mut grad_images = grad_input.map(|images| images.chunks_exact_mut(image_len));
        for index in part * group..((part + 1) * group).min(geometry.batch) {
            image_gradients(index, &mut sums, grad_images.as_mut().and_then(Iterator::next));
        }
        layer.finish_group(&mut sums);
    });
    layer.finish(&sums, work.grad_weight, work.grad_bias);
}

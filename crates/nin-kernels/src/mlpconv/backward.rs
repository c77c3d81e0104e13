//! The backward pass of the block.

use super::geometry::MlpconvGeometry;
use super::operands::MlpconvBackward;
use crate::arch::generic::winograd::{F43, F45, Scheme};
use crate::context::Context;
use crate::conv::{
    Choice, ConvBackward, Image, Layout, WeightCost, choose, direct, group_size, group_slices,
    relu_backward, winograd,
};
use crate::pool;
use crate::scratch::Scratch;

/// The backward pass through the pooling and the two 1x1 layers.
struct Tail<'a> {
    context: &'a Context,
    geometry: &'a MlpconvGeometry,
    second: direct::Backward<'a>,
    third: direct::Backward<'a>,
    hidden: [&'a [f32]; 2],
    positions: &'a [u8],
    output: &'a [f32],
    grad_output: &'a [f32],
}

impl Tail<'_> {
    /// Returns the gradient of the third layer for one image, masked by its ReLU.
    fn third_gradient(&self, index: usize) -> Scratch {
        let len = self.output.len() / self.geometry.layers[0].batch;
        let at = index * len..(index + 1) * len;
        let (gradient, output) = (&self.grad_output[at.clone()], &self.output[at.clone()]);
        let Some(pool) = &self.geometry.pool else {
            return relu_backward(self.context, gradient, output);
        };
        let mut full = self.context.scratch.take(self.geometry.layers[2].out_image());
        pool::image_backward(self.context, pool, &self.positions[at], gradient, output, &mut full);
        full
    }

    /// Computes one image. `first` receives the gradient of the first layer, masked by its ReLU.
    fn image(&self, index: usize, [second_sums, third_sums]: &mut TailSums, first: &mut [f32]) {
        let gradient = self.third_gradient(index);
        let mut hidden_gradient = self.context.scratch.take(self.geometry.layers[1].out_image());
        let hidden = self.hidden_image(1, index);
        self.third.image(hidden, &gradient, third_sums, Some(&mut hidden_gradient));
        drop(gradient);
        let hidden = self.hidden_image(0, index);
        self.second.image(hidden, &hidden_gradient, second_sums, Some(first));
    }

    /// Returns the output of the first or the second layer for one image.
    fn hidden_image(&self, layer: usize, index: usize) -> Image<'_> {
        let hidden = self.hidden[layer];
        let len = hidden.len() / self.geometry.layers[0].batch;
        let hidden = &hidden[index * len..(index + 1) * len];
        if self.second.reads_words() { Image::Words(hidden) } else { Image::Values(hidden) }
    }

    /// Completes the sums of a group after its last image.
    fn finish_group(&self, [second, third]: &mut TailSums) {
        self.second.finish_group(second);
        self.third.finish_group(third);
    }
}

/// The sums of one group of images, of the second and the third layer.
type TailSums<'a> = [direct::Sums<'a>; 2];

pub(super) fn backward(context: &Context, geometry: &MlpconvGeometry, work: MlpconvBackward) {
    let [first, second, third] = &geometry.layers;
    let weight = work.weights.weight;
    let tail = Tail {
        context,
        geometry,
        second: direct::Backward::new(context, second, Layout::Panels, weight[1], Some(true)),
        third: direct::Backward::new(context, third, Layout::Panels, weight[2], Some(true)),
        hidden: work.hidden,
        positions: work.positions,
        output: work.output,
        grad_output: work.grad_output,
    };
    let [grad_weight_first, grad_weight_second, grad_weight_third] = work.grad_weight;
    let [grad_bias_first, grad_bias_second, grad_bias_third] = work.grad_bias;
    let (mut second_sums, mut third_sums) = (tail.second.sums(), tail.third.sums());
    let groups = tail.second.groups(&mut second_sums).into_iter();
    let groups = groups.zip(tail.third.groups(&mut third_sums)).map(<[_; 2]>::from).collect();
    let work = ConvBackward {
        input: work.input,
        weight: weight[0],
        grad_output: &[], // that of the tail
        output: None,
        grad_input: work.grad_input,
        mask_grad_input: false,
        grad_weight: grad_weight_first,
        grad_bias: grad_bias_first,
    };
    match choose(context, first, work.input.layout(), WeightCost::Transform) {
        Choice::Direct => image_by_image(&tail, groups, work),
        Choice::F43 => in_chunks::<F43>(&tail, groups, work),
        Choice::F45 => in_chunks::<F45>(&tail, groups, work),
    }
    tail.second.finish(&second_sums, grad_weight_second, grad_bias_second);
    tail.third.finish(&third_sums, grad_weight_third, grad_bias_third);
}

/// Computes the whole block image by image, with the first layer by the direct algorithm.
fn image_by_image(tail: &Tail, groups: Vec<TailSums>, work: ConvBackward) {
    let (context, first) = (tail.context, &tail.geometry.layers[0]);
    let (batch, group, image_len) = (first.batch, group_size(first.batch), first.out_image());
    let images = work.input.values();
    let in_image = images.len() / batch;
    let mask = work.grad_input.is_some().then_some(work.mask_grad_input);
    let layer = direct::Backward::new(context, first, work.input.layout(), work.weight, mask);
    let mut sums = layer.sums();
    let parts = layer.groups(&mut sums);
    let grad_inputs = group_slices(work.grad_input, group * in_image, parts.len());
    let groups = groups.into_iter().zip(parts).zip(grad_inputs).enumerate();
    context.each(groups, |(part, ((mut tail_sums, mut sums), mut grad_input))| {
        for index in part * group..((part + 1) * group).min(batch) {
            let mut gradient = context.scratch.take(image_len);
            tail.image(index, &mut tail_sums, &mut gradient);
            let image = &images[index * in_image..][..in_image];
            let at = (index - part * group) * in_image;
            let grad_input = grad_input.as_mut().map(|images| &mut images[at..at + in_image]);
            layer.image(Image::Values(image), &gradient, &mut sums, grad_input);
        }
        layer.finish_group(&mut sums);
        tail.finish_group(&mut tail_sums);
    });
    layer.finish(&sums, work.grad_weight, work.grad_bias);
}

/// The largest gradient of the first layer that is in memory at a time, unless threads need a larger one to share.
const ROUND_LEN: usize = (8 << 20) / size_of::<f32>();

/// Returns the number of images in a round: whole chunks and equally many groups for each thread, or all images.
fn round_size(chunk: usize, for_threads: usize, batch: usize, image_len: usize) -> usize {
    let fits = |size: usize| size * image_len <= ROUND_LEN;
    if fits(batch) {
        return batch;
    }
    let mut sizes = (chunk..batch).step_by(chunk).filter(|size| size.is_multiple_of(for_threads));
    let least = sizes.next().unwrap_or(batch);
    sizes.take_while(|size| fits(*size)).last().unwrap_or(least)
}

/// Computes the tail image by image, and after every few images the first layer in chunks by Winograd's algorithm.
fn in_chunks<S: Scheme>(tail: &Tail, mut groups: Vec<TailSums>, work: ConvBackward) {
    let (context, first) = (tail.context, &tail.geometry.layers[0]);
    let (batch, group, image_len) = (first.batch, group_size(first.batch), first.out_image());
    let mask = work.grad_input.is_some().then_some(work.mask_grad_input);
    let layer = winograd::Backward::<S>::new(context, first, work.weight, mask);
    let round = round_size(layer.round_unit(), context.threads() * group, batch, image_len);
    layer.run(work.input.values(), work, round, |images| {
        let mut gradient = context.scratch.take(images.len() * image_len);
        let groups = groups[images.start / group..].iter_mut();
        let parts = groups.zip(gradient.chunks_mut(group * image_len));
        context.each(images.step_by(group).zip(parts), |(start, (sums, gradients))| {
            for (index, gradient) in (start..).zip(gradients.chunks_exact_mut(image_len)) {
                tail.image(index, sums, gradient);
            }
            tail.finish_group(sums);
        });
        gradient
    });
}

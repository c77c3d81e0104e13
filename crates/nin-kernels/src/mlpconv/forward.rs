//! The forward pass of the block.

use super::geometry::MlpconvGeometry;
use super::operands::{MlpconvPacked, MlpconvSaved, MlpconvWeights};
use crate::arch::generic::winograd::{F43, F45, Scheme};
use crate::context::Context;
use crate::conv::{Choice, ConvInput, Layout, choose, direct, group_slices, winograd};
use crate::pool;

/// The two 1x1 layers and the pooling, for one image at a time.
struct Tail<'a> {
    context: &'a Context,
    geometry: &'a MlpconvGeometry,
    second: direct::Forward<'a>,
    third: direct::Forward<'a>,
}

/// What the tail writes for one image.
struct TailImage<'a> {
    hidden: Option<&'a mut [f32]>,
    positions: &'a mut [u8],
    output: &'a mut [f32],
}

impl Tail<'_> {
    fn image(&self, first: &[f32], work: &mut TailImage) {
        let [_, second, third] = &self.geometry.layers;
        let mut scratch =
            work.hidden.is_none().then(|| self.context.scratch.take(second.out_image()));
        let hidden = work.hidden.as_deref_mut().or(scratch.as_deref_mut()).unwrap_or(&mut []);
        self.second.image(first, hidden);
        let Some(pool) = &self.geometry.pool else {
            self.third.image(hidden, work.output);
            return;
        };
        let mut full = self.context.scratch.take(third.out_image());
        self.third.image(hidden, &mut full);
        pool::image_forward(self.context, pool, &full, work.output, work.positions);
    }
}

/// `weights` come with their packed forms if those are kept.
pub(crate) fn forward(
    context: &Context,
    geometry: &MlpconvGeometry,
    input: ConvInput,
    (weights, packed): (&MlpconvWeights, Option<&MlpconvPacked>),
    output: &mut [f32],
    saved: Option<MlpconvSaved>,
) {
    let [first, second, third] = &geometry.layers;
    let (weight, bias) = (weights.layers(packed), weights.bias);
    let tail = Tail {
        context,
        geometry,
        second: direct::Forward::new(context, second, Layout::Panels, weight[1], bias[1], true),
        third: direct::Forward::new(context, third, Layout::Panels, weight[2], bias[2], true),
    };
    let (batch, images) = (first.batch, input.values());
    let (hidden, positions) = match saved {
        Some(MlpconvSaved { hidden: [first, second], positions }) => {
            ([Some(first), Some(second)], positions)
        }
        None => ([None, None], Default::default()),
    };
    let [hidden_first, hidden_second] = hidden;
    let mut positions = positions.chunks_mut((geometry.positions_len() / batch).max(1));
    let mut tails: Vec<TailImage> = output
        .chunks_exact_mut(geometry.output_len() / batch)
        .zip(group_slices(hidden_second, second.out_image(), batch))
        .map(|(output, hidden)| TailImage {
            hidden,
            positions: positions.next().unwrap_or_default(),
            output,
        })
        .collect();
    match choose(context, first, input.layout(), weight[0].cost()) {
        Choice::F43 => {
            let layer = winograd::Forward::<F43>::new(context, first, weight[0], bias[0], true);
            winograd_first(geometry, &layer, images, hidden_first, &tail, &mut tails);
        }
        Choice::F45 => {
            let layer = winograd::Forward::<F45>::new(context, first, weight[0], bias[0], true);
            winograd_first(geometry, &layer, images, hidden_first, &tail, &mut tails);
        }
        Choice::Direct => {
            let layout = input.layout();
            let layer = direct::Forward::new(context, first, layout, weight[0], bias[0], true);
            let images = images.chunks_exact(images.len() / batch);
            let hidden = group_slices(hidden_first, first.out_image(), batch);
            context.each(
                tails.iter_mut().zip(images).zip(hidden),
                |((work, image), mut hidden)| {
                    let mut scratch =
                        hidden.is_none().then(|| context.scratch.take(first.out_image()));
                    let hidden =
                        hidden.as_deref_mut().or(scratch.as_deref_mut()).unwrap_or(&mut []);
                    layer.image(image, hidden);
                    tail.image(hidden, work);
                },
            );
        }
    }
}

/// The smallest number of images whose tails run in parallel, on up to as many threads.
const ROUND: usize = 8;

/// Runs the first layer chunk by chunk, and after every few chunks the tails of their images.
fn winograd_first<S: Scheme>(
    geometry: &MlpconvGeometry,
    layer: &winograd::Forward<S>,
    images: &[f32],
    hidden: Option<&mut [f32]>,
    tail: &Tail,
    tails: &mut [TailImage],
) {
    let first = &geometry.layers[0];
    let (in_image, out_image) = (first.in_image(), first.out_image());
    let (batch, chunk) = (first.batch, layer.chunk_size());
    let round = layer.round_size(ROUND);
    let hidden = group_slices(hidden, round * out_image, batch.div_ceil(round));
    let rounds = images.chunks(round * in_image).zip(tails.chunks_mut(round)).zip(hidden);
    layer.each_chunk(rounds, |context, ((images, tails), mut hidden)| {
        let len = tails.len() * out_image;
        let mut scratch = hidden.is_none().then(|| context.scratch.take(len));
        let hidden = hidden.as_deref_mut().or(scratch.as_deref_mut()).unwrap_or(&mut []);
        let chunks = hidden.chunks_mut(chunk * out_image);
        for (images, hidden) in images.chunks(chunk * in_image).zip(chunks) {
            layer.chunk(context, images, hidden);
        }
        let images = tails.iter_mut().zip(hidden.chunks_exact(out_image));
        context.each(images, |(work, hidden)| tail.image(hidden, work));
    });
}

//! The forward pass of the block.

use std::ops::{Deref, DerefMut};

use super::geometry::MlpconvGeometry;
use super::operands::{MlpconvPacked, MlpconvSaved, MlpconvWeights};
use crate::arch::generic::winograd::{F43, F45, Scheme};
use crate::context::Context;
use crate::conv::{Choice, ConvInput, Layout, choose, direct, group_slices, winograd};
use crate::pool;
use crate::scratch::Scratch;

/// The two 1x1 layers and the pooling, for one image at a time.
struct Tail<'a> {
    context: &'a Context,
    geometry: &'a MlpconvGeometry,
    second: direct::Forward<'a>,
    third: direct::Forward<'a>,
}

/// Where the output of a hidden layer is saved for the backward pass, if it is.
type Saved<'a> = Option<&'a mut [f32]>;

/// The output of a hidden layer.
enum Hidden<'a> {
    Saved(&'a mut [f32]),
    Scratch(Scratch),
}

impl<'a> Hidden<'a> {
    fn new(context: &Context, saved: &'a mut Saved, len: usize) -> Self {
        match saved {
            Some(saved) => Self::Saved(saved),
            None => Self::Scratch(context.scratch.take(len)),
        }
    }
}

impl Deref for Hidden<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match self {
            Self::Saved(values) => values,
            Self::Scratch(values) => values,
        }
    }
}

impl DerefMut for Hidden<'_> {
    fn deref_mut(&mut self) -> &mut [f32] {
        match self {
            Self::Saved(values) => values,
            Self::Scratch(values) => values,
        }
    }
}

/// What the tail writes for one image.
struct TailImage<'a> {
    /// The output of the first layer in words, if the second layer reads those.
    first: Saved<'a>,
    second: Saved<'a>,
    positions: &'a mut [u8],
    output: &'a mut [f32],
}

impl Tail<'_> {
    /// Computes one image from the output of the first layer.
    fn image(&self, first: &[f32], work: &mut TailImage) {
        let Some(pool) = &self.geometry.pool else {
            self.layers(first, [&mut work.first, &mut work.second], work.output);
            return;
        };
        let mut full = self.context.scratch.take(self.geometry.layers[2].out_image());
        self.layers(first, [&mut work.first, &mut work.second], &mut full);
        pool::image_forward(self.context, pool, &full, work.output, work.positions);
    }

    /// Computes the two layers.
    fn layers(&self, first: &[f32], saved: [&mut Saved; 2], output: &mut [f32]) {
        let [saved_first, saved_second] = saved;
        let len = self.geometry.layers[1].out_image();
        let in_words = self.second.in_words().zip(self.third.in_words());
        if let Some((second, third)) = in_words {
            let mut words = Hidden::new(self.context, saved_first, first.len() / 2);
            second.narrow(first, &mut words);
            let mut hidden = Hidden::new(self.context, saved_second, len / 2);
            second.words(&words, &mut hidden);
            third.values(&hidden, output);
            return;
        }
        let mut hidden = Hidden::new(self.context, saved_second, len);
        self.second.image(first, &mut hidden);
        self.third.image(&hidden, output);
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
    let in_words = tail.second.in_words().is_some();
    let (hidden_first, words_first) =
        if in_words { (None, hidden_first) } else { (hidden_first, None) };
    let [first_len, second_len] = geometry.hidden_len(context).map(|len| len / batch);
    let mut positions = positions.chunks_mut((geometry.positions_len() / batch).max(1));
    let mut tails: Vec<TailImage> = output
        .chunks_exact_mut(geometry.output_len() / batch)
        .zip(group_slices(words_first, first_len, batch))
        .zip(group_slices(hidden_second, second_len, batch))
        .map(|((output, first), second)| TailImage {
            first,
            second,
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
                    let mut hidden = Hidden::new(context, &mut hidden, first.out_image());
                    layer.image(image, &mut hidden);
                    tail.image(&hidden, work);
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
        let mut hidden = Hidden::new(context, &mut hidden, len);
        let chunks = hidden.chunks_mut(chunk * out_image);
        for (images, hidden) in images.chunks(chunk * in_image).zip(chunks) {
            layer.chunk(context, images, hidden);
        }
        let images = tails.iter_mut().zip(hidden.chunks_exact(out_image));
        context.each(images, |(work, hidden)| tail.image(hidden, work));
    });
}

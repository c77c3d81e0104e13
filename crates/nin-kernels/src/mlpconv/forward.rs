//! The block's forward pass.

use rayon::prelude::*;

use super::{MlpconvGeometry, MlpconvKept, MlpconvWeights};
use crate::arch::generic::winograd::{F43, F45, Scheme};
use crate::conv::{Choice, ConvInput, choose, direct, group_slices, winograd};
use crate::cpu::Cpu;
use crate::pool;

/// The two 1x1 layers and the pooling, ready for one image after another.
struct Tail<'a> {
    cpu: &'a Cpu,
    geometry: &'a MlpconvGeometry,
    second: direct::Forward<'a>,
    third: direct::Forward<'a>,
}

/// What one image's tail writes.
struct TailImage<'a> {
    hidden: Option<&'a mut [f32]>,
    positions: &'a mut [u8],
    output: &'a mut [f32],
}

impl Tail<'_> {
    fn image(&self, first: &[f32], work: &mut TailImage) {
        let [_, second, third] = &self.geometry.layers;
        let mut scratch = work.hidden.is_none().then(|| self.cpu.scratch.take(second.out_image()));
        let hidden = work.hidden.as_deref_mut().or(scratch.as_deref_mut()).unwrap_or(&mut []);
        self.second.image(first, hidden);
        let Some(pool) = &self.geometry.pool else {
            self.third.image(hidden, work.output);
            return;
        };
        let mut full = self.cpu.scratch.take(third.out_image());
        self.third.image(hidden, &mut full);
        pool::image_forward(self.cpu, pool, &full, work.output, work.positions);
    }
}

pub(super) fn forward(
    cpu: &Cpu,
    geometry: &MlpconvGeometry,
    input: ConvInput,
    weights: &MlpconvWeights,
    output: &mut [f32],
    kept: Option<MlpconvKept>,
) {
    let [first, second, third] = &geometry.layers;
    let (weight, bias) = (weights.weight, weights.bias);
    // All that a 1x1 layer asks of its input here is that it lies in panels.
    let panels = ConvInput::Panels(&[]);
    let tail = Tail {
        cpu,
        geometry,
        second: direct::Forward::new(cpu, second, panels, weight[1], bias[1], true),
        third: direct::Forward::new(cpu, third, panels, weight[2], bias[2], true),
    };
    let batch = first.batch;
    let (hidden, positions) = match kept {
        Some(MlpconvKept { hidden: [first, second], positions }) => {
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
    cpu.install(|| match (choose(cpu, first), input) {
        (Choice::F43, ConvInput::Panels(images)) => {
            let layer = winograd::Forward::<F43>::new(cpu, first, weight[0], bias[0], true);
            winograd_first(cpu, geometry, layer, images, hidden_first, &tail, &mut tails);
        }
        (Choice::F45, ConvInput::Panels(images)) => {
            let layer = winograd::Forward::<F45>::new(cpu, first, weight[0], bias[0], true);
            winograd_first(cpu, geometry, layer, images, hidden_first, &tail, &mut tails);
        }
        _ => {
            let layer = direct::Forward::new(cpu, first, input, weight[0], bias[0], true);
            let images = input.values().par_chunks_exact(input.values().len() / batch);
            let hidden = group_slices(hidden_first, first.out_image(), batch);
            tails.par_iter_mut().zip(images).zip(hidden).for_each(|((work, image), mut hidden)| {
                let mut scratch = hidden.is_none().then(|| cpu.scratch.take(first.out_image()));
                let hidden = hidden.as_deref_mut().or(scratch.as_deref_mut()).unwrap_or(&mut []);
                layer.image(image, hidden);
                tail.image(hidden, work);
            });
        }
    });
}

/// Images whose tails run side by side at least: as many threads as that can share them.
const ROUND: usize = 8;

/// The first layer chunk by chunk, and every few chunks their images' tails.
fn winograd_first<S: Scheme>(
    cpu: &Cpu,
    geometry: &MlpconvGeometry,
    mut layer: winograd::Forward<S>,
    images: &[f32],
    mut hidden: Option<&mut [f32]>,
    tail: &Tail,
    tails: &mut [TailImage],
) {
    let first = &geometry.layers[0];
    let (in_image, out_image) = (first.in_image(), first.out_image());
    let round = ROUND.next_multiple_of(layer.chunk_size());
    let mut scratch =
        hidden.is_none().then(|| cpu.scratch.take(round.min(first.batch) * out_image));
    for (index, (images, tails)) in
        images.chunks(round * in_image).zip(tails.chunks_mut(round)).enumerate()
    {
        let len = tails.len() * out_image;
        let hidden = match (&mut hidden, &mut scratch) {
            (Some(hidden), _) => &mut hidden[index * round * out_image..][..len],
            (None, Some(scratch)) => &mut scratch[..len],
            (None, None) => &mut [],
        };
        let chunks = hidden.chunks_mut(layer.chunk_size() * out_image);
        for (images, hidden) in images.chunks(layer.chunk_size() * in_image).zip(chunks) {
            layer.chunk(images, hidden);
        }
        tails
            .par_iter_mut()
            .zip(hidden.par_chunks_exact(out_image))
            .for_each(|(work, hidden)| tail.image(hidden, work));
    }
}

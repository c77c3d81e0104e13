//! A block of one image in strips of rows. A thread takes a strip through all layers and the pooling, in memory of its own,
//! so that it waits for the others once for each block, and reads only a few rows that they wrote.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use super::geometry::MlpconvGeometry;
use crate::arch::generic::{Epilogue, balanced};
use crate::context::Context;
use crate::conv::direct::Product;
use crate::conv::{Canvas, LayerWeights, Layout, Steps, padded_bias};
use crate::geometry::{ConvGeometry, PoolGeometry};
use crate::lock::lock;
use crate::panels::PANEL;
use crate::pool;
use crate::scratch::Scratch;
use crate::shared::Shared;
use crate::team::Step;

/// The weights and the bias of a layer.
pub(super) type Operands<'a> = (LayerWeights<'a>, Option<&'a [f32]>);

/// A layer of a strip.
#[derive(Debug)]
struct Layer {
    product: Product,
    bias: Scratch,
    output_len: usize,
}

impl Layer {
    fn new(
        context: &Context,
        geometry: &ConvGeometry,
        layout: Layout,
        (weight, bias): Operands,
    ) -> Self {
        Self {
            product: Product::forward(context, geometry, layout, weight),
            bias: padded_bias(context, geometry.out_panels(), bias),
            output_len: geometry.out_image(),
        }
    }
}

/// Rows of the output of a block, and what leads to them.
#[derive(Debug)]
struct Strip {
    rows: Range<usize>,
    /// Cuts the rows out of the input that the first layer reads.
    canvas: Canvas,
    layers: Vec<Layer>,
    pool: Option<PoolGeometry>,
    /// What a layer reads, and what it writes.
    memory: Mutex<[Scratch; 2]>,
}

/// The strips of a block.
#[derive(Debug)]
struct Strips {
    context: Context,
    list: Vec<Strip>,
    /// Of the block's output.
    size: [usize; 2],
    input: Arc<Shared>,
    output: Arc<Shared>,
}

impl Step for Strips {
    fn parts(&self) -> usize {
        self.list.len()
    }

    unsafe fn run(&self, part: usize) {
        let strip = &self.list[part];
        let mut memory = lock(&strip.memory);
        let [from, to] = &mut *memory;
        let (mut values, mut next): (&mut [f32], &mut [f32]) = (from, to);
        let mut len = strip.canvas.len();
        // SAFETY: nothing writes the input.
        strip.canvas.fill(unsafe { self.input.values() }, &mut values[..len]);
        for layer in &strip.layers {
            let (input, output) = (&values[..len], &mut next[..layer.output_len]);
            layer.product.image(&self.context, input, &layer.bias, Epilogue::Relu, output);
            len = layer.output_len;
            std::mem::swap(&mut values, &mut next);
        }
        if let Some(geometry) = &strip.pool {
            let (input, output) = (&values[..len], &mut next[..geometry.output_len()]);
            pool::image_forward(&self.context, geometry, input, output, &mut []);
            len = geometry.output_len();
            std::mem::swap(&mut values, &mut next);
        }
        let [height, width] = self.size;
        let (first, rows) = (strip.rows.start * width * PANEL, strip.rows.len() * width * PANEL);
        for (panel, values) in values[..len].chunks_exact(rows).enumerate() {
            // SAFETY: this step writes the output, each part its own rows.
            let output = unsafe { self.output.part(panel * height * width * PANEL + first, rows) };
            output.copy_from_slice(values);
        }
    }
}

/// The largest number of packed weights that every thread reads: more, and it pays that each reads a part of them.
const SHARED_WEIGHTS: usize = 96 << 10;

/// Returns whether the first layer of a block can be computed in strips, by the direct algorithm.
pub(super) fn suits_first(context: &Context, geometry: &MlpconvGeometry) -> bool {
    let first = &geometry.layers[0];
    // Without its padding, a 1x1 layer would be multiplied in another format.
    let keeps_format = first.is_pointwise() || first.kernel != [1, 1];
    keeps_format && context.tiles().is_none() && first.weight_len() <= SHARED_WEIGHTS
}

/// Returns whether the 1x1 layers and the pooling of a block can be computed in strips.
pub(super) fn suits_tail(context: &Context, geometry: &MlpconvGeometry) -> bool {
    let weights: usize = geometry.layers[1..].iter().map(ConvGeometry::weight_len).sum();
    let is_padded = geometry.pool.is_some_and(|pool| pool.padding[0] > 0);
    !is_padded && context.tiles().is_none() && weights <= SHARED_WEIGHTS
}

/// Appends a block to the steps of an image. Without operands of the first layer, that has been appended already.
pub(super) fn push_steps(
    steps: &mut Steps,
    geometry: &MlpconvGeometry,
    layout: Layout,
    first: Option<Operands>,
    tail: [Operands; 2],
) {
    let (context, [height, _]) = (steps.context(), geometry.output_size());
    // Of a pooling that rounds up, the last window is cut off: the last strip has fewer rows to compute.
    let lens: Vec<usize> =
        balanced(height, height.div_ceil(steps.threads())).map(|part| part.1).collect();
    let mut end = 0;
    let strips = lens.into_iter().rev().map(|len| {
        let rows = end..end + len;
        end = rows.end;
        strip(context, geometry, layout, rows, first, tail)
    });
    let (list, size) = (strips.collect(), geometry.output_size());
    steps.push(geometry.output_len(), |steps, input, output| {
        let context = steps.context().clone();
        Strips { context, list, size, input, output }
    });
}

/// Returns the strip of some rows of the output.
fn strip(
    context: &Context,
    geometry: &MlpconvGeometry,
    layout: Layout,
    rows: Range<usize>,
    first: Option<Operands>,
    [second, third]: [Operands; 2],
) -> Strip {
    let layers = &geometry.layers;
    let of_pool = |pool: &PoolGeometry| {
        let start = rows.start * pool.stride[0];
        let end = (rows.end - 1) * pool.stride[0] + pool.window[0];
        start..end.min(pool.input[0])
    };
    let pooled = geometry.pool.as_ref().map_or(rows.clone(), of_pool);
    let size = [pooled.len(), layers[0].output[1]];
    let pool = geometry.pool.map(|pool| PoolGeometry {
        input: size,
        output: [rows.len(), pool.output[1]],
        ..pool
    });
    let pointwise = |layer: &ConvGeometry| ConvGeometry { input: size, output: size, ..*layer };
    let hidden = || {
        let rows = (pooled.start as isize, pooled.len());
        Canvas::of_rows([layers[0].out_panels(), PANEL], layers[0].output, rows, 0)
    };
    let first = first.map(|operands| first_layer(context, &layers[0], layout, &pooled, operands));
    let (canvas, first) =
        first.map_or_else(|| (hidden(), None), |(canvas, layer)| (canvas, Some(layer)));
    let tail = [(&layers[1], second), (&layers[2], third)];
    let tail = tail
        .map(|(layer, operands)| Layer::new(context, &pointwise(layer), Layout::Panels, operands));
    let layers: Vec<Layer> = first.into_iter().chain(tail).collect();
    let lens = layers.iter().map(|layer| layer.output_len);
    let largest = lens.chain(pool.map(|pool| pool.output_len())).fold(canvas.len(), usize::max);
    let memory = Mutex::new([largest; 2].map(|len| context.scratch.take(len)));
    Strip { rows, canvas, layers, pool, memory }
}

/// Returns the input of some rows of the first layer's output, with its zeros around it, and the layer over it.
fn first_layer(
    context: &Context,
    geometry: &ConvGeometry,
    layout: Layout,
    rows: &Range<usize>,
    operands: Operands,
) -> (Canvas, Layer) {
    let start = (rows.start * geometry.stride[0]) as isize - geometry.padding[0] as isize;
    let len = (rows.len() - 1) * geometry.stride[0] + geometry.kernel[0];
    let planes = match layout {
        Layout::Panels => [geometry.in_panels(), PANEL],
        Layout::Planes => [geometry.in_channels, 1],
    };
    let canvas = Canvas::of_rows(planes, geometry.input, (start, len), geometry.padding[1]);
    let output = [rows.len(), geometry.output[1]];
    let layer = ConvGeometry { input: canvas.size(), output, padding: [0, 0], ..*geometry };
    (canvas, Layer::new(context, &layer, layout, operands))
}

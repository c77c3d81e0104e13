//! Convolutions with bf16 operands in tiles, summed in fp32: over panels those of stride one, over planes all.

use rayon::prelude::*;

use super::ConvInput;
use super::lowering::Depth;
use crate::arch::TilesArch;
use crate::arch::generic::{
    BLOCK_PIXELS, End, FillGrid, FillPatches, Grid, Patches, TILE_CHANNELS, TILE_LEN, TILE_WORDS,
    TileMultiply, TileOuter, TurnGrid, ZipGrid, evened,
};
use crate::cpu::Cpu;
use crate::geometry::ConvGeometry;
use crate::panels::{PANEL, panels_of};
use crate::precision::word;
use crate::scratch::Scratch;

/// What multiplies tiles, where a convolution is to be in bf16 and lies in tiles.
pub(crate) fn tiles(cpu: &Cpu, geometry: &ConvGeometry, input: ConvInput) -> Option<TilesArch> {
    let within = |axis: usize| geometry.padding[axis] < geometry.kernel[axis];
    let lies = match input {
        ConvInput::Panels(_) => geometry.stride == [1, 1] && within(0) && within(1),
        ConvInput::Planes(_) => true,
    };
    cpu.tiles().filter(|_| lies)
}

/// How a convolution's output walks over its input.
#[derive(Debug)]
struct Walk {
    /// The input, with its margins.
    input: Grid,
    /// The output, at the pitch of the input.
    places: Grid,
    /// Pixels from a place to what lies under each tap.
    taps: Vec<usize>,
}

impl Walk {
    /// Of a convolution of stride one; `margin` are the zeros on each side of the input.
    fn new(input: [usize; 2], kernel: [usize; 2], margin: [usize; 2], output: [usize; 2]) -> Self {
        let pitch = input[1] + 2 * margin[1];
        let last = |rows: usize, columns: usize| (rows - 1) * pitch + columns;
        let places = last(output[0], output[1]).next_multiple_of(BLOCK_PIXELS);
        let taps: Vec<usize> = (0..kernel[0])
            .flat_map(|row| (0..kernel[1]).map(move |column| row * pitch + column))
            .collect();
        let first = margin[0] * pitch + margin[1];
        let reach = places + last(kernel[0], kernel[1]) - 1;
        let len = reach.max(first + last(input[0], input[1])).next_multiple_of(BLOCK_PIXELS);
        Self {
            input: Grid { rows: input[0], columns: input[1], pitch, first, len },
            places: Grid { rows: output[0], columns: output[1], pitch, first: 0, len: places },
            taps,
        }
    }

    /// Over so many pixels with nothing between them.
    fn line(pixels: usize) -> Self {
        Self::new([1, pixels], [1, 1], [0, 0], [1, pixels])
    }

    /// Of a forward pass over panels.
    fn forward(geometry: &ConvGeometry) -> Self {
        if geometry.is_pointwise() {
            // One row: no margin lies between two rows, where places would be lost.
            return Self::line(geometry.in_pixels());
        }
        Self::new(geometry.input, geometry.kernel, geometry.padding, geometry.output)
    }

    /// Of the input's gradient: over that of the output, with the kernel turned round.
    fn backward(geometry: &ConvGeometry) -> Self {
        if geometry.is_pointwise() {
            return Self::forward(geometry);
        }
        let margin = [0, 1].map(|axis| geometry.kernel[axis] - 1 - geometry.padding[axis]);
        Self::new(geometry.output, geometry.kernel, margin, geometry.input)
    }
}

/// Panels in bf16, in a grid. `sums` receives every pixel, unrounded.
fn filled(
    cpu: &Cpu,
    tiles: TilesArch,
    grid: Grid,
    values: &[f32],
    sums: Option<&mut [f32]>,
) -> Scratch {
    let panels = values.len() / (grid.rows * grid.columns * PANEL);
    let mut words = cpu.scratch.take(panels.div_ceil(2) * grid.len * TILE_WORDS);
    let sums = sums.unwrap_or_default();
    tiles.run(FillGrid { grid, values, words: &mut words, sums });
    words
}

/// The input of a forward pass.
struct Input {
    tiles: TilesArch,
    walk: Walk,
    /// Where the input lies in planes: its patches are what is multiplied, as the channels of a 1x1 layer.
    patches: Option<Patches>,
    depth: Depth,
}

impl Input {
    /// Where the layer is to be in tiles.
    fn new(cpu: &Cpu, geometry: &ConvGeometry, input: ConvInput) -> Option<Self> {
        let tiles = tiles(cpu, geometry, input)?;
        let depth = |channels, kernel| Depth { channels, lanes: PANEL, kernel };
        let ConvInput::Planes(_) = input else {
            let depth = depth(geometry.in_channels, geometry.kernel);
            return Some(Self { tiles, walk: Walk::forward(geometry), patches: None, depth });
        };
        let patches = Patches {
            channels: geometry.in_channels,
            size: geometry.input,
            kernel: geometry.kernel,
            stride: geometry.stride,
            padding: geometry.padding,
            output: geometry.output,
        };
        let walk = Walk::line(geometry.out_pixels());
        let depth = depth(patches.depth(), [1, 1]);
        Some(Self { tiles, walk, patches: Some(patches), depth })
    }

    /// One image in a grid.
    fn fill(&self, cpu: &Cpu, image: &[f32]) -> Scratch {
        let Some(patches) = self.patches else {
            return filled(cpu, self.tiles, self.walk.input, image, None);
        };
        let blocks = patches.depth().div_ceil(TILE_CHANNELS);
        let mut words = cpu.scratch.take(blocks * self.walk.input.len * TILE_WORDS);
        self.tiles.run(FillPatches {
            patches,
            planes: image,
            canvas: &mut cpu.scratch.take(patches.canvas_words()),
            block: &mut cpu.scratch.take(patches.block_words()),
            words: &mut words,
        });
        words
    }
}

/// A layer's forward pass.
pub(crate) struct Forward {
    input: Input,
    product: Product,
}

impl Forward {
    /// Where the layer is to be in tiles.
    pub(crate) fn new(
        cpu: &Cpu,
        geometry: &ConvGeometry,
        input: ConvInput,
        weight: &[f32],
    ) -> Option<Self> {
        let input = Input::new(cpu, geometry, input)?;
        let Depth { channels, kernel, .. } = input.depth;
        let taps = kernel[0] * kernel[1];
        let value = |out, channel, tap| weight[(out * channels + channel) * taps + tap];
        let channels = [channels, geometry.out_channels];
        let product = Product::new(cpu, input.tiles, &input.walk, channels, value);
        Some(Self { input, product })
    }

    /// One image.
    pub(crate) fn image(
        &self,
        cpu: &Cpu,
        image: &[f32],
        bias: &[f32],
        end: End,
        output: &mut [f32],
    ) {
        self.product.run(&self.input.fill(cpu, image), bias, end, output);
    }
}

/// A layer's gradient of its input.
pub(crate) struct Backward {
    walk: Walk,
    product: Product,
}

impl Backward {
    /// Where the layer is to be in tiles; its input lies in panels.
    pub(crate) fn new(cpu: &Cpu, geometry: &ConvGeometry, weight: &[f32]) -> Option<Self> {
        let tiles = tiles(cpu, geometry, ConvInput::Panels(&[]))?;
        let taps = geometry.kernel[0] * geometry.kernel[1];
        let channels = [geometry.out_channels, geometry.in_channels];
        let value = |out, channel, tap| {
            weight[(channel * geometry.in_channels + out) * taps + taps - 1 - tap]
        };
        let walk = Walk::backward(geometry);
        let product = Product::new(cpu, tiles, &walk, channels, value);
        Some(Self { walk, product })
    }

    /// One image. `filled` is the gradient as [`Gradients::add`] has left it.
    pub(crate) fn image(
        &self,
        cpu: &Cpu,
        gradient: &[f32],
        filled_before: Option<&Filled>,
        bias: &[f32],
        end: End,
        grad_input: &mut [f32],
    ) {
        let before = filled_before.filter(|filled| filled.grid == self.walk.input);
        match before {
            Some(filled) => self.product.run(&filled.words, bias, end, grad_input),
            None => {
                let words = filled(cpu, self.product.tiles, self.walk.input, gradient, None);
                self.product.run(&words, bias, end, grad_input);
            }
        }
    }
}

/// What was filled, and how it lies.
pub(crate) struct Filled {
    grid: Grid,
    words: Scratch,
}

/// A grid times a layer's weights.
struct Product {
    tiles: TilesArch,
    places: Grid,
    /// Bytes from a place to each step's operand.
    offsets: Vec<usize>,
    packed: Scratch,
}

impl Product {
    /// `channels` are those that go in and those that come out; `weight` takes one of those that come out, one that goes
    /// in, and a tap.
    fn new(
        cpu: &Cpu,
        tiles: TilesArch,
        walk: &Walk,
        channels: [usize; 2],
        weight: impl Fn(usize, usize, usize) -> f32 + Sync,
    ) -> Self {
        let line = TILE_WORDS * size_of::<f32>();
        let offsets: Vec<usize> = (0..channels[0].div_ceil(TILE_CHANNELS))
            .flat_map(|block| walk.taps.iter().map(move |tap| (block, tap)))
            .map(|(block, tap)| (block * walk.input.len + tap) * line)
            .collect();
        let packed = pack(cpu, channels, walk.taps.len(), weight);
        Self { tiles, places: walk.places, offsets, packed }
    }

    /// One image.
    fn run(&self, grid: &[f32], bias: &[f32], end: End, output: &mut [f32]) {
        let Self { places, offsets, packed: weight, .. } = self;
        let places = *places;
        self.tiles.run(TileMultiply { grid, offsets, weight, bias, places, output, end });
    }
}

/// `[panels of what comes out][blocks of 32 that go in][taps][16 pairs of what goes in][16]` words.
fn pack(
    cpu: &Cpu,
    [inputs, outputs]: [usize; 2],
    taps: usize,
    weight: impl Fn(usize, usize, usize) -> f32 + Sync,
) -> Scratch {
    let per_panel = inputs.div_ceil(TILE_CHANNELS) * taps * TILE_LEN;
    let mut packed = cpu.scratch.take(panels_of(outputs) * per_panel);
    let value = |out: usize, channel: usize, tap: usize| {
        if out < outputs && channel < inputs { weight(out, channel, tap) } else { 0.0 }
    };
    let panels = packed.par_chunks_exact_mut(per_panel).enumerate();
    cpu.install(|| {
        panels.for_each(|(panel, packed)| {
            for (step, tile) in packed.chunks_exact_mut(TILE_LEN).enumerate() {
                let (block, tap) = (step / taps, step % taps);
                for (pair, words) in tile.chunks_exact_mut(PANEL).enumerate() {
                    let channel = block * TILE_CHANNELS + 2 * pair;
                    for (lane, entry) in words.iter_mut().enumerate() {
                        let out = panel * PANEL + lane;
                        *entry = word(value(out, channel, tap), value(out, channel + 1, tap));
                    }
                }
            }
        });
    });
    packed
}

/// Bytes of operands that wait for one another: so many stay in the second-level cache.
const PENDING_BYTES: usize = 1 << 20;

/// The gradients of a layer's weight and bias.
pub(crate) struct Gradients {
    input: Input,
    out_panels: usize,
    /// Images whose products are formed together: the sums, which are larger than an image's operands, are read and
    /// written once for all of them.
    images: usize,
}

/// The operands of a few images' products, as they are multiplied.
#[derive(Debug)]
pub(crate) struct Pending {
    input: Scratch,
    gradient: Scratch,
    images: usize,
    /// Nothing was added yet: the sums hold nothing.
    fresh: bool,
}

impl Gradients {
    /// Where the layer is to be in tiles.
    pub(crate) fn new(cpu: &Cpu, geometry: &ConvGeometry, input: ConvInput) -> Option<Self> {
        let input = Input::new(cpu, geometry, input)?;
        let out_panels = geometry.out_panels();
        let mut gradients = Self { input, out_panels, images: 1 };
        let words: usize = gradients.pending_words().iter().sum();
        gradients.images = (PENDING_BYTES / size_of::<f32>() / words).max(1);
        Some(gradients)
    }

    /// The order of the sums' depth.
    pub(crate) fn depth(&self) -> Depth {
        self.input.depth
    }

    fn in_panels(&self) -> usize {
        panels_of(self.input.depth.channels)
    }

    /// Words of both operands.
    fn pending_words(&self) -> [usize; 2] {
        let [input_row, gradient_row] = self.rows();
        [evened(self.in_panels()) * PANEL * input_row, evened(self.out_panels) * gradient_row]
    }

    /// Room for what waits.
    pub(crate) fn pending(&self, cpu: &Cpu) -> Pending {
        let [input, gradient] = self.pending_words().map(|words| cpu.scratch.take(words));
        Pending { input, gradient, images: 0, fresh: true }
    }

    /// Words from one channel to the next, and from one panel to the next, in what waits.
    fn rows(&self) -> [usize; 2] {
        let Walk { input, places, .. } = &self.input.walk;
        [self.images * input.len / 2, self.images * places.len / 2 * PANEL]
    }

    /// Adds one image's: the bias's at once, the weight's by the time of [`flush`](Self::flush). What `gradient` was filled
    /// into comes back.
    pub(crate) fn add(
        &self,
        cpu: &Cpu,
        image: &[f32],
        gradient: &[f32],
        pending: &mut Pending,
        [weight_sums, bias_sums]: [&mut [f32]; 2],
    ) -> Filled {
        let Input { tiles, walk, .. } = &self.input;
        let [input_row, gradient_row] = self.rows();
        let index = pending.images;
        let grid = self.input.fill(cpu, image);
        let (len, words) = (walk.input.len, &mut pending.input[..]);
        tiles.run(TurnGrid { grid: &grid, len, words, row: input_row, first: index * len / 2 });
        drop(grid);
        let grid = filled(cpu, *tiles, walk.places, gradient, Some(bias_sums));
        let (len, words) = (walk.places.len, &mut pending.gradient[..]);
        let first = index * len / 2 * PANEL;
        tiles.run(ZipGrid { grid: &grid, len, words, row: gradient_row, first });
        pending.images += 1;
        if pending.images == self.images {
            self.flush(pending, weight_sums);
        }
        Filled { grid: walk.places, words: grid }
    }

    /// Adds what waits to the sums of [`Outer`](crate::arch::generic::Outer), of which the first overwrites what they hold.
    pub(crate) fn flush(&self, pending: &mut Pending, sums: &mut [f32]) {
        if pending.images == 0 {
            return;
        }
        let [input_row, gradient_row] = self.rows();
        self.input.tiles.run(TileOuter {
            images: pending.images,
            input: &pending.input,
            input_row,
            input_len: self.input.walk.input.len,
            in_panels: self.in_panels(),
            taps: &self.input.walk.taps,
            gradient: &pending.gradient,
            gradient_row,
            places: self.input.walk.places.len,
            out_panels: self.out_panels,
            sums,
            overwrite: pending.fresh,
        });
        (pending.images, pending.fresh) = (0, false);
    }
}

//! Convolutions with bf16 operands in tiles, summed in fp32: over panels those of stride one, over planes all.

use rayon::prelude::*;

use super::ConvInput;
use super::lowering::Depth;
use crate::arch::TilesArch;
use crate::arch::generic::{
    BLOCK_PIXELS, End, FillGrid, FillPatches, Grid, Patches, TILE_CHANNELS, TILE_LEN, TILE_WORDS,
    TileMultiply, TileOuter, TurnGrid, ZipGrid, balanced, evened,
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
            return Self::line(largest_part(geometry));
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

/// Some pixels of an image: all, or a part of a 1x1 layer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    first: usize,
    /// None where it is all of them.
    count: Option<usize>,
}

/// Pixels of a 1x1 layer that pass through all that is done with them while they are in the second-level cache.
const PART_PIXELS: usize = 512;

impl Part {
    const ALL: Self = Self { first: 0, count: None };

    /// The parts of a layer's pixels.
    fn of(geometry: &ConvGeometry, patches: bool) -> Vec<Self> {
        if patches || !geometry.is_pointwise() {
            return vec![Self::ALL];
        }
        let parts = balanced(geometry.in_pixels(), PART_PIXELS);
        parts.map(|(first, count)| Self { first, count: Some(count) }).collect()
    }

    /// A grid of the largest part as one of this.
    fn of_grid(self, grid: Grid) -> Grid {
        Grid { columns: self.count.unwrap_or(grid.columns), ..grid }
    }
}

/// Pixels of the largest part of a 1x1 layer's.
fn largest_part(geometry: &ConvGeometry) -> usize {
    balanced(geometry.in_pixels(), PART_PIXELS).map(|(_, count)| count).max().unwrap_or(0)
}

/// Panels in bf16, in a grid. `sums` receives every pixel, unrounded.
fn filled(
    cpu: &Cpu,
    tiles: TilesArch,
    grid: Grid,
    part: Part,
    (image, panels): (&[f32], usize),
    sums: Option<&mut [f32]>,
) -> Filled {
    let grid = part.of_grid(grid);
    let mut words = cpu.scratch.take(panels.div_ceil(2) * grid.len * TILE_WORDS);
    tiles.run(FillGrid {
        grid,
        values: &image[part.first * PANEL..],
        plane: image.len() / panels,
        panels,
        words: &mut words,
        sums: sums.unwrap_or_default(),
    });
    Filled { grid, words }
}

/// The input of a forward pass.
struct Input {
    tiles: TilesArch,
    walk: Walk,
    /// Where the input lies in planes: its patches are what is multiplied, as the channels of a 1x1 layer.
    patches: Option<Patches>,
    depth: Depth,
    parts: Vec<Part>,
}

impl Input {
    /// Where the layer is to be in tiles.
    fn new(cpu: &Cpu, geometry: &ConvGeometry, input: ConvInput) -> Option<Self> {
        let tiles = tiles(cpu, geometry, input)?;
        let depth = |channels, kernel| Depth { channels, lanes: PANEL, kernel };
        let ConvInput::Planes(_) = input else {
            let depth = depth(geometry.in_channels, geometry.kernel);
            let parts = Part::of(geometry, false);
            return Some(Self {
                tiles,
                walk: Walk::forward(geometry),
                patches: None,
                depth,
                parts,
            });
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
        let parts = Part::of(geometry, true);
        Some(Self { tiles, walk, patches: Some(patches), depth, parts })
    }

    /// Part of an image in a grid.
    fn fill(&self, cpu: &Cpu, image: &[f32], part: Part) -> Scratch {
        let Some(patches) = self.patches else {
            let image = (image, panels_of(self.depth.channels));
            return filled(cpu, self.tiles, self.walk.input, part, image, None).words;
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
        for &part in &self.input.parts {
            let grid = self.input.fill(cpu, image, part);
            self.product.run(&grid, part, bias, end, output);
        }
    }
}

/// A layer's gradient of its input.
pub(crate) struct Backward {
    walk: Walk,
    out_panels: usize,
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
        Some(Self { walk, out_panels: geometry.out_panels(), product })
    }

    /// Part of one image. `before` is the gradient as [`Gradients::add`] has left it.
    pub(crate) fn part(
        &self,
        cpu: &Cpu,
        part: Part,
        (gradient, before): (&[f32], &Filled),
        bias: &[f32],
        end: End,
        grad_input: &mut [f32],
    ) {
        let grid = self.walk.input;
        if before.grid == part.of_grid(grid) {
            return self.product.run(&before.words, part, bias, end, grad_input);
        }
        let gradient = (gradient, self.out_panels);
        let filled = filled(cpu, self.product.tiles, grid, part, gradient, None);
        self.product.run(&filled.words, part, bias, end, grad_input);
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
    panels: usize,
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
        Self { tiles, places: walk.places, offsets, packed, panels: panels_of(channels[1]) }
    }

    /// Part of one image; `output` is all of it, and so is what `end` looks at.
    fn run(&self, grid: &[f32], part: Part, bias: &[f32], end: End, output: &mut [f32]) {
        let at = part.first * PANEL;
        self.tiles.run(TileMultiply {
            grid,
            offsets: &self.offsets,
            weight: &self.packed,
            bias,
            places: part.of_grid(self.places),
            plane: output.len() / self.panels,
            output: &mut output[at..],
            panels: self.panels,
            end: if let End::Gate(gate) = end { End::Gate(&gate[at..]) } else { end },
        });
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
const PENDING_BYTES: usize = 1 << 19;

/// The gradients of a layer's weight and bias.
pub(crate) struct Gradients {
    input: Input,
    out_panels: usize,
    /// Parts of images whose products are formed together: the sums, which are larger than a part's operands, are read
    /// and written once for all of them.
    parts_together: usize,
}

/// The operands of a few parts' products, as they are multiplied.
#[derive(Debug)]
pub(crate) struct Pending {
    input: Scratch,
    gradient: Scratch,
    parts: usize,
    /// Nothing was added yet: the sums hold nothing.
    fresh: bool,
}

impl Gradients {
    /// Where the layer is to be in tiles.
    pub(crate) fn new(cpu: &Cpu, geometry: &ConvGeometry, input: ConvInput) -> Option<Self> {
        let input = Input::new(cpu, geometry, input)?;
        let out_panels = geometry.out_panels();
        let mut gradients = Self { input, out_panels, parts_together: 1 };
        let words: usize = gradients.pending_words().iter().sum();
        gradients.parts_together = (PENDING_BYTES / size_of::<f32>() / words).max(1);
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
        Pending { input, gradient, parts: 0, fresh: true }
    }

    /// Words from one channel to the next, and from one panel to the next, in what waits.
    fn rows(&self) -> [usize; 2] {
        let Walk { input, places, .. } = &self.input.walk;
        [self.parts_together * input.len / 2, self.parts_together * places.len / 2 * PANEL]
    }

    /// The parts of an image, each of which is to be added.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.input.parts
    }

    /// Adds a part of one image's: the bias's at once, the weight's by the time of [`flush`](Self::flush). What `gradient` was filled
    /// into comes back.
    pub(crate) fn add(
        &self,
        cpu: &Cpu,
        part: Part,
        [image, gradient]: [&[f32]; 2],
        pending: &mut Pending,
        [weight_sums, bias_sums]: [&mut [f32]; 2],
    ) -> Filled {
        let Input { tiles, walk, .. } = &self.input;
        let [input_row, gradient_row] = self.rows();
        let index = pending.parts;
        let grid = self.input.fill(cpu, image, part);
        let (len, words) = (walk.input.len, &mut pending.input[..]);
        tiles.run(TurnGrid { grid: &grid, len, words, row: input_row, first: index * len / 2 });
        drop(grid);
        let gradient = (gradient, self.out_panels);
        let filled = filled(cpu, *tiles, walk.places, part, gradient, Some(bias_sums));
        let (len, words) = (walk.places.len, &mut pending.gradient[..]);
        let first = index * len / 2 * PANEL;
        tiles.run(ZipGrid { grid: &filled.words, len, words, row: gradient_row, first });
        pending.parts += 1;
        if pending.parts == self.parts_together {
            self.flush(pending, weight_sums);
        }
        filled
    }

    /// Adds what waits to the sums of [`Outer`](crate::arch::generic::Outer), of which the first overwrites what they hold.
    pub(crate) fn flush(&self, pending: &mut Pending, sums: &mut [f32]) {
        if pending.parts == 0 {
            return;
        }
        let [input_row, gradient_row] = self.rows();
        self.input.tiles.run(TileOuter {
            images: pending.parts,
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
        (pending.parts, pending.fresh) = (0, false);
    }
}

//! The forward pass of a layer on one image, as steps that threads share.

use std::sync::Arc;

use super::fp32;
use super::lowering::{Canvas, Lowering};
use super::region::Region;
use super::tiles;
use super::words;
use crate::arch::generic::{Epilogue, balanced};
use crate::context::Context;
use crate::panels::PANEL;
use crate::scratch::Scratch;
use crate::shared::Shared;
use crate::team::Step;

/// Copies an image onto a canvas.
#[derive(Debug)]
struct OnCanvas {
    canvas: Canvas,
    /// Ranges of panels.
    ranges: Vec<(usize, usize)>,
    image: Arc<Shared>,
    copy: Arc<Shared>,
}

impl Step for OnCanvas {
    fn parts(&self) -> usize {
        self.ranges.len()
    }

    unsafe fn run(&self, part: usize) {
        let (first, count) = self.ranges[part];
        let canvas = self.canvas.with_panels(count);
        let from = self.canvas.with_panels(first).source_len();
        // SAFETY: this step writes the copy, each part its own panels, and nothing writes the image.
        unsafe {
            let copy = self.copy.part(self.canvas.with_panels(first).len(), canvas.len());
            canvas.fill(&self.image.values()[from..], copy);
        }
    }
}

/// Rounds an image to words.
#[derive(Debug)]
struct ToWords {
    product: Arc<words::Product>,
    /// Ranges of pairs of pixels.
    ranges: Vec<(usize, usize)>,
    image: Arc<Shared>,
    words: Arc<Shared>,
}

impl Step for ToWords {
    fn parts(&self) -> usize {
        self.ranges.len()
    }

    unsafe fn run(&self, part: usize) {
        let (first, count) = self.ranges[part];
        // SAFETY: this step writes the words, each part its own, and nothing writes the image.
        unsafe {
            let image = self.image.values();
            let values = &image[first * 2 * PANEL..image.len().min((first + count) * 2 * PANEL)];
            self.product.narrow(values, self.words.part(first * PANEL, values.len() / 2));
        }
    }
}

/// The product of a layer.
#[derive(Debug)]
enum Product {
    Fp32(fp32::Product),
    Words(Arc<words::Product>),
}

impl Product {
    fn lowering(&self) -> &Lowering {
        match self {
            Self::Fp32(product) => &product.lowering,
            Self::Words(product) => &product.lowering,
        }
    }

    fn panels(&self) -> usize {
        match self {
            Self::Fp32(product) => product.panels,
            Self::Words(product) => product.panels,
        }
    }
}

/// Multiplies regions of an image, with bias and ReLU.
#[derive(Debug)]
struct ByRegion {
    context: Context,
    product: Product,
    regions: Vec<Region>,
    bias: Scratch,
    input: Arc<Shared>,
    output: Arc<Shared>,
}

impl Step for ByRegion {
    fn parts(&self) -> usize {
        self.regions.len()
    }

    unsafe fn run(&self, part: usize) {
        let region = &self.regions[part];
        // SAFETY: this step writes the output, each part its own region, and nothing writes the input.
        let (input, output) = unsafe {
            (self.input.values(), self.output.output(region.output(self.product.lowering())))
        };
        match &self.product {
            Product::Fp32(product) => {
                product.region(&self.context, input, &self.bias, Epilogue::Relu, (region, output));
            }
            Product::Words(product) => {
                product.region(input, &self.bias, Epilogue::Relu, (region, output));
            }
        }
    }
}

/// Multiplies a whole image in tiles, with bias and ReLU.
#[derive(Debug)]
struct InTiles {
    context: Context,
    product: tiles::Product,
    bias: Scratch,
    input: Arc<Shared>,
    output: Arc<Shared>,
}

impl Step for InTiles {
    fn parts(&self) -> usize {
        1
    }

    unsafe fn run(&self, _part: usize) {
        // SAFETY: the only part writes the output, and nothing writes the input.
        unsafe {
            let (image, output) = (self.input.values(), self.output.part(0, self.output.len()));
            self.product.image(&self.context, image, &self.bias, Epilogue::Relu, output);
        }
    }
}

/// Parts of a step for each thread, so that one that is late or slower takes fewer.
const PARTS_PER_THREAD: usize = 2;

/// The steps of an image, with the values between them.
pub(crate) struct Steps<'a> {
    context: &'a Context,
    threads: usize,
    /// About how many parts a step has.
    parts: usize,
    list: Vec<Box<dyn Step>>,
    /// The output of the last step.
    values: Arc<Shared>,
    /// What the last step reads, which the next one may overwrite.
    read: Option<Arc<Shared>>,
}

impl<'a> Steps<'a> {
    /// Starts from an image of `len` values, for a number of threads.
    pub(crate) fn new(context: &'a Context, len: usize, threads: usize) -> Self {
        let values = Arc::new(Shared::new(context.scratch.take(len)));
        let parts = if threads == 1 { 1 } else { threads * PARTS_PER_THREAD };
        Self { context, threads, parts, list: Vec::new(), values, read: None }
    }

    /// Returns the number of threads.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Returns the image, or the values that the last step writes.
    pub(crate) fn values(&self) -> Arc<Shared> {
        Arc::clone(&self.values)
    }

    pub(crate) fn context(&self) -> &'a Context {
        self.context
    }

    fn buffer(&self, len: usize) -> Arc<Shared> {
        let reused = self.read.as_ref().and_then(|read| read.with_len(len));
        Arc::new(reused.unwrap_or_else(|| Shared::new(self.context.scratch.take(len))))
    }

    /// Divides `0..total` into ranges for the parts of a step, as pairs of start and size.
    pub(crate) fn ranges(&self, total: usize) -> Vec<(usize, usize)> {
        balanced(total, total.div_ceil(self.parts)).collect()
    }

    /// Appends the step that `make` returns for the values so far and a buffer of `len` values, which it writes.
    pub(crate) fn push<S: Step + 'static>(
        &mut self,
        len: usize,
        make: impl FnOnce(&Self, Arc<Shared>, Arc<Shared>) -> S,
    ) {
        let output = self.buffer(len);
        let step = make(self, Arc::clone(&self.values), Arc::clone(&output));
        self.list.push(Box::new(step));
        self.read = Some(std::mem::replace(&mut self.values, output));
    }

    /// Returns the steps.
    pub(crate) fn finish(self) -> Vec<Box<dyn Step>> {
        self.list
    }

    /// Appends a copy onto the canvas of a layer, if it needs one.
    pub(super) fn push_canvas(&mut self, lowering: &Lowering) {
        if let Some(canvas) = lowering.canvas {
            self.push(canvas.len(), |steps, image, copy| {
                let ranges = steps.ranges(canvas.panels());
                OnCanvas { canvas, ranges, image, copy }
            });
        }
    }

    /// Divides an image into the regions of the parts of a step. `panels` are those of the output, and those of a block of
    /// packed weights.
    pub(super) fn regions(&self, lowering: &Lowering, panels: (usize, usize)) -> Vec<Region> {
        Region::divide(lowering, panels, self.parts)
    }

    pub(super) fn push_fp32(&mut self, product: fp32::Product, bias: Scratch, len: usize) {
        self.push_canvas(&product.lowering);
        self.push_regions(Product::Fp32(product), bias, len);
    }

    pub(super) fn push_words(&mut self, product: words::Product, bias: Scratch, len: usize) {
        let product = Arc::new(product);
        self.push(self.values.len() / 2, |steps, image, words| {
            let ranges = steps.ranges(image.len().div_ceil(2 * PANEL));
            ToWords { product: Arc::clone(&product), ranges, image, words }
        });
        self.push_canvas(&product.lowering);
        self.push_regions(Product::Words(product), bias, len);
    }

    pub(super) fn push_tiles(&mut self, product: tiles::Product, bias: Scratch, len: usize) {
        self.push(len, |steps, input, output| {
            let context = steps.context.clone();
            InTiles { context, product, bias, input, output }
        });
    }

    fn push_regions(&mut self, product: Product, bias: Scratch, len: usize) {
        self.push(len, |steps, input, output| {
            let panels = (product.panels(), steps.context.panels_per_block());
            let regions = steps.regions(product.lowering(), panels);
            let context = steps.context.clone();
            ByRegion { context, product, regions, bias, input, output }
        });
    }
}

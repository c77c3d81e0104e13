//! Inference: the blocks of a network in one call, with weights that are packed once.

use std::sync::{Arc, Mutex};

use crate::context::Context;
use crate::conv::{ConvInput, Layout, Steps};
use crate::error::{Error, expect_len};
use crate::geometry::ConvGeometry;
use crate::lock::lock;
use crate::mlpconv::{MlpconvGeometry, MlpconvPacked, MlpconvWeights, forward, push_steps};
use crate::shared::Shared;
use crate::team::Work;

/// The blocks of a network on a batch: the sizes of each, and its weights.
pub type InferenceBlock<'a> = (MlpconvGeometry, MlpconvWeights<'a>);

/// What inference keeps from call to call: packed weights, and for a single image the steps with their buffers.
#[derive(Debug)]
pub struct Inference {
    context: Context,
    packed: Vec<MlpconvPacked>,
    /// Taken during a call: one at the same time prepares its own.
    one: Mutex<Option<One>>,
}

/// The steps of a single image.
#[derive(Debug)]
struct One {
    geometries: Vec<MlpconvGeometry>,
    layout: Layout,
    image: Arc<Shared>,
    work: Arc<Work>,
    output: Arc<Shared>,
}

/// Multiply-accumulates that are worth another thread: ten to twenty microseconds.
const MACS_PER_THREAD: u64 = 2_000_000;

impl Inference {
    /// Prepares for a network of `blocks` blocks, whose weights are those of the first call.
    pub fn new(context: &Context, blocks: usize) -> Self {
        Self {
            context: context.clone(),
            packed: (0..blocks).map(|_| MlpconvPacked::default()).collect(),
            one: Mutex::new(None),
        }
    }

    /// Computes consecutive blocks: the input is that of the first, and the output that of the last.
    ///
    /// Weights are packed on first use, so every call passes the same. Sizes may differ. Threads share a single image, and
    /// otherwise take images of their own. The results have the bits of [`Context::mlpconv_forward`], block by block, unless
    /// kept weights make another algorithm faster.
    ///
    /// # Errors
    /// [`Error::Length`] where the number of blocks is another, a slice has the wrong length for the geometry, or the blocks
    /// do not follow one another.
    pub fn run(
        &self,
        blocks: &[InferenceBlock],
        input: ConvInput,
        output: &mut [f32],
    ) -> Result<(), Error> {
        expect_len("blocks", blocks.len(), self.packed.len())?;
        let mut len = input.values().len();
        for (index, (geometry, weights)) in blocks.iter().enumerate() {
            if index == 0 {
                weights.check(geometry, input)?;
            } else {
                expect_len("input", len, geometry.layers()[0].input_len())?;
                weights.check_lengths(geometry)?;
            }
            len = geometry.output_len();
        }
        expect_len("output", output.len(), len)?;
        match blocks {
            [] => output.copy_from_slice(input.values()),
            [(first, _), ..] if first.layers()[0].batch() == 1 => {
                self.run_one(blocks, input, output);
            }
            blocks => self.run_batch(blocks, input, output),
        }
        Ok(())
    }

    /// Computes a batch, block by block.
    fn run_batch(&self, blocks: &[InferenceBlock], input: ConvInput, output: &mut [f32]) {
        let context = &self.context;
        let mut values = None;
        for (index, ((geometry, weights), packed)) in blocks.iter().zip(&self.packed).enumerate() {
            let input = values.as_deref().map_or(input, ConvInput::Panels);
            if index + 1 == blocks.len() {
                return forward(context, geometry, input, (weights, Some(packed)), output, None);
            }
            let mut hidden = context.scratch.take(geometry.output_len());
            forward(context, geometry, input, (weights, Some(packed)), &mut hidden, None);
            values = Some(hidden);
        }
    }

    /// Computes one image, which threads share.
    fn run_one(&self, blocks: &[InferenceBlock], input: ConvInput, output: &mut [f32]) {
        let kept = lock(&self.one).take().filter(|one| one.is_for(blocks, input.layout()));
        let mut one = kept.unwrap_or_else(|| self.prepare_one(blocks, input));
        if let Some(work) = Arc::get_mut(&mut one.work) {
            work.restart();
        } else {
            // A thread was interrupted on its way out of the previous call.
            one = self.prepare_one(blocks, input);
        }
        // SAFETY: no thread has begun with the work.
        let image = unsafe { one.image.part(0, one.image.len()) };
        image.copy_from_slice(input.values());
        self.context.share(&one.work);
        one.work.wait_for_helpers();
        // SAFETY: all of the work is done.
        output.copy_from_slice(unsafe { one.output.values() });
        *lock(&self.one) = Some(one);
    }

    /// Prepares the steps of one image.
    fn prepare_one(&self, blocks: &[InferenceBlock], input: ConvInput) -> One {
        let context = &self.context;
        let layers = blocks.iter().flat_map(|(geometry, _)| geometry.layers());
        let macs: u64 = layers.map(ConvGeometry::macs).sum();
        let worth = usize::try_from(macs / MACS_PER_THREAD).unwrap_or(usize::MAX);
        let threads = worth.clamp(1, context.threads());
        let mut steps = Steps::new(context, input.values().len(), threads);
        let image = steps.values();
        let mut layout = input.layout();
        for (block, packed) in blocks.iter().zip(&self.packed) {
            push_steps(&mut steps, block, packed, layout);
            layout = Layout::Panels;
        }
        One {
            geometries: blocks.iter().map(|(geometry, _)| *geometry).collect(),
            layout: input.layout(),
            image,
            output: steps.values(),
            work: Arc::new(Work::new(steps.finish(), threads)),
        }
    }
}

impl One {
    fn is_for(&self, blocks: &[InferenceBlock], layout: Layout) -> bool {
        self.layout == layout
            && self.geometries.iter().eq(blocks.iter().map(|(geometry, _)| geometry))
    }
}

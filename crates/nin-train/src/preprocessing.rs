//! Fits a recipe's preprocessing to the training images.

use std::cell::RefCell;
use std::ops::Range;
use std::thread;

use burn::tensor::backend::Backend;
use burn::train::Interrupter;
use nin_data::{DataError, DataSet, OrderedLoader};
use nin_model::ModelMetadata;
use nin_preprocessing::{LARGEST_WHITENED, Normalization, Preprocessing, Whitening};

use crate::TrainError;
use crate::fine_tuning::StartingWeights;
use crate::recipe::{
    NormalizationRecipe, PreprocessingRecipe, Recipe, RecipeError, WhiteningRecipe,
};

/// Number of images per block while statistics are fitted. It must never change, because it sets the order of
/// summation and thereby the last bits of the result.
const BLOCK: usize = 256;

/// Checks that inputs of shape `[channels, height, width]` are small enough to whiten.
pub(crate) fn check(recipe: &Recipe, input: [usize; 3]) -> Result<(), TrainError> {
    let length: usize = input.iter().product();
    if recipe.preprocessing.whitening.is_none() || length <= LARGEST_WHITENED {
        return Ok(());
    }
    let [channels, height, width] = input;
    Err(TrainError::Recipe(RecipeError::Refused {
        key: "preprocessing.whitening".to_owned(),
        expected: format!(
            "false for inputs of more than {LARGEST_WHITENED} values ({channels}x{height}x{width} \
             are {length})"
        ),
        found: "true".to_owned(),
    }))
}

/// The training images, and what prepares them.
pub(crate) struct Source<'a, B: Backend> {
    pub(crate) data: &'a DataSet,
    /// Number of threads that prepare images; 0 counts as one.
    pub(crate) workers: usize,
    pub(crate) device: &'a B::Device,
    pub(crate) interrupter: &'a Interrupter,
}

/// Returns the preprocessing of a recipe, fitted to the training images.
pub(crate) fn fitted<B: Backend>(
    recipe: &PreprocessingRecipe,
    metadata: &ModelMetadata,
    start: Option<&StartingWeights>,
    source: &Source<'_, B>,
) -> Result<Preprocessing, TrainError> {
    let mut preprocessing = metadata.preprocessing.clone();
    if let (NormalizationRecipe::Weights, Some(start)) = (recipe.normalization, start) {
        return start.preprocessing(metadata);
    }
    if recipe.is_none() {
        return Ok(preprocessing);
    }
    let [channels, height, width] = metadata.input();
    // Both are fitted below.
    preprocessing.normalization = Normalization::None;
    preprocessing.whitening = None;
    preprocessing.normalization = match recipe.normalization {
        NormalizationRecipe::None | NormalizationRecipe::Weights => Normalization::None,
        NormalizationRecipe::Channels => {
            let plain = Blocks::new(source, &preprocessing);
            let fitted = Normalization::fit_channels(plain.iter(), channels, height * width);
            plain.finish()?;
            fitted
        }
        NormalizationRecipe::Contrast { scale } => Normalization::Contrast { scale: scale as f32 },
    };
    if let Some(WhiteningRecipe { bias }) = recipe.whitening {
        let normalized = Blocks::new(source, &preprocessing);
        let length = channels * height * width;
        let found = Whitening::fit(|| normalized.iter(), length, bias);
        normalized.finish()?;
        preprocessing.whitening = Some(found?);
    }
    Ok(preprocessing)
}

/// All training images in data set order, in blocks.
struct Blocks<'a, B: Backend> {
    loader: OrderedLoader<B>,
    source: &'a Source<'a, B>,
    failure: RefCell<Option<DataError>>,
}

impl<'a, B: Backend> Blocks<'a, B> {
    fn new(source: &'a Source<'a, B>, preprocessing: &Preprocessing) -> Self {
        let loader = OrderedLoader::in_order(source.data.train.clone(), BLOCK, source.device)
            .with_preprocessing(preprocessing.clone());
        Self { loader, source, failure: RefCell::new(None) }
    }

    /// Returns the blocks. They end early if an image cannot be loaded or the training is interrupted.
    fn iter(&self) -> impl Iterator<Item = Vec<f32>> {
        let count = self.loader.len();
        (0..count).step_by(BLOCK).map_while(move |from| {
            let values = self.block(from..count.min(from + BLOCK));
            values.map_err(|error| *self.failure.borrow_mut() = Some(error)).ok()
        })
    }

    fn block(&self, range: Range<usize>) -> Result<Vec<f32>, DataError> {
        if self.source.interrupter.should_stop() {
            return Err(DataError::Interrupted);
        }
        let indices: Vec<usize> = range.collect();
        let loader = &self.loader;
        let parts = thread::scope(|scope| {
            let shares = indices.chunks(indices.len().div_ceil(self.source.workers.max(1)));
            let parts: Vec<_> =
                shares.map(|share| scope.spawn(move || loader.values(share))).collect();
            let joined = parts.into_iter().map(|part| match part.join() {
                Ok(values) => values,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            joined.collect::<Result<Vec<_>, _>>()
        })?;
        Ok(parts.concat())
    }

    /// Returns the error that ended the blocks early.
    fn finish(&self) -> Result<(), DataError> {
        self.failure.borrow_mut().take().map_or(Ok(()), Err)
    }
}

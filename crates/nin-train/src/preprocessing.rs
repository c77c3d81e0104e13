//! A recipe's preprocessing, fitted to the training images.

use std::cell::RefCell;

use burn::data::dataloader::DataLoader;
use burn::tensor::backend::Backend;
use nin_data::{DataError, DataSet, OrderedLoader};
use nin_model::ModelMetadata;
use nin_preprocessing::{LARGEST_WHITENED, Normalization, Preprocessing, Whitening};

use crate::TrainError;
use crate::fine_tuning::StartingWeights;
use crate::recipe::{NormalizationKind, PreprocessingRecipe, Recipe, RecipeError};

/// Images that are prepared together while something is fitted; of no influence on the result but by
/// the order of its sums, and never changed for that.
const BLOCK: usize = 256;

/// That inputs of this shape can be preprocessed so.
pub(crate) fn check(recipe: &Recipe, input: [usize; 3]) -> Result<(), TrainError> {
    let length: usize = input.iter().product();
    if !recipe.preprocessing.whitening || length <= LARGEST_WHITENED {
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

/// The preprocessing of a recipe, fitted to the training images.
pub(crate) fn fitted<B: Backend>(
    recipe: &PreprocessingRecipe,
    data: &DataSet,
    metadata: &ModelMetadata,
    device: &B::Device,
    start: Option<&StartingWeights>,
) -> Result<Preprocessing, TrainError> {
    let mut preprocessing = metadata.preprocessing.clone();
    if let (NormalizationKind::Weights, Some(start)) = (recipe.normalization, start) {
        return start.preprocessing(metadata);
    }
    if recipe.is_none() {
        return Ok(preprocessing);
    }
    let [channels, height, width] = metadata.input();
    // Without what is fitted here.
    preprocessing.normalization = Normalization::None;
    preprocessing.whitening = None;
    let loader = |preprocessing: &Preprocessing| {
        OrderedLoader::<B>::in_order(data.train.clone(), BLOCK, device)
            .with_preprocessing(preprocessing.clone())
    };
    preprocessing.normalization = match recipe.normalization {
        NormalizationKind::None | NormalizationKind::Weights => Normalization::None,
        NormalizationKind::Channels => {
            let plain = Blocks::of(loader(&preprocessing));
            let fitted = Normalization::fit_channels(plain.iter(), channels, height * width);
            plain.finish()?;
            fitted
        }
        NormalizationKind::Contrast => {
            Normalization::Contrast { scale: recipe.contrast_scale as f32 }
        }
    };
    if recipe.whitening {
        let normalized = Blocks::of(loader(&preprocessing));
        let (length, bias) = (channels * height * width, recipe.whitening_bias);
        let found = Whitening::fit(|| normalized.iter(), length, bias);
        normalized.finish()?;
        preprocessing.whitening = Some(found?);
    }
    Ok(preprocessing)
}

/// All images of a loader, in the order of the data set, in blocks.
struct Blocks<B: Backend> {
    loader: OrderedLoader<B>,
    failure: RefCell<Option<DataError>>,
}

impl<B: Backend> Blocks<B> {
    fn of(loader: OrderedLoader<B>) -> Self {
        Self { loader, failure: RefCell::new(None) }
    }

    /// The blocks; they end early where an image cannot be had.
    fn iter(&self) -> impl Iterator<Item = Vec<f32>> {
        let count = self.loader.num_items();
        (0..count).step_by(BLOCK).map_while(move |from| {
            let indices: Vec<usize> = (from..count.min(from + BLOCK)).collect();
            let values = self.loader.values(&indices);
            values.map_err(|error| *self.failure.borrow_mut() = Some(error)).ok()
        })
    }

    /// That every block was there.
    fn finish(&self) -> Result<(), DataError> {
        self.failure.borrow_mut().take().map_or(Ok(()), Err)
    }
}

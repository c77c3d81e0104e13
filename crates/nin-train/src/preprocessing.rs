//! Preprocessing: fitted to the training images, and from a checkpoint into the loader.

use std::cell::RefCell;
use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::tensor::backend::Backend;
use nin_data::{
    DataError, DataSet, Fit, LARGEST_WHITENED, OrderedLoader, Transform, channel_statistics,
};
use nin_model::{ModelMetadata, Normalization, Preprocessing, Whitening};

use crate::TrainError;
use crate::fine_tuning::StartingWeights;
use crate::recipe::{NormalizationKind, PreprocessingRecipe, Recipe, RecipeError};

/// Images that are prepared together while something is fitted; of no influence on the result but by
/// the order of its sums, and never changed for that.
const BLOCK: usize = 256;

/// What becomes of images' values, as a network's file says it: for a loader, or for pictures from
/// outside.
pub fn transform(metadata: &ModelMetadata) -> Transform {
    let Preprocessing { normalization, whitening, .. } = &metadata.preprocessing;
    let transform = normalized(normalization);
    let whitening = whitening
        .as_ref()
        .and_then(|whitening| nin_data::Whitening::new(&whitening.mean, &whitening.matrix));
    match whitening {
        Some(whitening) => transform.then_whitening(Arc::new(whitening)),
        None => transform,
    }
}

/// How pictures are brought to the input's size, as a network's file says it.
pub fn fit(preprocessing: &Preprocessing) -> Fit {
    match preprocessing.fit {
        None | Some(nin_model::Fit::Stretch) => Fit::Stretch,
        Some(nin_model::Fit::Crop) => Fit::Crop,
        Some(nin_model::Fit::Pad) => Fit::Pad,
    }
}

fn normalized(normalization: &Normalization) -> Transform {
    match normalization {
        Normalization::None => Transform::none(),
        Normalization::Channels { mean, deviation } => {
            Transform::none().then_channels(mean.clone(), deviation.clone())
        }
        Normalization::Contrast { scale } => Transform::none().then_contrast(*scale),
    }
}

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
    let loader = |transform| {
        OrderedLoader::<B>::in_order(data.train.clone(), BLOCK, device)
            .with_size([height, width])
            .with_fit(fit(&metadata.preprocessing))
            .with_transform(transform)
    };
    preprocessing.normalization = match recipe.normalization {
        NormalizationKind::None | NormalizationKind::Weights => Normalization::None,
        NormalizationKind::Channels => {
            let plain = Blocks::of(loader(Transform::none()));
            let (mean, deviation) = channel_statistics(plain.iter(), channels, height * width);
            plain.finish()?;
            Normalization::Channels { mean, deviation }
        }
        NormalizationKind::Contrast => {
            Normalization::Contrast { scale: recipe.contrast_scale as f32 }
        }
    };
    if recipe.whitening {
        let normalized = Blocks::of(loader(normalized(&preprocessing.normalization)));
        let (length, bias) = (channels * height * width, recipe.whitening_bias);
        let found = nin_data::Whitening::fit(|| normalized.iter(), length, bias);
        normalized.finish()?;
        let found = found?;
        let (mean, matrix) = (found.mean().into(), found.matrix().into());
        preprocessing.whitening = Some(Whitening { bias, mean, matrix });
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

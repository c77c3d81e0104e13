//! Preprocessing: fitted to the training images, and from a checkpoint into the loader.

use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::tensor::backend::Backend;
use nin_data::{DataSet, LARGEST_WHITENED, OrderedLoader, Transform, channel_statistics};
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
            .with_transform(transform)
    };
    preprocessing.normalization = match recipe.normalization {
        NormalizationKind::None | NormalizationKind::Weights => Normalization::None,
        NormalizationKind::Channels => {
            let plain = loader(Transform::none());
            let (mean, deviation) = channel_statistics(blocks(&plain), channels, height * width);
            Normalization::Channels { mean, deviation }
        }
        NormalizationKind::Contrast => {
            Normalization::Contrast { scale: recipe.contrast_scale as f32 }
        }
    };
    if recipe.whitening {
        let normalized = loader(normalized(&preprocessing.normalization));
        let (length, bias) = (channels * height * width, recipe.whitening_bias);
        let found = nin_data::Whitening::fit(|| blocks(&normalized), length, bias)?;
        let (mean, matrix) = (found.mean().into(), found.matrix().into());
        preprocessing.whitening = Some(Whitening { bias, mean, matrix });
    }
    Ok(preprocessing)
}

/// All images of a loader, in the order of the data set.
fn blocks<B: Backend>(loader: &OrderedLoader<B>) -> impl Iterator<Item = Vec<f32>> {
    let count = loader.num_items();
    (0..count).step_by(BLOCK).map(move |from| {
        let indices: Vec<usize> = (from..count.min(from + BLOCK)).collect();
        loader.values(&indices)
    })
}

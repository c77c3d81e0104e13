//! What stays the same throughout an attempt.

use std::sync::Arc;

use burn::tensor::backend::AutodiffBackend;
use burn::train::Interrupter;
use nin_data::{BurnLoader, ImageDataset, OrderedLoader, Part};
use nin_model::ModelMetadata;
use nin_preprocessing::Preprocessing;

use crate::folder::RunFolder;
use crate::plan::Plan;
use crate::recipe::Recipe;

/// An attempt's recipe, data and place.
pub(crate) struct Job<B: AutodiffBackend> {
    /// The recipe, with the attempt's seed.
    pub(crate) recipe: Recipe,
    pub(crate) run: RunFolder,
    pub(crate) metadata: ModelMetadata,
    pub(crate) loaders: Loaders<B>,
    /// The part that is evaluated after each epoch.
    pub(crate) evaluated_on: Part,
    /// Pictures that were left out because they cannot be decoded.
    pub(crate) bad_pictures: usize,
    pub(crate) device: B::Device,
    pub(crate) interrupter: Interrupter,
}

/// The batches of a training. Clones share the data.
#[derive(Clone)]
pub(crate) struct Loaders<B: AutodiffBackend> {
    /// Training images, in another order each epoch.
    pub(crate) train: OrderedLoader<B>,
    /// Images that are evaluated after each epoch.
    pub(crate) evaluation: OrderedLoader<B::InnerBackend>,
    /// Images that the best checkpoint is tested on at the end; `None` where they chose that checkpoint.
    pub(crate) test: Option<OrderedLoader<B::InnerBackend>>,
}

impl<B: AutodiffBackend> Loaders<B> {
    pub(crate) fn new(
        plan: &Plan,
        recipe: &Recipe,
        preprocessing: &Preprocessing,
        device: &B::Device,
    ) -> Self {
        let Plan { data, workers, .. } = plan;
        let (batch_size, seed) = (recipe.training.batch_size, recipe.training.seed);
        let train = OrderedLoader::shuffled(data.train.clone(), batch_size, seed, device)
            .with_preprocessing(preprocessing.clone())
            .with_augmentation(recipe.augmentation.augmentation())
            .with_mixing(recipe.augmentation.mixing())
            .with_workers(*workers);
        let in_order = |images: &ImageDataset| {
            OrderedLoader::in_order(images.clone(), batch_size, device)
                .with_preprocessing(preprocessing.clone())
                .with_workers(*workers)
        };
        let evaluation = in_order(data.validation.as_ref().unwrap_or(&data.test));
        let test = data.is_tested_at_the_end().then(|| in_order(&data.test));
        Self { train, evaluation, test }
    }

    /// Returns the loaders that Burn's training asks for; the loop does not read from them.
    pub(crate) fn for_burn(&self) -> (Arc<BurnLoader<B>>, Arc<BurnLoader<B::InnerBackend>>) {
        let train = BurnLoader::new(self.train.clone());
        (Arc::new(train), Arc::new(BurnLoader::new(self.evaluation.clone())))
    }
}

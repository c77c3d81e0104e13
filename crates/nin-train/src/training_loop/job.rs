//! The constant part of an attempt.

use std::sync::Arc;

use burn::tensor::backend::AutodiffBackend;
use burn::train::Interrupter;
use nin_data::{BurnLoader, ImageDataset, OrderedLoader, Part};
use nin_model::ModelMetadata;
use nin_preprocessing::Preprocessing;

use crate::folder::RunFolder;
use crate::plan::Plan;
use crate::ranks::Ranks;
use crate::recipe::Recipe;

/// Recipe, data, run folder and device of an attempt.
pub(crate) struct Job<B: AutodiffBackend> {
    /// The recipe with the attempt's seed.
    pub(crate) recipe: Recipe,
    pub(crate) run: RunFolder,
    pub(crate) metadata: ModelMetadata,
    pub(crate) loaders: Loaders<B>,
    /// The part that each epoch is evaluated on.
    pub(crate) evaluated_on: Part,
    /// Number of pictures that were skipped because they cannot be decoded.
    pub(crate) bad_pictures: usize,
    pub(crate) device: B::Device,
    pub(crate) interrupter: Interrupter,
    /// The processes that train together.
    pub(crate) ranks: Ranks,
}

/// The data loaders of a training. Clones share the data.
#[derive(Clone)]
pub(crate) struct Loaders<B: AutodiffBackend> {
    /// Training images, shuffled in each epoch.
    pub(crate) train: OrderedLoader<B>,
    /// Images to evaluate each epoch on.
    pub(crate) evaluation: OrderedLoader<B::InnerBackend>,
    /// Images to test the best checkpoint on at the end; `None` if the test images choose that checkpoint.
    pub(crate) test: Option<OrderedLoader<B::InnerBackend>>,
}

impl<B: AutodiffBackend> Loaders<B> {
    pub(crate) fn new(
        plan: &Plan,
        recipe: &Recipe,
        preprocessing: &Preprocessing,
        device: &B::Device,
    ) -> Self {
        let Plan { data, workers, ranks, .. } = plan;
        let (batch_size, seed) = (recipe.training.batch_size, recipe.training.seed);
        let train = OrderedLoader::shuffled(data.train.clone(), batch_size, seed, device)
            .with_preprocessing(preprocessing.clone())
            .with_augmentation(recipe.augmentation.augmentation())
            .with_mixing(recipe.augmentation.mixing())
            .with_workers(*workers)
            .with_share(ranks.share());
        // An evaluation fits into the memory of one part of a training step.
        let evaluated_at_once = batch_size.div_ceil(recipe.training.micro_batches);
        let in_order = |images: &ImageDataset| {
            OrderedLoader::in_order(images.clone(), evaluated_at_once, device)
                .with_preprocessing(preprocessing.clone())
                .with_workers(*workers)
                .taking_turns(ranks.share())
        };
        let evaluation = in_order(data.validation.as_ref().unwrap_or(&data.test));
        let test = data.is_tested_at_the_end().then(|| in_order(&data.test));
        Self { train, evaluation, test }
    }

    /// Returns the loaders that Burn's training requires. The loop does not read from them.
    pub(crate) fn for_burn(&self) -> (Arc<BurnLoader<B>>, Arc<BurnLoader<B::InnerBackend>>) {
        let train = BurnLoader::new(self.train.clone());
        (Arc::new(train), Arc::new(BurnLoader::new(self.evaluation.clone())))
    }
}

//! The data loader: batches in an order that depends only on seed and epoch, with any number of workers, and without
//! dropping images.
//!
//! [`OrderedLoader`] has the settings, `plan` says what each batch of an epoch holds, `transform` makes its values,
//! `worker` prepares it ahead of time, and [`EpochBatches`] hands it out as tensors.

mod batches;
mod burn_loader;
mod ordered;
mod plan;
mod transform;
mod worker;

pub use batches::EpochBatches;
pub use burn_loader::BurnLoader;
pub use ordered::OrderedLoader;

//! The arguments of `find`.

use std::path::PathBuf;

use clap::Args;

use super::device::DeviceArguments;
use super::training::{ProgressChoice, TrainArguments};
use crate::output::Format;

/// `find`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli find --data photos
  nin-cli find --data photos --trials 16 --epochs 20
  nin-cli find --run runs/pictures-find --resume
  nin-cli train --data photos --config runs/pictures-find/found.toml

Searches learning rate, weight decay, dropout and epochs. All trials train for a share of the epochs;
the better half goes on to twice as many, until two train for all of them. The recipe itself is the
first trial and takes part to the end. Trials are compared on the validation images, or else on
training images held out; the test images are not used.")]
pub struct FindArguments {
    /// Built-in recipe or TOML file to start from [default: as in train]
    #[arg(long, value_name = "NAME-OR-FILE")]
    pub config: Option<String>,
    /// The backend and its threads.
    #[command(flatten)]
    pub device: DeviceArguments,
    /// Folder of pictures (one subfolder per class), or of MNIST or CIFAR files
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Data set name (data.dataset)
    #[arg(long, value_name = "NAME")]
    pub dataset: Option<String>,
    /// Number of trials, the recipe included
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(2..=256))]
    pub trials: u16,
    /// Folder of the search [default: runs/RECIPE-find; numbered if taken]
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    /// Resume the search in --run [default run: the last of runs/RECIPE-find]
    #[arg(long, conflicts_with_all = ["config", "dataset", "trials", "set", "epochs", "seed"])]
    pub resume: bool,
    /// Also write the found recipe to this file
    #[arg(long, value_name = "FILE.toml")]
    pub output: Option<PathBuf>,
    /// Override a recipe key, such as optimizer.momentum=0.9 (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Epochs of the longest trials (training.epochs)
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub epochs: Option<i64>,
    /// Seed of the trials' values and of each training (training.seed)
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<i64>,
    /// Decode pictures in every epoch instead of caching them on disk
    #[arg(long)]
    pub no_cache: bool,
    /// Data loader threads; 0 loads on the training thread
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(0..=256))]
    pub workers: u16,
    /// Progress display on stderr
    #[arg(long, value_enum, default_value = "auto", value_name = "STYLE")]
    pub progress: ProgressChoice,
    /// Format of the result on stdout
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub format: Format,
}

impl FindArguments {
    /// Returns the arguments of the trainings, which write no report of their own.
    pub fn training(&self) -> TrainArguments {
        TrainArguments {
            config: self.config.clone(),
            device: self.device.clone(),
            data: self.data.clone(),
            dataset: self.dataset.clone(),
            weights: None,
            run: self.run.clone(),
            resume: self.resume,
            set: self.set.clone(),
            epochs: self.epochs,
            batch_size: None,
            learning_rate: None,
            seed: self.seed,
            seeds: None,
            on_non_finite: None,
            on_collapse: None,
            no_cache: self.no_cache,
            workers: self.workers,
            verbose: false,
            progress: self.progress,
            tensorboard: false,
            no_report: true,
            format: self.format,
        }
    }
}

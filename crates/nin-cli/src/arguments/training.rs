//! The arguments of `train`, and of the commands on runs: `report` and `compare`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use nin_train::recipe::BuiltinRecipe;

use super::device::DeviceArguments;
use crate::output::Format;
use crate::pretrained::ModelSource;
use crate::seeds::Seeds;

/// `train`
#[derive(Debug, Args)]
#[command(
    after_help = train_help(),
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct TrainArguments {
    /// Built-in recipe or TOML file [default: quickstart, or pictures for a picture folder]
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
    /// Fine-tune a run or checkpoint folder, .safetensors or pretrained:NAME (model.weights)
    #[arg(long, value_name = "PATH", value_parser = parse_weights)]
    pub weights: Option<String>,
    /// Run folder [default: runs/RECIPE, with --seeds runs/RECIPE-seeds; numbered if taken]
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    /// Resume --run from its latest checkpoint [default run: the last of runs/RECIPE]
    #[arg(long)]
    pub resume: bool,
    /// Override a recipe key, such as optimizer.momentum=0.9 (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Epochs to train (training.epochs)
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub epochs: Option<i64>,
    /// Images per step (training.batch_size)
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub batch_size: Option<i64>,
    /// Base learning rate (optimizer.learning_rate)
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub learning_rate: Option<f64>,
    /// Seed of weights, image order and dropout (training.seed)
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<i64>,
    /// Train one run per seed: N for seeds 1 to N, or a list (3,7,42)
    #[arg(long, value_name = "N|LIST", conflicts_with = "seed")]
    pub seeds: Option<Seeds>,
    /// What to do when a loss or gradient is not finite (training.on_non_finite)
    #[arg(long, value_enum, value_name = "ACTION")]
    pub on_non_finite: Option<OnNonFiniteChoice>,
    /// What to do when a run collapses (training.on_collapse)
    #[arg(long, value_enum, value_name = "ACTION")]
    pub on_collapse: Option<OnCollapseChoice>,
    /// Decode pictures in every epoch instead of caching them on disk
    #[arg(long)]
    pub no_cache: bool,
    /// Data loader threads; 0 loads on the training thread
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(0..=256))]
    pub workers: u16,
    /// Print per-layer statistics of a data-dependent initialization
    #[arg(short, long)]
    pub verbose: bool,
    /// Progress display on stderr
    #[arg(long, value_enum, default_value = "auto", value_name = "STYLE")]
    pub progress: ProgressChoice,
    /// Also write TensorBoard event files to the run folder
    #[arg(long)]
    pub tensorboard: bool,
    /// Do not write report.html
    #[arg(long)]
    pub no_report: bool,
    /// Format of the result on stdout
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub format: Format,
}

/// The response to a step whose loss or gradient is not finite. The weights are not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnNonFiniteChoice {
    /// Stop training and keep the last checkpoint
    Stop,
    /// Skip the step; stop after a hundred in a row
    Skip,
}

/// The response to a run that is dead, or at the loss of a guess for two epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnCollapseChoice {
    /// Warn and continue
    Warn,
    /// Save the state and fail
    Stop,
    /// Restart with a seed derived from the run's, at most ten times
    Restart,
}

/// How training shows its progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressChoice {
    /// Bar on a terminal, plain lines elsewhere
    Auto,
    /// Progress bar
    Bar,
    /// Full-screen dashboard with curves
    Tui,
    /// Plain lines
    Plain,
    /// The events of metrics.jsonl, one JSON object per line
    Json,
    /// Warnings only
    None,
}

/// `report`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli report runs/quickstart
  nin-cli report runs/quickstart --open
  nin-cli report runs/own --data my-folder --output own.html --figures figures

The report is one self-contained file. The run may still be training; its files are only read.")]
pub struct ReportArguments {
    /// Run folder, or folder of runs from `train --seeds`
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Output file [default: report.html in the run folder]
    #[arg(long, value_name = "FILE.html")]
    pub output: Option<PathBuf>,
    /// Also write each figure as SVG to this folder
    #[arg(long, value_name = "DIR")]
    pub figures: Option<PathBuf>,
    /// Open the report in the browser
    #[arg(long)]
    pub open: bool,
    /// Data set folder, instead of the default locations
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The backend and its threads.
    #[command(flatten)]
    pub device: DeviceArguments,
}

/// `compare`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli compare runs/quickstart runs/quickstart-2
  nin-cli compare runs/d2l-fashion-mnist-96-seeds --output seeds.svg
  nin-cli compare runs/a runs/b --format json

A folder of runs, such as the output of `train --seeds`, is expanded to its runs. Runs may still be
training; compare only reads them. Median, lowest, highest and shares cover runs that have ended.")]
pub struct CompareArguments {
    /// Run folders, or folders of runs
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Write the curves of all runs to this file
    #[arg(long, value_name = "FILE.svg")]
    pub output: Option<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub format: Format,
}

/// Checks a path or the name of an embedded network.
fn parse_weights(text: &str) -> Result<String, String> {
    ModelSource::parse(text.into()).map(|_| text.to_owned())
}

fn train_help() -> String {
    let mut help = String::from(
        "Examples:
  nin-cli train
  nin-cli train --data photos
  nin-cli train --config d2l-fashion-mnist-96 --epochs 2 --seed 7
  nin-cli train --dataset mine --data my-folder --set data.input_size=0
  nin-cli train --weights pretrained:record-fashion-mnist --dataset mine --data my-folder
  nin-cli train --run runs/quickstart --resume
  nin-cli train --config d2l-fashion-mnist-96 --seeds 20

Built-in recipes:",
    );
    let longest = BuiltinRecipe::all().map(|recipe| recipe.name.len()).max().unwrap_or_default();
    help.extend(
        BuiltinRecipe::all()
            .map(|recipe| format!("\n  {:<longest$}  {}", recipe.name, recipe.summary())),
    );
    help
}

//! The arguments of `train`, and of what looks at runs: `report` and `compare`.

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
    /// A built-in recipe or a TOML file
    #[arg(long, value_name = "NAME-OR-FILE")]
    pub config: Option<String>,
    /// Where to compute.
    #[command(flatten)]
    pub device: DeviceArguments,
    /// A folder of pictures, one folder per class, or with MNIST-style or CIFAR files; no other place
    /// is searched then
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The data set's name (data.dataset)
    #[arg(long, value_name = "NAME")]
    pub dataset: Option<String>,
    /// Begin with the weights of a checkpoint (model.weights): a run folder, a checkpoint folder, a
    /// .safetensors file, or pretrained:NAME
    #[arg(long, value_name = "PATH", value_parser = parse_weights)]
    pub weights: Option<String>,
    /// The run's folder [default: runs/RECIPE, with --seeds runs/RECIPE-seeds; numbered where taken]
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    /// Go on from the latest checkpoint of the run; without --run, of the last of runs/RECIPE
    #[arg(long)]
    pub resume: bool,
    /// Override a key of the recipe, such as optimizer.momentum=0.9; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Passes over the training images (training.epochs)
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub epochs: Option<i64>,
    /// Images a step (training.batch_size)
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub batch_size: Option<i64>,
    /// The base learning rate (optimizer.learning_rate)
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub learning_rate: Option<f64>,
    /// From which weights, order and dropout are drawn (training.seed)
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<i64>,
    /// Train with each of these seeds, one run after the other: N means 1 to N, else a list (3,7,42)
    #[arg(long, value_name = "N|LIST", conflicts_with = "seed")]
    pub seeds: Option<Seeds>,
    /// A step whose loss or gradient is no number stops the training, or is dropped
    /// (training.on_non_finite)
    #[arg(long, value_enum, value_name = "WHAT")]
    pub on_non_finite: Option<OnNonFiniteChoice>,
    /// A run that the sentinel gives up goes on, ends there, or begins again with another seed
    /// (training.on_collapse)
    #[arg(long, value_enum, value_name = "WHAT")]
    pub on_collapse: Option<OnCollapseChoice>,
    /// Decode pictures each epoch instead of keeping them decoded on disk
    #[arg(long)]
    pub no_cache: bool,
    /// Threads that prepare batches beside the step; 0 prepares them in between
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(0..=256))]
    pub workers: u16,
    /// Also say what the initialisation found, layer by layer, where it follows the data
    #[arg(short, long)]
    pub verbose: bool,
    /// How progress is shown on stderr
    #[arg(long, value_enum, default_value = "auto", value_name = "HOW")]
    pub progress: ProgressChoice,
    /// Also write TensorBoard's event files, into the run's folder
    #[arg(long)]
    pub tensorboard: bool,
    /// Write no report.html at the end
    #[arg(long)]
    pub no_report: bool,
    /// What is printed at the end: the book's two lines (behind the table of --seeds), or JSON
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub format: Format,
}

/// What becomes of a step whose loss or gradient is no number; the weights are not touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnNonFiniteChoice {
    /// The training stops; the last checkpoint stays as it is
    Stop,
    /// The step is dropped; a hundred in a row stop the training
    Skip,
}

/// What becomes of a run that is dead, or on a plateau at the loss of a guess for two epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnCollapseChoice {
    /// The training goes on, with a warning
    Warn,
    /// The state is saved, and the training fails
    Stop,
    /// The run begins again with a seed drawn from its own, ten times at most
    Restart,
}

/// How a training shows where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressChoice {
    /// A bar on a terminal, plain lines elsewhere
    Auto,
    /// A progress bar
    Bar,
    /// A dashboard of the whole terminal, with curves
    Tui,
    /// A line now and then
    Plain,
    /// A JSON object a line: the events of metrics.jsonl
    Json,
    /// Nothing but warnings
    None,
}

/// `report`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli report runs/quickstart
  nin-cli report runs/quickstart --open
  nin-cli report runs/own --data my-folder --output own.html --figures figures

The file needs no other and no network. The run may be going on: nothing in it is touched.")]
pub struct ReportArguments {
    /// The run's folder, or the folder of runs that `train --seeds` left
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// The file to write [default: report.html in the run's folder]
    #[arg(long, value_name = "FILE.html")]
    pub output: Option<PathBuf>,
    /// Also write every figure as SVG into this folder
    #[arg(long, value_name = "DIR")]
    pub figures: Option<PathBuf>,
    /// Open the page in the browser
    #[arg(long)]
    pub open: bool,
    /// The folder of the data set; no other place is searched then
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where to compute.
    #[command(flatten)]
    pub device: DeviceArguments,
}

/// `compare`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli compare runs/quickstart runs/quickstart-2
  nin-cli compare runs/d2l-fashion-mnist-96-seeds --output seeds.svg
  nin-cli compare runs/a runs/b --format json

A folder of runs, such as `train --seeds` leaves, counts as its runs. Runs may be going on: nothing
in them is touched. Median, lowest, highest and shares are over runs that have ended.")]
pub struct CompareArguments {
    /// Runs' folders, or folders of runs
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Draw the curves of all of them into this file
    #[arg(long, value_name = "FILE.svg")]
    pub output: Option<PathBuf>,
    /// How to print
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

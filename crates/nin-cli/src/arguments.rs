//! The command line, parsed in one place into plain data.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use nin_train::recipe::BuiltinRecipe;

use crate::backend::{BackendChoice, default_threads};
use crate::output::Format;
use crate::pictures::Invert;
use crate::pretrained::{ModelSource, PRETRAINED_DEFAULT};
use crate::seeds::Seeds;

/// Trains, evaluates and inspects Network in Network (NiN) image classifiers.
#[derive(Debug, Parser)]
#[command(
    name = "nin-cli",
    version,
    propagate_version = true,
    after_help = "Examples:
  nin-cli train                                   train on the embedded sample, in a minute or two
  nin-cli train --config d2l-fashion-mnist-96     the book's recipe, sized for a CPU
  nin-cli eval --checkpoint runs/quickstart       how good it became
  nin-cli predict shirt.jpg                       what a network that comes along sees in it
  nin-cli shapes --config d2l                     each layer's output shape"
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a network by a recipe; without any option, the quick start on the embedded sample
    Train(TrainArguments),
    /// Evaluate a checkpoint: loss, accuracy, precision and recall of each class, confusion matrix
    Eval(EvalArguments),
    /// Tell the classes of pictures, with the map of each class that says where it was seen
    Predict(PredictArguments),
    /// Write a run's report: one HTML file with curves, classes, mistakes and their maps
    Report(ReportArguments),
    /// Show a page that classifies pictures, and answer HTTP requests
    Serve(ServeArguments),
    /// Put runs side by side: figures, spread, keys that differ, curves
    Compare(CompareArguments),
    /// Write a checkpoint as ONNX, or as safetensors with PyTorch's names
    Export(ExportArguments),
    /// Make a checkpoint of PyTorch's safetensors
    Import(ImportArguments),
    /// Print every layer's output shape, parameters, multiply-accumulates and activation bytes
    Shapes(ShapesArguments),
    /// Measure images per second of training, of inference, and of an epoch with its loader
    Bench(BenchArguments),
    /// List backends, adapters and CPU features
    Devices(DevicesArguments),
    /// Fetch known data sets
    Data(DataArguments),
    /// Print what a shell needs to complete this program's command line
    Completions(CompletionsArguments),
    /// Print the manual page, or write one for each command
    Man(ManArguments),
}

/// Where to compute.
#[derive(Debug, Args)]
pub struct DeviceArguments {
    /// Where to compute: `auto` takes a hardware GPU if there is one, else the faster CPU backend
    #[arg(long, value_enum, default_value = "auto", value_name = "BACKEND")]
    pub backend: BackendChoice,
    /// Threads that a CPU backend computes with [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

impl DeviceArguments {
    /// Threads that a CPU backend computes with.
    pub fn thread_count(&self) -> usize {
        self.threads.map_or_else(default_threads, usize::from)
    }
}

/// `train`
#[derive(Debug, Args)]
#[command(
    after_help = train_help(),
)]
pub struct TrainArguments {
    /// A built-in recipe or a TOML file
    #[arg(long, value_name = "NAME-OR-FILE")]
    pub config: Option<String>,
    /// Where to compute.
    #[command(flatten)]
    pub device: DeviceArguments,
    /// The folder with the data set's four files; no other place is searched then
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The data set's name (data.dataset)
    #[arg(long, value_name = "NAME")]
    pub dataset: Option<String>,
    /// The run's folder [default: runs/RECIPE, with --seeds runs/RECIPE-seeds; numbered where taken]
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    /// Go on with the run in the folder from its latest checkpoint
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

/// `eval`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli eval --checkpoint runs/quickstart
  nin-cli eval --checkpoint runs/quickstart/checkpoints/epoch-002 --split train --format json")]
pub struct EvalArguments {
    /// A run folder (its best checkpoint, else its latest), a checkpoint folder, a .safetensors file,
    /// or pretrained:record-fashion-mnist
    #[arg(long, value_name = "PATH", value_parser = ModelSource::parser())]
    pub checkpoint: ModelSource,
    /// Where to compute.
    #[command(flatten)]
    pub device: DeviceArguments,
    /// The folder with the data set's four files; no other place is searched then
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The data set's name [default: the one it was trained on]
    #[arg(long, value_name = "NAME")]
    pub dataset: Option<String>,
    /// Which images
    #[arg(long, value_enum, default_value = "test", value_name = "SPLIT")]
    pub split: SplitChoice,
    /// Images a batch
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub batch_size: u32,
    /// How to print
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub format: Format,
}

/// The two halves of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SplitChoice {
    /// The images kept for testing
    Test,
    /// The images trained on
    Train,
}

/// `predict`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli predict shirt.jpg                       by a network that is part of the program
  nin-cli predict --checkpoint runs/quickstart shirt.jpg
  nin-cli predict --checkpoint runs/quickstart photos --top 1 --format json
  nin-cli predict --checkpoint runs/quickstart shirt.png --maps maps
  cat shirt.webp | nin-cli predict --checkpoint runs/quickstart -

A picture of other proportions than the network's input is fitted in, not stretched.
The mean of a class's map is the class's logit.")]
pub struct PredictArguments {
    /// A run folder (its best checkpoint, else its latest), a checkpoint folder, a .safetensors file,
    /// or a network that is part of the program
    #[arg(long, value_name = "PATH", default_value = PRETRAINED_DEFAULT,
        value_parser = ModelSource::parser())]
    pub checkpoint: ModelSource,
    /// PNG, JPEG or WebP files, folders of them, or - for standard input
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<PathBuf>,
    /// Where to compute.
    #[command(flatten)]
    pub device: DeviceArguments,
    /// Write each picture with the maps of its top classes laid over it into this folder, as PNG
    #[arg(long, value_name = "DIR")]
    pub maps: Option<PathBuf>,
    /// Classes told for each picture, the likeliest first
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub top: u32,
    /// Whether light and dark change places before the network sees them
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    pub invert: Invert,
    /// Take each picture at its own size, fully convolutionally: maps as large as come of it
    #[arg(long)]
    pub dense: bool,
    /// How to print
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub format: Format,
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
    /// The folder with the data set's four files; no other place is searched then
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where to compute.
    #[command(flatten)]
    pub device: DeviceArguments,
}

/// `serve`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli serve                                     then open http://127.0.0.1:8080
  nin-cli serve --checkpoint runs/quickstart
  curl -F image=@shirt.jpg http://127.0.0.1:8080/v1/predict
  curl --data-binary @shirt.jpg 'http://127.0.0.1:8080/v1/predict?top=1&invert=no'

The answer is that of predict --format json for one image. Also: GET /healthz, /metrics
(Prometheus), /openapi.json. Ctrl-C or SIGTERM answers what was begun, and ends with 0.")]
pub struct ServeArguments {
    /// A run folder (its best checkpoint, else its latest), a checkpoint folder, a .safetensors file,
    /// or a network that is part of the program
    #[arg(long, value_name = "PATH", default_value = PRETRAINED_DEFAULT,
        value_parser = ModelSource::parser())]
    pub checkpoint: ModelSource,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    pub addr: String,
    /// Where to compute.
    #[command(flatten)]
    pub device: DeviceArguments,
    /// The largest request body that is taken, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub max_body: u16,
    /// Pictures that may wait for their answers; more are sent away
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub max_queue: u16,
    /// Connections that may be open
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=16_384))]
    pub max_connections: u16,
    /// Seconds that a request may take to come in, and again to be answered
    #[arg(long, value_name = "SECS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub timeout: u16,
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

/// `export`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli export --checkpoint runs/quickstart --to onnx --output clothes.onnx
  nin-cli export --checkpoint runs/quickstart --to safetensors --output out/clothes.safetensors

ONNX: opset 17; input `images` [batch, channels, height, width], f32 in 0..1; outputs `logits`
[batch, classes] and `maps`; batch, height and width are free; metadata `classes` is a JSON list.
Safetensors: names of an nn.Sequential, and beside them model.py, which loads them.")]
pub struct ExportArguments {
    /// A run folder (its best checkpoint, else its latest), a checkpoint folder, a .safetensors file,
    /// or pretrained:record-fashion-mnist
    #[arg(long, value_name = "PATH", value_parser = ModelSource::parser())]
    pub checkpoint: ModelSource,
    /// What to write
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub to: ExportFormat,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
}

/// What a checkpoint can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// An ONNX model
    Onnx,
    /// Tensors for PyTorch, with a module that loads them
    Safetensors,
}

/// `import`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli import --from book.safetensors --config d2l --output book-nin.safetensors
  nin-cli eval --checkpoint book-nin.safetensors

In PyTorch: safetensors.torch.save_file(net.state_dict(), \"book.safetensors\"). Names of the book's
nn.Sequential are taken (0.0.weight, also net.0.0.weight), and ours; nothing may be missing or over.")]
pub struct ImportArguments {
    /// The safetensors file
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,
    /// A built-in architecture, a built-in recipe or a TOML file: whose weights they are
    #[arg(long, value_name = "NAME-OR-FILE")]
    pub config: String,
    /// Override a key of the recipe, such as data.input_size=96; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The file to write, a .safetensors that every --checkpoint takes
    #[arg(long, value_name = "PATH")]
    pub output: PathBuf,
}

/// `shapes`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli shapes                                  the book's network
  nin-cli shapes --config imagenet --format json
  nin-cli shapes --config d2l --input 1x96x96
  nin-cli shapes --config d2l --format torch      the book's own lines")]
pub struct ShapesArguments {
    /// A built-in architecture, a built-in recipe or a TOML file
    #[arg(long, value_name = "NAME-OR-FILE", default_value = "d2l")]
    pub config: String,
    /// Channels, height and width of an image [default: what the network is made for]
    #[arg(long, value_name = "CxHxW", value_parser = parse_input)]
    pub input: Option<[usize; 3]>,
    /// Also run the network on this backend and check each shape
    #[arg(long, value_enum, value_name = "BACKEND")]
    pub backend: Option<BackendChoice>,
    /// How to print
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub format: ShapesFormat,
}

/// How shapes are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShapesFormat {
    /// A table
    Table,
    /// The lines that the book prints with PyTorch
    Torch,
    /// One JSON object
    Json,
}

/// `bench`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli bench --backend flex --batch-size 32 --threads 2
  nin-cli bench --config paper-cifar10 --format json
  nin-cli bench --layers                          every layer: ms, GFLOP/s, % of the CPU's peak
  nin-cli bench --compare pytorch --batch-size 32 --python venv/bin/python")]
pub struct BenchArguments {
    /// A built-in architecture, a built-in recipe or a TOML file
    #[arg(long, value_name = "NAME-OR-FILE", default_value = "d2l")]
    pub config: String,
    /// Where to compute.
    #[command(flatten)]
    pub device: DeviceArguments,
    /// Images a step (training.batch_size)
    #[arg(long, value_name = "N")]
    pub batch_size: Option<i64>,
    /// Steps measured, after one to warm up
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub steps: u32,
    /// Override a key of the recipe; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Time each layer by itself instead, on a CPU backend
    #[arg(long)]
    pub layers: bool,
    /// Measure in turn with another framework instead, and print the ratios
    #[arg(long, value_enum, value_name = "PEER", conflicts_with = "layers")]
    pub compare: Option<PeerChoice>,
    /// How often each of the two is measured with --compare
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub pairs: u32,
    /// The Python that has the other framework
    #[arg(long, value_name = "FILE", env = "NIN_PYTHON", default_value = "python3")]
    pub python: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub format: Format,
}

/// What `bench --compare` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PeerChoice {
    /// PyTorch, training and inference: the better of NCHW and channels_last
    Pytorch,
    /// onnxruntime, inference
    Onnxruntime,
    /// OpenVINO, inference
    Openvino,
}

/// `devices`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  nin-cli devices --format json")]
pub struct DevicesArguments {
    /// How to print
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub format: Format,
}

/// `data`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  nin-cli data fetch fashion-mnist")]
pub struct DataArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: DataCommand,
}

/// The commands of `data`.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Put a known data set into $NIN_DATA, else the cache folder, checked; prints the folder
    Fetch(FetchArguments),
}

/// `data fetch`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli data fetch fashion-mnist
  nin-cli data fetch mnist --from https://example.org/mnist --timeout 60")]
pub struct FetchArguments {
    /// `fashion-mnist` or `mnist`
    #[arg(value_name = "NAME")]
    pub name: String,
    /// A folder on a server with the four .gz files [default: where they are published]
    #[arg(long, value_name = "URL")]
    pub from: Option<String>,
    /// Seconds after which a silent server is given up on
    #[arg(long, value_name = "SECS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub timeout: u16,
}

/// `completions`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  nin-cli completions bash > ~/.local/share/bash-completion/completions/nin-cli")]
pub struct CompletionsArguments {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// `man`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli man | man -l -
  nin-cli man --output ~/.local/share/man/man1")]
pub struct ManArguments {
    /// Write the page of each command into this folder
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

fn train_help() -> String {
    let mut help = String::from(
        "Examples:
  nin-cli train
  nin-cli train --config d2l-fashion-mnist-96 --epochs 2 --seed 7
  nin-cli train --dataset shapes --data my-folder --set data.input_size=0
  nin-cli train --run runs/quickstart --resume
  nin-cli train --config d2l-fashion-mnist-96 --seeds 20

Built-in recipes:",
    );
    let lines = BuiltinRecipe::all()
        .map(|recipe| format!("\n  {:<22}{}", recipe.name, recipe.summary()))
        .collect::<Vec<_>>();
    help += &lines.concat();
    help
}

fn parse_input(text: &str) -> Result<[usize; 3], String> {
    let parts = text
        .split(['x', 'X'])
        .map(|part| part.parse::<usize>().map_err(|_| format!("`{part}` is not a number")))
        .collect::<Result<Vec<_>, _>>()?;
    <[usize; 3]>::try_from(parts).map_err(|_| "expected CxHxW, such as 1x224x224".to_owned())
}

//! The arguments of what takes a trained network: `eval`, `predict`, `serve`, `export`, `import`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use nin_data::Part;

use super::device::DeviceArguments;
use crate::output::Format;
use crate::pictures::Invert;
use crate::pretrained::{ModelSource, PRETRAINED_DEFAULT};

/// `eval`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli eval --checkpoint runs/quickstart
  nin-cli eval --checkpoint runs/quickstart/checkpoints/epoch-002 --split train --format json")]
pub struct EvalArguments {
    /// A run folder (its best checkpoint, else its latest), a checkpoint folder, a .safetensors file,
    /// or pretrained:NAME (record-fashion-mnist, or a file of the folder weights)
    #[arg(long, value_name = "PATH", value_parser = ModelSource::parser())]
    pub checkpoint: ModelSource,
    /// Where to compute.
    #[command(flatten)]
    pub device: DeviceArguments,
    /// The folder of the data set; no other place is searched then
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The data set's name [default: the one it was trained on]
    #[arg(long, value_name = "NAME")]
    pub dataset: Option<String>,
    /// Which images
    #[arg(long, value_enum, default_value = "test", value_name = "SPLIT")]
    pub split: SplitChoice,
    /// Every image of the split, also those that the run's data.limit or data.held_out left out
    #[arg(long)]
    pub whole: bool,
    /// Answer with the mean of the probabilities of each image and its mirror image, left and right
    #[arg(long)]
    pub flips: bool,
    /// Images a batch
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub batch_size: u32,
    /// How to print
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub format: Format,
}

/// The parts of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SplitChoice {
    /// The images kept for testing
    Test,
    /// The images that chose the best checkpoint, where there are some besides the test images
    #[value(alias = "val")]
    Validation,
    /// The images trained on
    Train,
}

impl From<SplitChoice> for Part {
    fn from(choice: SplitChoice) -> Self {
        match choice {
            SplitChoice::Test => Self::Test,
            SplitChoice::Validation => Self::Validation,
            SplitChoice::Train => Self::Train,
        }
    }
}

/// `predict`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli predict shirt.jpg                       by a network that is part of the program
  nin-cli predict --checkpoint runs/quickstart shirt.jpg
  nin-cli predict --checkpoint runs/quickstart photos --top 1 --format jsonl
  nin-cli predict --checkpoint runs/quickstart photos --threshold 0.8 --sort-into sorted
  nin-cli predict --checkpoint runs/quickstart shirt.png --maps maps
  cat shirt.webp | nin-cli predict --checkpoint runs/quickstart -

Pictures are prepared as in training. By a network that was not trained on pictures, one of other
proportions than the input's is padded, not stretched.
The mean of a class's map is the class's logit.")]
pub struct PredictArguments {
    /// A run folder (its best checkpoint, else its latest), a checkpoint folder, a .safetensors file,
    /// or a network that is part of the program
    #[arg(long, value_name = "PATH", default_value = PRETRAINED_DEFAULT,
        value_parser = ModelSource::parser())]
    pub checkpoint: ModelSource,
    /// Pictures (JPEG, PNG, WebP, GIF, BMP, TIFF), folders of them at any depth, or - for standard input
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<PathBuf>,
    /// Where to compute.
    #[command(flatten)]
    pub device: DeviceArguments,
    /// Write each picture with the maps of its top classes over it into this folder, as PNG; numbers go
    /// on where the folder has some
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
    /// Answer `unknown` where no class has this probability, from 0 to 1
    #[arg(long, value_name = "P", allow_hyphen_values = true)]
    pub threshold: Option<f64>,
    /// Copy each picture into a folder of its class in here; nothing is overwritten
    #[arg(long, value_name = "DIR")]
    pub sort_into: Option<PathBuf>,
    /// How to print: results appear as they are computed
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub format: PredictFormat,
}

/// How `predict` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PredictFormat {
    /// For people
    Text,
    /// One JSON object, with the class maps
    Json,
    /// A JSON object a line, without maps
    Jsonl,
    /// A row a picture, with a header
    Csv,
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
    /// Answer requests to this host name too, and from its pages; may be repeated. IP addresses and localhost are
    /// always answered
    #[arg(long, value_name = "NAME")]
    pub allow_host: Vec<String>,
    /// Where to compute.
    #[command(flatten)]
    pub device: DeviceArguments,
    /// Answer `unknown` where no class has this probability, from 0 to 1; a request may say otherwise
    #[arg(long, value_name = "P", allow_hyphen_values = true)]
    pub threshold: Option<f64>,
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

/// `export`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli export --checkpoint runs/quickstart --to onnx --output clothes.onnx
  nin-cli export --checkpoint runs/quickstart --to safetensors --output out/clothes.safetensors

ONNX: opset 17; input `images` [batch, channels, height, width], f32 in 0..1; outputs `logits`
[batch, classes] and `maps`; batch, height and width are free; metadata `classes` is a JSON list.
What the caller owes to a picture is in the metadata `preprocessing`, in words.
Safetensors: names of an nn.Sequential, and beside them model.py, which loads them and answers as predict.")]
pub struct ExportArguments {
    /// A run folder (its best checkpoint, else its latest), a checkpoint folder, a .safetensors file,
    /// or pretrained:NAME (record-fashion-mnist, or a file of the folder weights)
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
nn.Sequential are taken (0.0.weight), and ours, also behind net., module. and _orig_mod.; nothing
may be missing or over. 16-bit floats are widened.")]
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
    /// A file with the name of each class, one per line [default: 0, 1, 2 and so on]
    #[arg(long, value_name = "FILE")]
    pub classes: Option<PathBuf>,
    /// The file to write, a .safetensors that every --checkpoint takes
    #[arg(long, value_name = "PATH")]
    pub output: PathBuf,
}

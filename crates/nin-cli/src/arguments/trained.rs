//! The arguments of the commands on trained networks: `eval`, `predict`, `serve`, `export`, `import`, `quantize`.

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
  nin-cli eval --checkpoint runs/quickstart/checkpoints/epoch-002 --split train --format json

A run folder means its best checkpoint, else its latest. pretrained:NAME means an embedded network
(record-fashion-mnist), or the file weights/NAME.safetensors.")]
pub struct EvalArguments {
    /// Run folder, checkpoint folder, .safetensors file or pretrained:NAME
    #[arg(long, value_name = "PATH", value_parser = ModelSource::parser())]
    pub checkpoint: ModelSource,
    /// The backend and its threads.
    #[command(flatten)]
    pub device: DeviceArguments,
    /// Data set folder, instead of the default locations
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Data set name [default: the one the network was trained on]
    #[arg(long, value_name = "NAME")]
    pub dataset: Option<String>,
    /// Images to evaluate
    #[arg(long, value_enum, default_value = "test", value_name = "SPLIT")]
    pub split: SplitChoice,
    /// Include images that the run's data.limit or data.held_out left out
    #[arg(long)]
    pub whole: bool,
    /// Average the probabilities of each image and its horizontal flip
    #[arg(long)]
    pub flips: bool,
    /// Also evaluate on corrupted images: noise, blur, brightness, contrast, shift and rotation, five severities each
    #[arg(long)]
    pub corruptions: bool,
    /// Images per batch
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub batch_size: u32,
    /// Output format
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub format: Format,
}

/// The parts of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SplitChoice {
    /// Test images
    Test,
    /// Images that select the best checkpoint, if separate from the test images
    #[value(alias = "val")]
    Validation,
    /// Training images
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
  nin-cli predict shirt.jpg                       with the embedded network
  nin-cli predict --checkpoint runs/quickstart shirt.jpg
  nin-cli predict --checkpoint runs/quickstart photos --top 1 --format jsonl
  nin-cli predict --checkpoint runs/quickstart photos --threshold 0.8 --sort-into sorted
  nin-cli predict --checkpoint runs/quickstart shirt.png --maps maps
  cat shirt.webp | nin-cli predict --checkpoint runs/quickstart -

Pictures are preprocessed as in training. If the network was not trained on a picture folder, they
are padded to the aspect ratio of its input, not stretched. The mean of a class's map is its logit.
File numbers in the --maps folder continue after the existing ones.
A run folder means its best checkpoint, else its latest. pretrained:NAME means an embedded network
(record-fashion-mnist), or the file weights/NAME.safetensors.")]
pub struct PredictArguments {
    /// Run folder, checkpoint folder, .safetensors file or pretrained:NAME
    #[arg(long, value_name = "PATH", default_value = PRETRAINED_DEFAULT,
        value_parser = ModelSource::parser())]
    pub checkpoint: ModelSource,
    /// Pictures (JPEG, PNG, WebP, GIF, BMP, TIFF), folders searched recursively, or - for stdin
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<PathBuf>,
    /// The backend and its threads.
    #[command(flatten)]
    pub device: DeviceArguments,
    /// Write each picture with the maps of its top classes over it to this folder, as PNG
    #[arg(long, value_name = "DIR")]
    pub maps: Option<PathBuf>,
    /// Classes to print per picture, most likely first
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub top: u32,
    /// Invert light and dark before classifying
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    pub invert: Invert,
    /// Run fully convolutionally at each picture's own size, for larger maps
    #[arg(long)]
    pub dense: bool,
    /// Answer `unknown` below this probability, from 0 to 1
    #[arg(long, value_name = "P", allow_hyphen_values = true)]
    pub threshold: Option<f64>,
    /// Copy each picture to this folder's subfolder for its class, without overwriting
    #[arg(long, value_name = "DIR")]
    pub sort_into: Option<PathBuf>,
    /// Output format; results are printed as they are computed
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub format: PredictFormat,
}

/// The output formats of `predict`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PredictFormat {
    /// Human-readable text
    Text,
    /// One JSON object, with the class maps
    Json,
    /// One JSON object per line, without maps
    Jsonl,
    /// One row per picture, with a header
    Csv,
}

/// `serve`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli serve                                     then open http://127.0.0.1:8080
  nin-cli serve --checkpoint runs/quickstart
  curl -F image=@shirt.jpg http://127.0.0.1:8080/v1/predict
  curl --data-binary @shirt.jpg 'http://127.0.0.1:8080/v1/predict?top=1&invert=no'

Answers have the form of predict --format json for one image. Other endpoints: GET /healthz,
/metrics (Prometheus), /openapi.json. Requests to IP addresses and localhost are always answered.
Ctrl-C or SIGTERM finishes the running requests and exits with 0.
A run folder means its best checkpoint, else its latest. pretrained:NAME means an embedded network
(record-fashion-mnist), or the file weights/NAME.safetensors.")]
pub struct ServeArguments {
    /// Run folder, checkpoint folder, .safetensors file or pretrained:NAME
    #[arg(long, value_name = "PATH", default_value = PRETRAINED_DEFAULT,
        value_parser = ModelSource::parser())]
    pub checkpoint: ModelSource,
    /// Address to listen on; port 0 picks a free port
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    pub addr: String,
    /// Also answer requests to this host name and from its pages (repeatable)
    #[arg(long, value_name = "NAME")]
    pub allow_host: Vec<String>,
    /// The backend and its threads.
    #[command(flatten)]
    pub device: DeviceArguments,
    /// Answer `unknown` below this probability, from 0 to 1; requests can override it
    #[arg(long, value_name = "P", allow_hyphen_values = true)]
    pub threshold: Option<f64>,
    /// Maximum size of a request body, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub max_body: u16,
    /// Maximum number of pictures in the queue; more are rejected
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub max_queue: u16,
    /// Maximum number of open connections
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=16_384))]
    pub max_connections: u16,
    /// Seconds to receive a request, and again to answer it
    #[arg(long, value_name = "SECS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub timeout: u16,
}

/// `export`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli export --checkpoint runs/quickstart --to onnx --output clothes.onnx
  nin-cli export --checkpoint runs/quickstart --to safetensors --output out/clothes.safetensors
  nin-cli export --checkpoint runs/quickstart --to web --output clothes.html
  nin-cli export --to lesson --output lesson.html

ONNX: opset 17; input `images` [batch, channels, height, width], f32 in 0..1; outputs `logits`
[batch, classes] and `maps`; batch, height and width are dynamic. The metadata key `classes` is a
JSON list; `preprocessing` says in words how the caller has to preprocess a picture.
Safetensors: tensor names of an nn.Sequential. A model.py in the same folder loads the file and
gives the same answers as predict.
Web: the page of serve in one HTML file, with the network inside. It opens from disk, works offline
and sends nothing; the browser needs WebAssembly with SIMD.
Lesson: a page of the same kind that trains the quick start's network in the browser, step by step.
A run folder means its best checkpoint, else its latest. pretrained:NAME means an embedded network
(record-fashion-mnist), or the file weights/NAME.safetensors.")]
pub struct ExportArguments {
    /// Run folder, checkpoint folder, .safetensors file or pretrained:NAME; a lesson takes none
    #[arg(
        long,
        value_name = "PATH",
        value_parser = ModelSource::parser(),
        required_if_eq_any = [("to", "onnx"), ("to", "safetensors"), ("to", "web")]
    )]
    pub checkpoint: Option<ModelSource>,
    /// Format to write
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub to: ExportFormat,
    /// Output file
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
}

/// The formats of `export`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// ONNX model
    Onnx,
    /// Tensors for PyTorch, with a module that loads them
    Safetensors,
    /// Web page that runs the network, in one file
    Web,
    /// Web page that trains a network on the embedded sample, in one file
    Lesson,
}

/// `import`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli import --from book.safetensors --config d2l --output book-nin.safetensors
  nin-cli eval --checkpoint book-nin.safetensors

In PyTorch: safetensors.torch.save_file(net.state_dict(), \"book.safetensors\"). Accepted are the
tensor names of the book's nn.Sequential (0.0.weight) and of nin, with or without the prefixes net.,
module. and _orig_mod.; missing or extra tensors are an error. 16-bit floats are widened to 32 bits.")]
pub struct ImportArguments {
    /// Safetensors file to import
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,
    /// Network of the weights: built-in architecture, built-in recipe or TOML file
    #[arg(long, value_name = "NAME-OR-FILE")]
    pub config: String,
    /// Override a recipe key, such as data.input_size=96 (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// File with one class name per line [default: 0, 1, 2, ...]
    #[arg(long, value_name = "FILE")]
    pub classes: Option<PathBuf>,
    /// Output file, a .safetensors that every --checkpoint accepts
    #[arg(long, value_name = "PATH")]
    pub output: PathBuf,
}

/// `quantize`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli quantize --checkpoint runs/quickstart --output clothes-int8.safetensors
  nin-cli eval --checkpoint clothes-int8.safetensors
  nin-cli bench --inference --checkpoint clothes-int8.safetensors --batch-size 1

eval, predict, serve and bench --inference take the file; train and export do not. The first layer
stays fp32. Ranges of activations come from one half of the --images, and the other half chooses
how many large activations they leave out. Both accuracies are those of the test images (of the
validation images where there are none). If int8 loses more than --max-loss, nothing is written and
the exit code is 1.
A run folder means its best checkpoint, else its latest. pretrained:NAME means an embedded network
(record-fashion-mnist), or the file weights/NAME.safetensors.")]
pub struct QuantizeArguments {
    /// Run folder, checkpoint folder, .safetensors file or pretrained:NAME
    #[arg(long, value_name = "PATH", value_parser = ModelSource::parser())]
    pub checkpoint: ModelSource,
    /// The backend and its threads.
    #[command(flatten)]
    pub device: DeviceArguments,
    /// Data set folder, instead of the default locations
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Data set name [default: the one the network was trained on]
    #[arg(long, value_name = "NAME")]
    pub dataset: Option<String>,
    /// Training images to calibrate on
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=8192))]
    pub images: u32,
    /// Largest loss of accuracy, from 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.005, value_parser = parse_share)]
    pub max_loss: f64,
    /// Output file, a .safetensors
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub format: Format,
}

fn parse_share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "expected a number from 0 to 1".to_owned())
}

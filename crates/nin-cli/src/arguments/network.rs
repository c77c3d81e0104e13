//! The arguments of the commands on untrained networks: `shapes` and `bench`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::device::DeviceArguments;
use crate::backend::BackendChoice;
use crate::output::Format;
use crate::pretrained::ModelSource;

/// `shapes`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli shapes                                  the book's network
  nin-cli shapes --config imagenet --format json
  nin-cli shapes --config d2l --input 1x96x96
  nin-cli shapes --config d2l --format torch      the book's output")]
pub struct ShapesArguments {
    /// Built-in architecture, built-in recipe or TOML file
    #[arg(long, value_name = "NAME-OR-FILE", default_value = "d2l")]
    pub config: String,
    /// Input channels, height and width [default: the network's own]
    #[arg(long, value_name = "CxHxW", value_parser = parse_input)]
    pub input: Option<[usize; 3]>,
    /// Also run the network on this backend and check each shape
    #[arg(long, value_enum, value_name = "BACKEND")]
    pub backend: Option<BackendChoice>,
    /// Output format
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub format: ShapesFormat,
}

/// The output formats of `shapes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShapesFormat {
    /// A table
    Table,
    /// The lines that the book's PyTorch code prints
    Torch,
    /// One JSON object
    Json,
}

/// `bench`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli bench --backend flex --batch-size 32 --threads 2
  nin-cli bench --config paper-cifar10 --format json
  nin-cli bench --inference --checkpoint runs/quickstart --batch-size 1
  nin-cli bench --layers                          per layer: ms, GFLOP/s, % of the CPU's peak
  nin-cli bench --compare pytorch --batch-size 32 --python venv/bin/python")]
pub struct BenchArguments {
    /// Built-in architecture, built-in recipe or TOML file
    #[arg(long, value_name = "NAME-OR-FILE", default_value = "d2l")]
    pub config: String,
    /// Measure this network as it is: a run folder, checkpoint folder, .safetensors file or pretrained:NAME
    #[arg(long, value_name = "PATH", value_parser = ModelSource::parser(), requires = "inference", conflicts_with_all = ["config", "set"])]
    pub checkpoint: Option<ModelSource>,
    /// The backend and its threads.
    #[command(flatten)]
    pub device: DeviceArguments,
    /// Images per step (training.batch_size)
    #[arg(long, value_name = "N")]
    pub batch_size: Option<i64>,
    /// Steps to measure, after one warm-up step
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub steps: u32,
    /// Override a recipe key (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Measure inference only
    #[arg(long, conflicts_with_all = ["layers", "compare"])]
    pub inference: bool,
    /// Time each layer separately instead; on wgpu, count what each costs
    #[arg(long)]
    pub layers: bool,
    /// Alternate with another framework instead, and print the ratios
    #[arg(long, value_enum, value_name = "PEER", conflicts_with = "layers")]
    pub compare: Option<PeerChoice>,
    /// Measurements of each framework with --compare
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub pairs: u32,
    /// Python interpreter that has the other framework installed
    #[arg(long, value_name = "FILE", env = "NIN_PYTHON", default_value = "python3")]
    pub python: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub format: Format,
}

/// The frameworks of `bench --compare`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PeerChoice {
    /// PyTorch, training and inference, the faster of NCHW and channels_last
    Pytorch,
    /// ONNX Runtime, inference only
    Onnxruntime,
    /// OpenVINO, inference only
    Openvino,
}

fn parse_input(text: &str) -> Result<[usize; 3], String> {
    let parts = text
        .split(['x', 'X'])
        .map(|part| part.parse::<usize>().map_err(|_| format!("`{part}` is not a number")))
        .collect::<Result<Vec<_>, _>>()?;
    <[usize; 3]>::try_from(parts).map_err(|_| "expected CxHxW, such as 1x224x224".to_owned())
}

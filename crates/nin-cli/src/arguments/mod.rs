//! The command line, parsed in one place into plain data.

mod network;
mod trained;
mod training;

use std::path::PathBuf;
use std::sync::Once;

use clap::{Args, Parser, Subcommand};

use crate::backend::{BackendChoice, default_threads};
use crate::output::{Format, note};

pub use network::*;
pub use trained::*;
pub use training::*;

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
    /// Where to compute: `auto` takes a hardware GPU if there is one, else the CPU
    #[arg(long, value_enum, default_value = "auto", value_name = "BACKEND")]
    pub backend: BackendChoice,
    /// Threads that a CPU backend computes with [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

impl DeviceArguments {
    /// Threads that a CPU backend computes with: at most one per core, more only wait for each other.
    pub fn thread_count(&self) -> usize {
        let most = default_threads();
        let asked = self.threads.map_or(most, usize::from);
        if asked > most {
            static SAID: Once = Once::new();
            SAID.call_once(|| {
                note(format!(
                    "warning: --threads {asked} is more than the {most} cores that this program may \
                     use: computing with {most}"
                ));
            });
        }
        asked.min(most)
    }
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
#[command(after_help = "Examples:
  nin-cli data check photos
  nin-cli data fetch fashion-mnist")]
pub struct DataArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: DataCommand,
}

/// The commands of `data`.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Describe a data set and everything odd about it; exits 1 where a training would stop
    Check(CheckArguments),
    /// Put a known data set into $NIN_DATA, else the cache folder, checked; prints the folder
    Fetch(FetchArguments),
}

/// `data check`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli data check photos
  nin-cli data check photos --format json
  nin-cli data check photos --set data.test=0.2

A folder of pictures has a folder per class, or a table labels.csv. Every picture is decoded.")]
pub struct CheckArguments {
    /// The data set's folder
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Override a key of the recipe `pictures`, such as data.test=0.2; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Threads that read and decode [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// How to print
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub format: Format,
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

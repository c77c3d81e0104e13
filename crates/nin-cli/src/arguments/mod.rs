//! The command line, parsed in one place into plain data.

mod data;
mod device;
mod network;
mod program;
mod trained;
mod training;

use clap::{Parser, Subcommand};

pub use data::*;
pub use network::*;
pub use program::*;
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

//! The command line, parsed in one place into plain data.

mod data;
mod device;
mod find;
mod network;
#[cfg(test)]
mod pages;
mod program;
mod trained;
mod training;

use clap::{Parser, Subcommand};

pub use data::*;
pub use find::*;
pub use network::*;
pub use program::*;
pub use trained::*;
pub use training::*;

/// Train, evaluate and inspect Network in Network (NiN) image classifiers.
#[derive(Debug, Parser)]
#[command(
    name = "nin-cli",
    version,
    propagate_version = true,
    after_help = "Examples:
  nin-cli train                                   train on the embedded sample in a minute or two
  nin-cli train --config d2l-fashion-mnist-96     the book's recipe, sized for a CPU
  nin-cli eval --checkpoint runs/quickstart       loss, accuracy, confusion matrix
  nin-cli predict shirt.jpg                       classify with the embedded network
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
    /// Train a network from a recipe [default: quickstart, on the embedded sample]
    Train(TrainArguments),
    /// Evaluate a checkpoint: loss, accuracy, per-class precision and recall, confusion matrix
    Eval(EvalArguments),
    /// Classify images and show class activation maps
    Predict(PredictArguments),
    /// Search for a better recipe on held-out data: learning rate, weight decay, dropout, epochs
    Find(FindArguments),
    /// Write a run's report as one HTML file: curves, per-class metrics, mistakes and their maps
    Report(ReportArguments),
    /// Serve a web page and an HTTP API that classify images
    Serve(ServeArguments),
    /// Compare runs: metrics, spread over seeds, recipe keys that differ, curves
    Compare(CompareArguments),
    /// Export a checkpoint to ONNX, to safetensors for PyTorch, or to a web page
    Export(ExportArguments),
    /// Import a PyTorch safetensors file as a checkpoint
    Import(ImportArguments),
    /// Round a checkpoint's weights to int8 for faster inference on the CPU
    Quantize(QuantizeArguments),
    /// Print each layer's output shape, parameters, multiply-accumulates and activation bytes
    Shapes(ShapesArguments),
    /// Measure images per second in training, in inference and over an epoch with its data loader
    Bench(BenchArguments),
    /// List backends, adapters and CPU features
    Devices(DevicesArguments),
    /// Check and download data sets
    Data(DataArguments),
    /// Print a shell completion script
    Completions(CompletionsArguments),
    /// Print the man page, or write one page per command
    Man(ManArguments),
}

//! The arguments of `data`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::output::Format;

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
    /// Describe a data set and its problems; exit with 1 if training would refuse it
    Check(CheckArguments),
    /// Download a known data set to $NIN_DATA or the cache folder, verify it, print the folder
    Fetch(FetchArguments),
}

/// `data check`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli data check photos
  nin-cli data check photos --format json
  nin-cli data check photos --set data.test=0.2

A picture folder has one subfolder per class, or a labels.csv table. Every picture is decoded.")]
pub struct CheckArguments {
    /// Data set folder
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Override a key of the `pictures` recipe, such as data.test=0.2 (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Threads that read and decode pictures [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Output format
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
    /// Base URL of the four .gz files [default: where they are published]
    #[arg(long, value_name = "URL")]
    pub from: Option<String>,
    /// Seconds to wait for a silent server
    #[arg(long, value_name = "SECS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub timeout: u16,
}

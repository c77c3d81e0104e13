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

//! The command line of `cargo xtask`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) const CPU_BACKENDS: [&str; 2] = ["flex", "ndarray"];
/// The parts of `gpu`.
const GPU_PARTS: [&str; 5] = ["parity", "layers", "dispatches", "steps", "tiles"];
/// The files with generated tables.
const TABLES: [&str; 5] = [
    "README.md",
    "docs/memory-and-speed.md",
    "docs/recipe.md",
    "docs/results.md",
    "docs/why-nin-collapses.md",
];

/// Check nin-cli from outside; each check prints one JSON object and fails if it finds a fault
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  cargo build --release && cargo xtask cuts --cuts 20
  cargo xtask kills --kills 200 --binary target/release/nin-cli
  cargo xtask costs --config d2l-fashion-mnist-96
  cargo xtask early --config steady-fashion-mnist-96 --seeds 20 --at-least 0.25
  cargo xtask hashes --config quickstart --set training.precision=bf16
  cargo xtask ratios --python venv/bin/python --machine zen4-2c --output results/ratios.json
  cargo xtask gpu --machine NAME --output results/gpu.json
  cargo xtask hostile --requests 1000
  cargo xtask load --clients 16 --secs 10 --checkpoint runs/quickstart
  cargo xtask modules
  cargo xtask links
  cargo xtask book
  cargo xtask tables --check")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// A training interrupted at random by TERM and KILL ends in the same bits as an uninterrupted one
    Cuts(CutsArguments),
    /// A training killed at random always leaves a checkpoint that `eval` opens
    Kills(KillsArguments),
    /// Measure the share of an epoch taken by checkpoints, data loading and bookkeeping; check that `shapes`
    /// takes less than 50 ms
    Costs(CostsArguments),
    /// Measure each seed's test accuracy after a recipe's first steps
    Early(EarlyArguments),
    /// Fifty steps give the same weights with any number of threads and workers, interrupted or not
    Hashes(HashesArguments),
    /// Measure training and inference rates as ratios to other frameworks, in turn
    Ratios(RatiosArguments),
    /// Check and measure the GPU kernels on this machine's adapter: parity, every tile, and steps against Burn's products
    Gpu(GpuArguments),
    /// A server survives many concurrent hostile requests
    Hostile(HostileArguments),
    /// Measure a server's throughput, latency and memory under load
    Load(LoadArguments),
    /// Build the book with mdBook, and mend the links that leave it
    Book(BookArguments),
    /// Every relative link, image and anchor of the Markdown pages exists
    Links,
    /// No two modules of a crate import each other, directly or through others
    Modules,
    /// Generate the tables of Markdown files from the files under `results/`
    Tables(TablesArguments),
}

#[derive(Debug, Args)]
pub(crate) struct TablesArguments {
    /// The file; may be repeated
    #[arg(long, value_name = "FILE", default_values = TABLES)]
    pub(crate) file: Vec<PathBuf>,
    /// Write nothing; fail if a table differs from its files
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BookArguments {
    /// mdBook's program
    #[arg(long, value_name = "FILE", default_value = "mdbook")]
    pub(crate) mdbook: PathBuf,
}

/// The program under test.
#[derive(Debug, Args)]
pub(crate) struct SubjectArguments {
    /// The program
    #[arg(long, value_name = "PATH", default_value = "target/release/nin-cli")]
    pub(crate) binary: PathBuf,
    /// The backend
    #[arg(long, value_name = "BACKEND", default_value = "flex")]
    pub(crate) backend: String,
    /// The seed of the random moments
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct CutsArguments {
    #[command(flatten)]
    pub(crate) subject: SubjectArguments,
    /// Interruptions
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) cuts: usize,
    /// Override a key of the recipe; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Train on this folder of pictures with the recipe `pictures`, deleting its cache now and then
    #[arg(long, value_name = "DIR")]
    pub(crate) pictures: Option<PathBuf>,
    /// Epochs of the training
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub(crate) epochs: usize,
}

#[derive(Debug, Args)]
pub(crate) struct KillsArguments {
    #[command(flatten)]
    pub(crate) subject: SubjectArguments,
    /// Kills
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(crate) kills: usize,
}

#[derive(Debug, Args)]
pub(crate) struct CostsArguments {
    /// The program
    #[arg(long, value_name = "PATH", default_value = "target/release/nin-cli")]
    pub(crate) binary: PathBuf,
    /// The recipe; its data must be available
    #[arg(long, value_name = "NAME-OR-FILE", default_value = "d2l-fashion-mnist-96")]
    pub(crate) config: String,
    /// The backend
    #[arg(long, value_name = "BACKEND", default_value = "flex")]
    pub(crate) backend: String,
    /// Images in a measured epoch
    #[arg(long, value_name = "N", default_value_t = 10_240)]
    pub(crate) images: usize,
    /// Images in a full epoch, for the share that a checkpoint takes of it
    #[arg(long, value_name = "N", default_value_t = 60_000)]
    pub(crate) images_per_epoch: usize,
    /// Steps to time without data loading
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) steps: usize,
    /// Measurements of each
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) pairs: usize,
}

#[derive(Debug, Args)]
pub(crate) struct EarlyArguments {
    /// The program
    #[arg(long, value_name = "PATH", default_value = "target/release/nin-cli")]
    pub(crate) binary: PathBuf,
    /// The recipe; its data must be available
    #[arg(long, value_name = "NAME-OR-FILE", default_value = "steady-fashion-mnist-96")]
    pub(crate) config: String,
    /// The backend
    #[arg(long, value_name = "BACKEND", default_value = "flex")]
    pub(crate) backend: String,
    /// The number of seeds, starting at 1
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) seeds: u64,
    /// Training steps before the evaluation; 47 batches of 128 are 6,000 images
    #[arg(long, value_name = "N", default_value_t = 47)]
    pub(crate) steps: usize,
    /// Fail if a seed's test accuracy is below this
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(crate) at_least: f64,
}

#[derive(Debug, Args)]
pub(crate) struct HashesArguments {
    /// The program
    #[arg(long, value_name = "PATH", default_value = "target/release/nin-cli")]
    pub(crate) binary: PathBuf,
    /// The recipe
    #[arg(long, value_name = "NAME-OR-FILE", default_value = "quickstart")]
    pub(crate) config: String,
    /// Override a key of the recipe; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Compare each instruction set's weights with those in this file instead; add what it lacks
    #[arg(long, value_name = "FILE.json", conflicts_with_all = ["config", "set"])]
    pub(crate) baseline: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RatiosArguments {
    /// The program
    #[arg(long, value_name = "PATH", default_value = "target/release/nin-cli")]
    pub(crate) binary: PathBuf,
    /// The Python that has the other frameworks
    #[arg(long, value_name = "FILE", default_value = "python3")]
    pub(crate) python: PathBuf,
    /// A wrapper to run each measurement with, such as taskset
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) through: Option<PathBuf>,
    /// Only this row; may be repeated
    #[arg(long, value_name = "ROW")]
    pub(crate) only: Vec<String>,
    /// Only this backend; may be repeated
    #[arg(long, value_name = "BACKEND", value_parser = CPU_BACKENDS, default_values = CPU_BACKENDS)]
    pub(crate) backend: Vec<String>,
    /// Measurements of each side
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) pairs: usize,
    /// Steps per measurement
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) steps: usize,
    /// The machine's name in results/README.md
    #[arg(long, value_name = "NAME")]
    pub(crate) machine: String,
    /// The file to write; a row that is measured again replaces the old one
    #[arg(long, value_name = "FILE.json")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct GpuArguments {
    /// The program [default: built with this profile]
    #[arg(long, value_name = "PATH")]
    pub(crate) binary: Option<PathBuf>,
    /// Cargo's profile for what is built
    #[arg(long, value_name = "NAME", default_value = "release")]
    pub(crate) profile: String,
    /// A Python that has PyTorch with CUDA, to measure it too
    #[arg(long, value_name = "FILE")]
    pub(crate) python: Option<PathBuf>,
    /// Only this part; may be repeated
    #[arg(long, value_name = "PART", value_parser = GPU_PARTS)]
    pub(crate) only: Vec<String>,
    /// Only steps and layers of this input size; may be repeated
    #[arg(long, value_name = "PIXELS", value_parser = ["224", "96", "28"])]
    pub(crate) size: Vec<String>,
    /// Images per step
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub(crate) batch: usize,
    /// Divide the channels of the layers that tiles are measured on, for software adapters
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) divisor: usize,
    /// Measurements of each way to compute a step
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) pairs: usize,
    /// Steps per measurement
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) steps: usize,
    /// The time of all parts, of which each has its share; building is not counted
    #[arg(long, value_name = "SECS", default_value_t = 470)]
    pub(crate) secs: u64,
    /// The machine's name in results/README.md
    #[arg(long, value_name = "NAME")]
    pub(crate) machine: String,
    /// The file to write; a part that is measured again replaces the old one
    #[arg(long, value_name = "FILE.json")]
    pub(crate) output: PathBuf,
}

impl GpuArguments {
    /// Returns whether a part is wanted.
    pub(crate) fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }
}

#[derive(Debug, Args)]
pub(crate) struct HostileArguments {
    #[command(flatten)]
    pub(crate) subject: SubjectArguments,
    /// Requests to send
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) requests: usize,
}

#[derive(Debug, Args)]
pub(crate) struct LoadArguments {
    #[command(flatten)]
    pub(crate) subject: SubjectArguments,
    /// Concurrent clients
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(crate) clients: usize,
    /// Duration
    #[arg(long, value_name = "SECS", default_value_t = 10)]
    pub(crate) secs: u64,
    /// The checkpoint to serve [default: a small network, trained first]
    #[arg(long, value_name = "PATH")]
    pub(crate) checkpoint: Option<PathBuf>,
    /// The picture to send [default: a grey PNG of 28x28]
    #[arg(long, value_name = "FILE")]
    pub(crate) picture: Option<PathBuf>,
}

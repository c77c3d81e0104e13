//! `cargo xtask`: checks of the program from outside, small in `.ci/run` and as large as you like.

mod chance;
mod costs;
mod cuts;
mod early;
mod hashes;
mod hostile;
mod kills;
mod load;
mod modules;
mod pictures;
mod pressure;
mod ratios;
mod server;
mod shapes;
mod tables;
mod training;

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

const CPU_BACKENDS: [&str; 2] = ["flex", "ndarray"];

/// Checks of nin-cli from outside; each prints one JSON object, and fails where it finds something
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  cargo build --release && cargo xtask cuts --cuts 20
  cargo xtask kills --kills 200 --binary target/release/nin-cli
  cargo xtask costs --config d2l-fashion-mnist-96
  cargo xtask early --config steady-fashion-mnist-96 --seeds 20 --at-least 0.25
  cargo xtask hashes --config quickstart --set training.precision=bf16
  cargo xtask ratios --python venv/bin/python --machine zen4-2c --output results/ratios.json
  cargo xtask hostile --requests 1000
  cargo xtask load --clients 16 --secs 10 --checkpoint runs/quickstart
  cargo xtask modules
  cargo xtask tables --check")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A training cut at random moments, by TERM and KILL, gives the bits of the uncut one
    Cuts(CutsArguments),
    /// A training killed at random moments leaves what `eval` opens
    Kills(KillsArguments),
    /// What checkpoints, the loader and the bookkeeping of every step take of an epoch, and that `shapes` takes
    /// less than 50 ms
    Costs(CostsArguments),
    /// The test accuracy of each seed of a recipe after its first steps
    Early(EarlyArguments),
    /// Fifty steps give the same weights with any threads and workers, cut or not, on flex and ndarray
    Hashes(HashesArguments),
    /// The rates of results/ as ratios to other frameworks, measured in turn
    Ratios(RatiosArguments),
    /// Rude requests, many at once, leave a server as it was
    Hostile(HostileArguments),
    /// How many pictures a server answers, how fast, and whether its memory grows
    Load(LoadArguments),
    /// No two modules of a crate import each other, directly or through others
    Modules,
    /// The tables of a Markdown file are made from the files under `results/`
    Tables(TablesArguments),
}

#[derive(Debug, Args)]
struct TablesArguments {
    /// The file
    #[arg(long, value_name = "FILE", default_value = "README.md")]
    file: PathBuf,
    /// Write nothing; fail where a table is not what its files say
    #[arg(long)]
    check: bool,
}

/// What both need.
#[derive(Debug, Args)]
struct SubjectArguments {
    /// The program
    #[arg(long, value_name = "PATH", default_value = "target/release/nin-cli")]
    binary: PathBuf,
    /// The backend
    #[arg(long, value_name = "BACKEND", default_value = "flex")]
    backend: String,
    /// From which the moments are drawn
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Args)]
struct CutsArguments {
    #[command(flatten)]
    subject: SubjectArguments,
    /// How often the training is cut
    #[arg(long, value_name = "N", default_value_t = 20)]
    cuts: usize,
    /// Override a key of the recipe; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Train on this folder of pictures by the recipe `pictures`; its cache is deleted now and then
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
    /// Epochs of the training
    #[arg(long, value_name = "N", default_value_t = 30)]
    epochs: usize,
}

#[derive(Debug, Args)]
struct KillsArguments {
    #[command(flatten)]
    subject: SubjectArguments,
    /// How often the training is killed
    #[arg(long, value_name = "N", default_value_t = 200)]
    kills: usize,
}

#[derive(Debug, Args)]
struct CostsArguments {
    /// The program
    #[arg(long, value_name = "PATH", default_value = "target/release/nin-cli")]
    binary: PathBuf,
    /// The recipe; its data must be at hand
    #[arg(long, value_name = "NAME-OR-FILE", default_value = "d2l-fashion-mnist-96")]
    config: String,
    /// The backend
    #[arg(long, value_name = "BACKEND", default_value = "flex")]
    backend: String,
    /// Images of an epoch that is measured
    #[arg(long, value_name = "N", default_value_t = 10_240)]
    images: usize,
    /// Images of a whole epoch, for the share that a checkpoint takes of it
    #[arg(long, value_name = "N", default_value_t = 60_000)]
    images_per_epoch: usize,
    /// Bare steps that are timed beside it
    #[arg(long, value_name = "N", default_value_t = 50)]
    steps: usize,
    /// How often each is measured
    #[arg(long, value_name = "N", default_value_t = 3)]
    pairs: usize,
}

#[derive(Debug, Args)]
struct EarlyArguments {
    /// The program
    #[arg(long, value_name = "PATH", default_value = "target/release/nin-cli")]
    binary: PathBuf,
    /// The recipe; its data must be at hand
    #[arg(long, value_name = "NAME-OR-FILE", default_value = "steady-fashion-mnist-96")]
    config: String,
    /// The backend
    #[arg(long, value_name = "BACKEND", default_value = "flex")]
    backend: String,
    /// The seeds 1 to this
    #[arg(long, value_name = "N", default_value_t = 20)]
    seeds: u64,
    /// Of training, before the evaluation; 47 batches of 128 are 6,000 images
    #[arg(long, value_name = "N", default_value_t = 47)]
    steps: usize,
    /// Fail where a seed's test accuracy is below this
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    at_least: f64,
}

#[derive(Debug, Args)]
struct HashesArguments {
    /// The program
    #[arg(long, value_name = "PATH", default_value = "target/release/nin-cli")]
    binary: PathBuf,
    /// The recipe
    #[arg(long, value_name = "NAME-OR-FILE", default_value = "quickstart")]
    config: String,
    /// Override a key of the recipe; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Compare each instruction set's weights with those in this file instead; add what it lacks
    #[arg(long, value_name = "FILE.json", conflicts_with_all = ["config", "set"])]
    baseline: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct RatiosArguments {
    /// The program
    #[arg(long, value_name = "PATH", default_value = "target/release/nin-cli")]
    binary: PathBuf,
    /// The Python that has the other frameworks
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: PathBuf,
    /// A program that each measurement is run through, such as taskset or one that keeps the machine quiet
    #[arg(long, value_name = "PROGRAM")]
    through: Option<PathBuf>,
    /// Only this row; may be repeated
    #[arg(long, value_name = "ROW")]
    only: Vec<String>,
    /// Only this backend; may be repeated
    #[arg(long, value_name = "BACKEND", value_parser = CPU_BACKENDS, default_values = CPU_BACKENDS)]
    backend: Vec<String>,
    /// How often each side is measured
    #[arg(long, value_name = "N", default_value_t = 3)]
    pairs: usize,
    /// Steps of a measurement
    #[arg(long, value_name = "N", default_value_t = 5)]
    steps: usize,
    /// The machine's name in results/README.md
    #[arg(long, value_name = "NAME")]
    machine: String,
    /// The file to write; rows that are measured again take their old one's place
    #[arg(long, value_name = "FILE.json")]
    output: PathBuf,
}

#[derive(Debug, Args)]
struct HostileArguments {
    #[command(flatten)]
    subject: SubjectArguments,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 1000)]
    requests: usize,
}

#[derive(Debug, Args)]
struct LoadArguments {
    #[command(flatten)]
    subject: SubjectArguments,
    /// Clients that ask one request after the other
    #[arg(long, value_name = "N", default_value_t = 16)]
    clients: usize,
    /// For how long
    #[arg(long, value_name = "SECS", default_value_t = 10)]
    secs: u64,
    /// What is served [default: a small network, trained first]
    #[arg(long, value_name = "PATH")]
    checkpoint: Option<PathBuf>,
    /// What is asked [default: a grey PNG of 28x28]
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let report = match Arguments::parse().command {
        Command::Cuts(arguments) => cuts::run(&arguments)?,
        Command::Costs(arguments) => costs::run(&arguments)?,
        Command::Early(arguments) => early::run(&arguments)?,
        Command::Hashes(arguments) => hashes::run(&arguments)?,
        Command::Modules => modules::run(Path::new("crates"))?,
        Command::Ratios(arguments) => ratios::run(&arguments)?,
        Command::Tables(arguments) => tables::run(&arguments.file, arguments.check)?,
        Command::Kills(arguments) => kills::run(&arguments.subject, arguments.kills)?,
        Command::Load(arguments) => load::run(&arguments)?,
        Command::Hostile(arguments) => hostile::run(&arguments.subject, arguments.requests)?,
    };
    println!("{report}");
    Ok(())
}

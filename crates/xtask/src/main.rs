//! `cargo xtask`: checks of the program from outside, small in `.ci/run` and as large as you like.

mod chance;
mod cuts;
mod kills;
mod shapes;
mod tables;
mod training;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Checks of nin-cli from outside; each prints one JSON object, and fails where it finds something
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  cargo build --release && cargo xtask cuts --cuts 20
  cargo xtask kills --kills 200 --binary target/release/nin-cli
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
}

#[derive(Debug, Args)]
struct KillsArguments {
    #[command(flatten)]
    subject: SubjectArguments,
    /// How often the training is killed
    #[arg(long, value_name = "N", default_value_t = 200)]
    kills: usize,
}

fn main() -> anyhow::Result<()> {
    let report = match Arguments::parse().command {
        Command::Cuts(arguments) => cuts::run(&arguments.subject, arguments.cuts)?,
        Command::Tables(arguments) => tables::run(&arguments.file, arguments.check)?,
        Command::Kills(arguments) => kills::run(&arguments.subject, arguments.kills)?,
    };
    println!("{report}");
    Ok(())
}

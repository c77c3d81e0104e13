//! `cargo xtask`: checks of the program from outside. `.ci/run` runs a few of each; you can run more.

mod arguments;
mod book;
mod chance;
mod costs;
mod cuts;
mod early;
mod gpu;
mod hashes;
mod hostile;
mod kills;
mod links;
mod load;
mod markdown;
mod modules;
mod pictures;
mod pressure;
mod ratios;
mod server;
mod shapes;
mod tables;
mod training;

use std::path::Path;

use clap::Parser;

use crate::arguments::{Arguments, Command};

fn main() -> anyhow::Result<()> {
    let report = match Arguments::parse().command {
        Command::Cuts(arguments) => cuts::run(&arguments)?,
        Command::Costs(arguments) => costs::run(&arguments)?,
        Command::Early(arguments) => early::run(&arguments)?,
        Command::Gpu(arguments) => gpu::run(&arguments)?,
        Command::Hashes(arguments) => hashes::run(&arguments)?,
        Command::Book(arguments) => book::run(&arguments.mdbook)?,
        Command::Links => links::run(Path::new("."))?,
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

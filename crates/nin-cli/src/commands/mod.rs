//! One file per command.

mod bench;
mod compare;
mod completions;
mod data;
mod devices;
mod eval;
mod export;
mod find;
mod import;
mod predict;
mod quantize;
mod report;
mod seeds;
mod serve;
mod shapes;
mod train;

use std::process::ExitCode;

use crate::arguments::{Arguments, Command};

/// Runs the command.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Train(arguments) if seeds::is_asked(&arguments) => seeds::run(&arguments),
        Command::Train(arguments) => train::run(&arguments),
        Command::Eval(arguments) => eval::run(&arguments),
        Command::Predict(arguments) => predict::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Quantize(arguments) => quantize::run(&arguments),
        Command::Find(arguments) => find::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Shapes(arguments) => shapes::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Data(arguments) => data::run(&arguments.command),
        Command::Devices(arguments) => devices::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => completions::man(&arguments),
    }
}

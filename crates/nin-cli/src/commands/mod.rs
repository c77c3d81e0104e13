//! One file a command.

mod bench;
mod data;
mod devices;
mod eval;
mod shapes;
mod train;

use std::process::ExitCode;

use crate::arguments::{Arguments, Command};

/// Runs the command.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Train(arguments) => train::run(&arguments),
        Command::Eval(arguments) => eval::run(&arguments),
        Command::Shapes(arguments) => shapes::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Data(arguments) => data::run(&arguments.command),
        Command::Devices(arguments) => devices::run(&arguments),
    }
}

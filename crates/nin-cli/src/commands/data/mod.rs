//! `data`: downloads known data sets and checks any.

mod check;
mod fetch;

use std::process::ExitCode;

use crate::arguments::DataCommand;

pub fn run(command: &DataCommand) -> anyhow::Result<ExitCode> {
    match command {
        DataCommand::Check(arguments) => check::run(arguments),
        DataCommand::Fetch(arguments) => fetch::run(arguments),
    }
}

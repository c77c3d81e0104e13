//! `data`: known data sets, and what is to be known of one's own.

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

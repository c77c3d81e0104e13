//! `nin-cli`: trains, evaluates and inspects Network in Network image classifiers.
#![recursion_limit = "256"]
#![allow(unreachable_pub, reason = "a program has no public interface")]

mod arguments;
mod backend;
mod commands;
mod comparison;
mod curves;
mod curves_file;
mod dataset;
mod drawing;
mod error;
mod exit;
mod fetch;
mod fine_tuning;
mod hints;
mod interrupt;
mod measure;
mod output;
mod page;
mod pictures;
mod pretrained;
mod progress;
mod quote;
mod ranks;
mod report;
mod search;
mod seeds;
mod series;
mod serve;
mod session;
mod settings;
mod stderr;
mod stopping;
mod tensorboard;
mod terminal;
mod threshold;
mod xml;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;

fn main() -> ExitCode {
    backend::configure();
    interrupt::outlive_file_limit();
    // Exits with 2 on wrong usage, and with 0 for help and version.
    let arguments = Arguments::parse();
    let finished = backend::override_instruction_set().and_then(|()| commands::run(arguments));
    match finished {
        Ok(code) => code,
        Err(error) => exit::report(&error),
    }
}

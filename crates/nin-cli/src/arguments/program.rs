//! The arguments of the commands on the program and its machine: `devices`, `completions` and `man`.

use std::path::PathBuf;

use clap::Args;

use crate::output::Format;

/// `devices`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  nin-cli devices --format json")]
pub struct DevicesArguments {
    /// Output format
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub format: Format,
}

/// `completions`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  nin-cli completions bash > ~/.local/share/bash-completion/completions/nin-cli")]
pub struct CompletionsArguments {
    /// Shell to generate completions for
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// `man`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nin-cli man | man -l -
  nin-cli man --output ~/.local/share/man/man1")]
pub struct ManArguments {
    /// Write one page per command to this folder
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

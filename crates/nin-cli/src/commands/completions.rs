//! `completions` and `man`: shell completions and manual pages, generated from the arguments.

use std::path::Path;
use std::process::ExitCode;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::arguments::{Arguments, CompletionsArguments, ManArguments};
use crate::output::{note, print_text, save};

const PROGRAM: &str = "nin-cli";

pub fn run(arguments: &CompletionsArguments) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), PROGRAM, &mut script);
    print_text(String::from_utf8_lossy(&script).trim_end())?;
    Ok(ExitCode::SUCCESS)
}

pub fn man(arguments: &ManArguments) -> anyhow::Result<ExitCode> {
    let Some(folder) = &arguments.output else {
        let mut page = Vec::new();
        Man::new(Arguments::command()).render(&mut page)?;
        print_text(String::from_utf8_lossy(&page).trim_end())?;
        return Ok(ExitCode::SUCCESS);
    };
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    save_pages(&command, folder)?;
    note(format!("wrote the pages into {}", folder.display()));
    Ok(ExitCode::SUCCESS)
}

/// Writes a page for each command, like `clap_mangen::generate_to`, but follows no links.
fn save_pages(command: &Command, folder: &Path) -> anyhow::Result<()> {
    for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        save_pages(command, folder)?;
    }
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render(&mut page)?;
    save(&folder.join(man.get_filename()), &page)
}

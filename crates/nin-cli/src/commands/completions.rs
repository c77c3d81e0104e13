//! `completions` and `man`: what shells and `man` know of this program, from its own arguments.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_mangen::Man;

use crate::arguments::{Arguments, CompletionsArguments, ManArguments};
use crate::output::{create_folder, note, print_text, unwritable};

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
    create_folder(folder)?;
    clap_mangen::generate_to(Arguments::command(), folder)
        .map_err(|error| unwritable("write into", folder, &error))?;
    note(format!("wrote the pages into {}", folder.display()));
    Ok(ExitCode::SUCCESS)
}

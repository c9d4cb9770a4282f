//! `loadgen man`: pages for man, from the definition that reads the command line.

use std::fs;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;

use crate::command::{Exit, refuse, visible};

/// The options of `loadgen man`.
#[derive(Debug, Clone, Args)]
pub struct ManOptions {
    /// The command whose page is printed; without one the page of the whole program.
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    pub command: Option<String>,
    /// Write all pages into this directory instead: loadgen.1, loadgen-run.1 and so on.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Prints a page or writes them all.
pub fn execute(options: &ManOptions, line: &Command) -> Exit {
    let pages = pages(line);
    if let Some(directory) = &options.out {
        return match write_all(&pages, directory) {
            Ok(()) => Exit::Fine,
            Err(error) => {
                refuse(format_args!("cannot write the pages to {}: {error}", directory.display()), Exit::ToolError)
            }
        };
    }
    let name = options.command.as_ref().map_or_else(String::new, |command| format!("-{command}"));
    let file = format!("{}{name}.1", line.get_name());
    match pages.iter().find(|(found, _)| *found == file) {
        Some((_, page)) => {
            // Who closed the pipe has read enough.
            let _ = stdout().write_all(page);
            Exit::Fine
        }
        None => refuse(format_args!("there is no command {}", &name[1..]), Exit::InvalidRun),
    }
}

/// Each page with the name of its file: the program first, then its commands.
pub fn pages(line: &Command) -> Vec<(String, Vec<u8>)> {
    let mut line = visible(line).disable_help_subcommand(true);
    // Tells the commands their whole names: man looks for loadgen-run.
    line.build();
    let program = line.get_name();
    let whole = std::iter::once((program.to_owned(), &line));
    let commands = line.get_subcommands().map(|command| (format!("{program}-{}", command.get_name()), command));
    whole.chain(commands).map(|(title, command)| (format!("{title}.1"), page(title, command))).collect()
}

fn page(title: String, command: &Command) -> Vec<u8> {
    let mut page = Vec::new();
    // Memory takes every write.
    let _ = Man::new(command.clone()).title(title).render(&mut page);
    page
}

fn write_all(pages: &[(String, Vec<u8>)], directory: &Path) -> std::io::Result<()> {
    fs::create_dir_all(directory)?;
    pages.iter().try_for_each(|(file, page)| fs::write(directory.join(file), page))
}

//! Arguments and the short-lived commands. Exit status: 0 as asked, 1 refused or failed, 2 not understood.
//!
//! Nothing here prints with the standard macros, which abort when the disk is full: text goes through `output`, which
//! can fail. Adding a command is a row of [`arguments::COMMANDS`], a variant and a file.
//! Commands are `inline(never)`: in one function with a frame for all of them they are 2 KB larger.

pub mod arguments;
mod check;
mod console;
mod ctl;
mod daemon;
mod digest;
pub mod output;
mod show_config;

use std::ffi::OsString;

use crate::kernel::machine::FIRST;
use crate::kernel::process;
use arguments::Command;
use output::Output;

use crate::config::{differences, explain, help};

/// It was done.
pub const OK: u8 = 0;
/// It was refused, or went wrong.
pub const FAILED: u8 = 1;
/// The arguments were not understood.
pub const USAGE: u8 = 2;

/// Does what the arguments say (the first is the program's name) and returns the exit status.
///
/// As PID 1 it is the appliance and does not return, unless a command was asked for (a container's `lvsbox run FILE`).
/// Whatever else the kernel hands to PID 1 stood on the kernel's own command line.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if process::id() == FIRST && !arguments.get(1).is_some_and(|word| arguments::is_command(word)) {
        crate::boot::run();
    }
    let command = match arguments::parse(arguments) {
        Ok(command) => command,
        Err(error) => {
            let mut errors = Output::errors();
            errors.line(format_args!("lvsbox: {error}"));
            errors.line(format_args!("try: lvsbox help"));
            return USAGE;
        }
    };
    match command {
        Command::Run(arguments) => daemon::run(&arguments),
        Command::Check { file, config_id, json, memory } => {
            check::run(&file, config_id.as_deref(), (json, memory))
        }
        Command::ShowConfig { file, config_id, passwords } => {
            show_config::run(&file, config_id.as_deref(), passwords)
        }
        Command::Ctl { control, words } => ctl::run(&control, &words),
        Command::Console { control } => console::run(&control),
        Command::Digest(asked) => digest::run(&asked),
        Command::Version => say(format_args!("lvsbox {}", env!("CARGO_PKG_VERSION"))),
        Command::Help => say(format_args!("{}", arguments::help())),
        Command::Keyword(name) => explain(help::keyword(&name)),
        Command::Code(number) => {
            explain(explain::code(number).ok_or_else(|| "there is no such code".to_owned()))
        }
        Command::Differences => say(format_args!("{}", differences::text())),
    }
}

/// What was asked for, or why it cannot be said.
fn explain(found: Result<String, String>) -> u8 {
    match found {
        Ok(text) => say(format_args!("{text}")),
        Err(error) => {
            Output::errors().line(format_args!("lvsbox: {error}"));
            FAILED
        }
    }
}

fn say(text: core::fmt::Arguments<'_>) -> u8 {
    let mut output = Output::new();
    output.line(text);
    output.status()
}

//! The program: arguments in, an exit status out.

use std::borrow::Cow;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use super::command::{Cli, run};
use super::shared::{WrongUsage, chain, interrupted, log_to_stderr, say};
use crate::memory::{self, MemoryBudget};
use crate::progress::Cancelled;
use crate::threads;
use crate::words::one_line;

/// Parses the arguments, does what they say and turns an error into an exit status:
/// 0 done, 1 failed, 2 wrong usage, 130 asked to end (Ctrl-C, SIGTERM, SIGHUP) before it was done.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) => return told(&answer),
    };
    if cli.command.is_some() && !cli.window.is_empty() {
        let message = "--model, --data, --split, --image, --open and what is said about a model come after the command's name";
        return told(&Cli::command().error(ErrorKind::ArgumentConflict, message));
    }
    log_to_stderr();
    threads::choose(cli.shared.threads);
    let budget = cli.shared.memory.map_or_else(MemoryBudget::of_this_machine, MemoryBudget::new);
    memory::choose(if cli.has_window() { budget } else { budget.for_command() });
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(WrongUsage(message)) = error.downcast_ref() {
                return told(&Cli::command().error(ErrorKind::MissingRequiredArgument, message));
            }
            say(&format!("error: {}", chain(&error)));
            if error.is::<Cancelled>() { interrupted() } else { ExitCode::FAILURE }
        }
    }
}

/// Says what the parser says, which may be the help that was asked for, and returns its exit status.
fn told(answer: &clap::Error) -> ExitCode {
    let is_foul = |arg: OsString| matches!(one_line(&arg.to_string_lossy()), Cow::Owned(_));
    if std::env::args_os().any(is_foul) {
        // It repeats what was typed; without colours all sequences are taken out.
        answer.render().to_string().trim_end().lines().for_each(|line| say(&one_line(line)));
    } else {
        // That nobody reads it changes nothing.
        answer.print().unwrap_or_default();
    }
    ExitCode::from(u8::try_from(answer.exit_code()).unwrap_or(2))
}

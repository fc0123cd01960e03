//! The program: arguments in, an exit status out.

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use super::command::{Cli, run};
use super::shared::{WrongUsage, chain};
use crate::memory::{self, MemoryBudget};
use crate::threads;

/// Parses the arguments, does what they say and turns an error into an exit status:
/// 0 done, 1 failed, 2 wrong usage.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.command.is_some() && !cli.window.is_empty() {
        let message = "--model, --data, --split, --image, --open and what is said about a model come after the command's name";
        Cli::command().error(ErrorKind::ArgumentConflict, message).exit();
    }
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn,wgpu_hal=error"))
        .format_timestamp(None)
        .init();
    threads::choose(cli.shared.threads);
    let budget = cli.shared.memory.map_or_else(MemoryBudget::of_this_machine, MemoryBudget::new);
    memory::choose(if cli.opens_window() { budget } else { budget.for_command() });
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(WrongUsage(message)) = error.downcast_ref() {
                Cli::command().error(ErrorKind::MissingRequiredArgument, message).exit();
            }
            eprintln!("error: {}", chain(&error));
            ExitCode::FAILURE
        }
    }
}

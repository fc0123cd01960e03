//! The command line: arguments are parsed, then resolved once into a request that the engine
//! understands; results are printed in words or as one JSON document.

mod args;
mod bank;
mod bench;
mod commander;
mod compare;
mod data;
mod eval;
mod figure;
mod model;
mod output;
mod train;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::Cli;

use crate::threads;

/// Parses the arguments, does what they say and turns an error into an exit status:
/// 0 done, 1 failed, 2 wrong usage.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.command.is_some() && !cli.window.is_empty() {
        let message = "--model, --data, --split, --image, --open and what is said about a model come after the command's name";
        Cli::command().error(clap::error::ErrorKind::ArgumentConflict, message).exit();
    }
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn,wgpu_hal=error"))
        .format_timestamp(None)
        .init();
    threads::choose(cli.shared.threads);
    match commander::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", output::chain(&error));
            ExitCode::FAILURE
        }
    }
}

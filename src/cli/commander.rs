//! From the arguments to the command that they mean, and what all commands share.

use anyhow::Context;
use clap::CommandFactory;
use clap::error::ErrorKind;

use super::args::{Cli, Command, GuiArgs, Shared};
use super::output::Bar;
use crate::engine::facts::{ModelSpec, Skipped};
use crate::engine::jobs::Job;
use crate::progress::CancelToken;
use crate::threads;

/// Does what the arguments say.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    let Cli { shared, window: opened, command } = cli;
    let Some(command) = command else { return window(opened, &shared) };
    if let Command::Gui(args) = command {
        return window(args, &shared);
    }
    threads::lead();
    let context = Commander::new(shared)?;
    match command {
        Command::Gui(_) => unreachable!("handled above"),
        Command::Data(command) => context.data(command),
        Command::Model(command) => context.model(command),
        Command::Embed(args) => context.embed(args),
        Command::Bank(command) => context.bank(command),
        Command::Knn(args) => context.knn(args),
        Command::Compare(args) => context.compare(args),
        Command::Heatmap(args) => context.heatmap(args),
        Command::Gallery(args) => context.gallery(args),
        Command::Train(args) => context.train(args),
        Command::Eval(args) => context.eval(args),
        Command::Locality(args) => context.locality(args),
        Command::Figure(args) => context.figure(args),
        Command::Bench { quick } => context.bench(quick),
    }
}

fn window(args: GuiArgs, shared: &Shared) -> anyhow::Result<()> {
    let data = args.data.unwrap_or_else(|| "demo".into());
    let path = args.model.unwrap_or_else(|| "demo".into());
    let model = ModelSpec { path, overrides: args.overrides.into() };
    let (split, image, runs, link) = (args.split, args.image, args.run, args.open);
    let options = crate::gui::GuiOptions { model, data, split, image, runs, link };
    let memory = args.memory.map(|gib| (gib * f64::from(1 << 30)) as u64);
    crate::gui::open(options, shared.device, memory)
}

/// What all commands share while they run.
pub struct Commander {
    pub shared: Shared,
    pub cancel: CancelToken,
    pub bar: Bar,
}

impl Commander {
    fn new(shared: Shared) -> anyhow::Result<Self> {
        let cancel = CancelToken::default();
        let token = cancel.clone();
        #[expect(
            clippy::disallowed_methods,
            reason = "a second Ctrl-C does not wait for work that looks up too rarely"
        )]
        let stop = move || if token.is_cancelled() { std::process::exit(130) } else { token.cancel() };
        ctrlc::set_handler(stop).context("could not listen for Ctrl-C")?;
        Ok(Self { shared, cancel, bar: Bar::new() })
    }

    pub fn json(&self) -> bool {
        self.shared.json
    }

    pub fn seed(&self) -> u64 {
        self.shared.seed.unwrap_or(0)
    }

    /// Runs a job with progress on the bar.
    pub fn job<T>(&self, run: impl FnOnce(Job<'_>) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let mut progress = |progress| self.bar.update(&progress);
        run(Job {
            device: self.shared.device,
            seed: self.seed(),
            cancel: &self.cancel,
            progress: &mut progress,
        })
    }
}

/// How many files were left out and why the first was; nothing where there are none.
pub fn skipped_words(skipped: &[Skipped]) -> String {
    match skipped {
        [] => String::new(),
        [first, ..] => format!("; {} skipped, first {}: {}", skipped.len(), first.file, first.reason),
    }
}

/// Ends the program as a wrong argument does: a message and status 2.
pub fn wrong_usage(message: &str) -> ! {
    Cli::command().error(ErrorKind::MissingRequiredArgument, message).exit()
}

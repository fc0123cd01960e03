//! `bagssl serve --stdio`: the engine of a window on another machine.

use std::io::{self, BufWriter};

use clap::Args;
use crossbeam_channel::bounded;

use super::shared::{SharedArgs, listen};
use crate::engine::{self, remote};

#[derive(Args)]
pub struct ServeArgs {
    /// Talk to the window over stdin and stdout, and end with them
    #[arg(long, required = true)]
    pub stdio: bool,
}

/// Serves until the window closes the line or a signal comes; a run in training writes its checkpoint then.
#[expect(
    clippy::disallowed_methods,
    reason = "stdout is the line; whoever does not read it any more is gone"
)]
pub fn serve(_: &ServeArgs, shared: &SharedArgs) -> anyhow::Result<()> {
    let (stop, stopped) = bounded(1);
    listen(move || _ = stop.try_send(()))?;
    let (cache, choice) = (shared.cache(), shared.device);
    remote::serve(io::stdin(), BufWriter::new(io::stdout()), stopped, move |wake| {
        engine::start(engine::open_device(choice)?, cache, wake)
    })
}

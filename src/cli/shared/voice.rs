//! The one place that speaks to whoever started the program. Nobody need listen: a full disk behind `2>`, a pipe whose
//! reader has gone or a terminal that was closed stop no work.

use std::io::{ErrorKind, Write};

use anyhow::Context;

use crate::words::{legible, one_line};

/// Says something on stderr.
#[expect(clippy::disallowed_methods, reason = "here what cannot be said is let go")]
pub fn say(words: &str) {
    // In one piece, so that lines of several threads do not mix; there is nobody to tell that nobody hears.
    let _ = std::io::stderr().lock().write_all(format!("{}\n", legible(words)).as_bytes());
}

/// Prints a result on stdout.
///
/// # Errors
/// It cannot be written, such as on a full disk. That its reader has seen enough (`bagssl knn ... | head`) is none.
#[expect(clippy::disallowed_methods, reason = "here a reader that has gone is no error")]
pub fn print(result: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let done = out.write_all(format!("{}\n", legible(result)).as_bytes()).and_then(|()| out.flush());
    match done {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other.context("the result could not be printed on stdout"),
    }
}

/// Lets what is logged speak on stderr too. What a font lacks figures say themselves, not with usvg's words; that a part of an
/// index has no rows of some list is nothing to Lance's reader.
pub fn log_to_stderr() {
    const HEARD: &str = "warn,wgpu_hal=error,usvg=error,lance::index::vector::builder=error";
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(HEARD))
        .format(|out, record| {
            let (level, style) = (record.level(), out.default_level_style(record.level()));
            let words = record.args().to_string();
            writeln!(out, "[{style}{level:<5}{style:#} {}] {}", record.target(), one_line(&words))
        })
        .init();
}

//! Progress on stderr, results on stdout.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::voice;
use crate::progress::Progress;
pub use crate::words::thousands;
use crate::words::{legible, one_line};

/// An error and its causes, as [`one_line`].
pub fn chain(error: &anyhow::Error) -> String {
    one_line(&format!("{error:#}")).into_owned()
}

/// Prints a result: as one JSON document, or in words.
pub fn show<T: Serialize>(json: bool, result: &T, words: impl FnOnce() -> String) -> anyhow::Result<()> {
    let text = if json { serde_json::to_string_pretty(result)? } else { words() };
    voice::print(&text)
}

/// A progress bar on stderr; none where stderr is no terminal.
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar that shows once the first progress arrives.
    pub fn new() -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(8));
        let style = ProgressStyle::with_template("{prefix} {wide_bar} {human_pos}/{human_len} {msg}");
        Self(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    /// Shows how far the work is.
    pub fn update(&self, progress: &Progress) {
        self.0.set_length(progress.total);
        self.0.set_position(progress.done);
        self.0.set_prefix(progress.what);
        let rate = progress.rate().map_or(String::new(), |rate| format!(" · {rate:.1} {}/s", progress.unit));
        let left = progress
            .remaining()
            .map_or(String::new(), |left| format!(" · {} left", duration(left.as_secs())));
        self.0.set_message(format!("{}{rate}{left}", progress.unit));
    }

    /// Prints a line above the bar.
    pub fn say(&self, line: &str) {
        if self.0.is_hidden() {
            voice::say(line);
        } else {
            self.0.println(legible(line));
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// "2 min 5 s".
pub fn duration(secs: u64) -> String {
    match secs {
        0..60 => format!("{secs} s"),
        60..3600 => format!("{} min {} s", secs / 60, secs % 60),
        _ => format!("{} h {} min", secs / 3600, secs / 60 % 60),
    }
}

/// "1.2 GB".
pub fn bytes(count: u64) -> String {
    indicatif::DecimalBytes(count).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_easily() {
        assert_eq!(thousands(1_204_000), "1,204,000");
        assert_eq!(thousands(999), "999");
        assert_eq!(duration(125), "2 min 5 s");
    }
}

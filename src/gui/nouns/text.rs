//! Numbers and times as the window writes them.

pub use crate::words::{count, thousands};
use std::time::Duration;

use crate::engine::MapMode;

/// `text` with its first letter large: a sentence of its own.
pub fn first_upper(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// A time to wait, in its largest fitting unit: `40 s`, `2 min`, `3 h 20 min`.
pub fn wait(duration: Duration) -> String {
    let secs = duration.as_secs();
    match secs {
        0..60 => format!("{} s", secs.max(1)),
        60..3600 => format!("{} min", (secs + 30) / 60),
        _ => format!("{} h {} min", secs / 3600, secs % 3600 / 60),
    }
}

/// A cosine with its sign and two digits, so that columns line up: `+0.91`, `-0.07`.
pub fn cosine(value: f32) -> String {
    if value.is_nan() { "not yet".to_owned() } else { format!("{value:+.2}") }
}

/// What a map shows at a place, in its mode: a rank from 0 to 1 has no sign.
pub fn shown(value: f32, mode: MapMode) -> String {
    match mode {
        MapMode::Ranks | MapMode::Lengths if !value.is_nan() => format!("{value:.2}"),
        _ => cosine(value),
    }
}

/// The last `keep` characters of `text`, with dots before them if some were left out.
pub fn tail(text: &str, keep: usize) -> String {
    let length = text.chars().count();
    if length <= keep {
        return text.to_owned();
    }
    format!("...{}", text.chars().skip(length - keep.saturating_sub(3)).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        let numbers = [0, 12, 999, 1_000, 50_000, 1_204_000];
        assert_eq!(numbers.map(thousands), ["0", "12", "999", "1,000", "50,000", "1,204,000"]);
        assert_eq!([count(1, "image"), count(2, "patch")], ["1 image", "2 patches"]);
    }

    #[test]
    fn ranks_have_no_sign_and_cosines_have() {
        assert_eq!([MapMode::Ranks, MapMode::Cosine].map(|mode| shown(0.5, mode)), ["0.50", "+0.50"]);
        assert_eq!(shown(f32::NAN, MapMode::Ranks), "not yet");
    }

    #[test]
    fn times_are_told_in_their_largest_unit() {
        let times = [0, 40, 125, 7_260].map(|secs| wait(Duration::from_secs(secs)));
        assert_eq!(times, ["1 s", "40 s", "2 min", "2 h 1 min"]);
    }

    #[test]
    fn long_names_keep_their_end() {
        assert_eq!(tail("folder/picture.png", 14), "...picture.png");
        assert_eq!(tail("short", 14), "short");
    }
}

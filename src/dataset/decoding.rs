//! The choices in how picture files become 8-bit RGB, and what they came to in a data set.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use super::with_thousands;

/// How picture files become 8-bit RGB. The default is what a viewer shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Decoding {
    /// Whether pictures are turned as their EXIF (or XMP) orientation says.
    pub exif: Exif,
    /// Which values of samples with more than 8 bits become black and white.
    pub value_window: ValueRule,
}

/// The options that say so, where they are not the default.
impl fmt::Display for Decoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        if self.exif == Exif::Ignore {
            words.push("--exif ignore".to_owned());
        }
        if self.value_window != ValueRule::File {
            words.push(format!("--value-window {}", self.value_window));
        }
        f.write_str(&words.join(" "))
    }
}

/// What is done with the EXIF (or XMP) orientation of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Exif {
    /// Turn the picture as it says, as viewers do.
    #[default]
    Apply,
    /// Leave the pixels as they are stored, as torchvision's loaders do.
    Ignore,
}

/// Which values become black and white, of pictures with more than 8 bits a sample (16, 32 or 64, whole or
/// floating-point). Between them the way is straight: whole numbers fall into 256 equal bins. Pictures
/// of 8 bits stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum ValueRule {
    /// What the file says (TIFF: smallest and largest sample value; PNG: significant bits), else as [`ValueRule::Image`].
    #[default]
    File,
    /// The smallest and the largest value of each image, over all colours; a 16-bit image whose high bytes go
    /// from 0 to 255 is read over its whole range.
    Image,
    /// The smallest and the largest value of all images of the set, in both splits where it has two, that have more
    /// than 8 bits.
    Data,
    /// These for all.
    Window(ValueWindow),
}

/// The values that become black and white: finite, `low <= high`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueWindow {
    /// Becomes black, and so does what lies below.
    pub low: f64,
    /// Becomes white, and so does what lies above.
    pub high: f64,
}

// No value is NaN, so that equality is one.
impl Eq for ValueWindow {}

impl Hash for ValueWindow {
    fn hash<H: Hasher>(&self, state: &mut H) {
        [self.low, self.high].map(|value| (value + 0.0).to_bits()).hash(state);
    }
}

impl ValueWindow {
    /// All values of 16 bits.
    pub const WHOLE_16: Self = Self { low: 0.0, high: 65_535.0 };

    /// The smallest window that holds both.
    pub fn with(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// It, or the whole range of 16 bits if it holds all of their high bytes.
    pub fn or_whole_16(self) -> Self {
        let holds_all = (0.0..256.0).contains(&self.low) && (65_280.0..=65_535.0).contains(&self.high);
        if holds_all { Self::WHOLE_16 } else { self }
    }
}

/// "0 to 4,095".
impl fmt::Display for ValueWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", number(self.low), number(self.high))
    }
}

fn number(value: f64) -> String {
    let is_count = value.fract() == 0.0 && (0.0..1e15).contains(&value);
    if is_count { with_thousands(value as u64) } else { format!("{value}") }
}

/// The word, or `LOW,HIGH`.
impl fmt::Display for ValueRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueRule::File => f.write_str("file"),
            ValueRule::Image => f.write_str("image"),
            ValueRule::Data => f.write_str("data"),
            ValueRule::Window(window) => write!(f, "{},{}", window.low, window.high),
        }
    }
}

impl From<ValueRule> for String {
    fn from(rule: ValueRule) -> Self {
        rule.to_string()
    }
}

impl TryFrom<String> for ValueRule {
    type Error = anyhow::Error;

    fn try_from(text: String) -> anyhow::Result<Self> {
        text.parse()
    }
}

impl FromStr for ValueRule {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let ends = match text.trim() {
            "file" => return Ok(ValueRule::File),
            "image" => return Ok(ValueRule::Image),
            "data" => return Ok(ValueRule::Data),
            ends => ends.split_once(','),
        };
        let expected = || format!("{text:?}: expected file, image, data, or LOW,HIGH such as 0,4095");
        let value = |text: &str| text.trim().parse().ok().filter(|value: &f64| value.is_finite());
        let ends = ends.and_then(|(low, high)| Some((value(low)?, value(high)?)));
        let (low, high) = ends.with_context(expected)?;
        ensure!(low < high, "{text:?}: expected the smaller value first, such as 0,4095");
        Ok(ValueRule::Window(ValueWindow { low, high }))
    }
}

/// What the choices came to in a data set; only sets that they matter to have this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecodingFacts {
    /// What was done with orientations.
    pub exif: Exif,
    /// What chose black and white.
    pub value_window: ValueRule,
    /// Images of the set.
    pub images: u64,
    /// Images with an orientation that turns or mirrors them.
    pub turned: u64,
    /// Images with more than 8 bits a sample.
    pub wide: u64,
    /// The values that became black and white, where they are the same for all of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<ValueWindow>,
    /// Samples that are not numbers (NaN), where all images were looked at for `window`; they are black.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_numbers: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl DecodingFacts {
    /// Of two sets together, both opened with the same choices.
    pub fn of_both(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(one.with(&other)),
            (one, other) => one.or(other),
        }
    }

    /// Of another set beside this one, both opened with the same choices.
    fn with(&self, other: &Self) -> Self {
        Self {
            exif: self.exif,
            value_window: self.value_window,
            images: self.images + other.images,
            turned: self.turned + other.turned,
            wide: self.wide + other.wide,
            window: if other.wide == 0 {
                self.window
            } else if self.wide == 0 {
                other.window
            } else {
                self.window.filter(|_| self.window == other.window)
            },
            not_numbers: self.not_numbers + other.not_numbers,
        }
    }

    /// One sentence for each choice that mattered, without a stop.
    pub fn words(&self) -> Vec<String> {
        let of = |count: u64| format!("{} of {}", with_thousands(count), with_thousands(self.images));
        let mut words = Vec::new();
        if self.turned > 0 {
            let done = match self.exif {
                Exif::Apply => "applied to",
                Exif::Ignore => "ignored in",
            };
            words.push(format!("EXIF orientation {done} {} images", of(self.turned)));
        }
        if self.wide > 0 {
            let (rule, many) = (self.value_window, self.images > 1);
            let whose = match rule {
                ValueRule::File => "what the file says, else its smallest and largest value",
                ValueRule::Image if many => "the smallest and largest value of each image",
                ValueRule::Image => "the smallest and largest value of the image",
                ValueRule::Data => "the smallest and largest value of the data set",
                ValueRule::Window(_) => "as chosen",
            };
            let which = match self.window {
                Some(window) => format!("{window} ({whose})"),
                None => whose.to_owned(),
            };
            let wide = if many { format!(" of {} images", of(self.wide)) } else { String::new() };
            words.push(format!("more than 8 bits{wide}: black to white is {which}"));
        }
        if self.not_numbers > 0 {
            words.push(not_numbers_words(self.not_numbers));
        }
        words
    }
}

/// How many samples are not numbers.
pub(super) fn not_numbers_words(count: u64) -> String {
    match count {
        1 => "1 sample that is not a number (NaN) is shown black".into(),
        _ => format!("{} samples that are not numbers (NaN) are shown black", with_thousands(count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_as_it_is_written() {
        let window = ValueWindow { low: -0.5, high: 4095.0 };
        for rule in [ValueRule::File, ValueRule::Image, ValueRule::Data, ValueRule::Window(window)] {
            assert_eq!(rule.to_string().parse::<ValueRule>().unwrap(), rule);
        }
        for wrong in ["", "none", "4095", "4095,0", "1,1", "0,inf", "NaN,1"] {
            let error = wrong.parse::<ValueRule>().unwrap_err().to_string();
            assert!(error.contains("0,4095"), "{wrong}: {error}");
        }
    }

    #[test]
    fn words_say_what_was_done_and_to_how_many_images() {
        let (exif, value_window) = (Exif::Ignore, ValueRule::Data);
        let window = Some(ValueWindow { low: 12.0, high: 4011.0 });
        let facts =
            DecodingFacts { exif, value_window, images: 2_000, turned: 3, wide: 40, window, not_numbers: 7 };
        let expected = [
            "EXIF orientation ignored in 3 of 2,000 images",
            "more than 8 bits of 40 of 2,000 images: black to white is 12 to 4,011 (the smallest and largest value of the data set)",
            "7 samples that are not numbers (NaN) are shown black",
        ];
        assert_eq!(facts.words(), expected);
        let text = serde_json::to_string(&facts).unwrap();
        assert_eq!(serde_json::from_str::<DecodingFacts>(&text).unwrap(), facts);
    }
}

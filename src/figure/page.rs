//! What all figures of patches share: the page, the colours of boxes, the letters of panels.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::canvas::PT;
use super::font::FontChoice;
use super::outlines::TextAs;
use super::output;
use crate::colormap::{OTHER_CLASS, QUERY, SAME_CLASS, UNLABELLED};
use crate::search::Relation;

/// Least size of any text on paper, points.
pub const LEAST_PT: f32 = 6.0;

/// The page of a figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Page {
    /// Width, inches (a column is 3.25, a text width 5.5 or 6.75).
    pub width_in: f32,
    /// Size of headings, points; small text is 7/8 of it.
    pub text_pt: f32,
    /// Colours of boxes.
    pub palette: BoxPalette,
    /// Which panels bear letters.
    pub letters: Letters,
    /// What text is in an SVG.
    #[serde(default = "TextAs::of_old")]
    pub text: TextAs,
    /// The font, where it is not the program's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub font: Option<FontChoice>,
    /// Whether geometry, model and data set stand below. What is left out of a picture is
    /// said in any case.
    pub facts: bool,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            width_in: 6.75,
            text_pt: 8.0,
            palette: BoxPalette::default(),
            letters: Letters::default(),
            text: TextAs::default(),
            font: None,
            facts: true,
        }
    }
}

impl Page {
    /// Width, size of headings and of small text in units, checked.
    pub(super) fn units(&self) -> Result<(i32, i32, i32)> {
        let width = output::page_width(self.width_in)?;
        let text = text_units(self.text_pt)?;
        Ok((width, text, text * 7 / 8))
    }

    /// The letter of block `index` of `count`: "(a)"; nothing where there is one block only.
    pub(super) fn letter(&self, index: usize, count: usize) -> Option<String> {
        (count > 1 && self.letters != Letters::Off).then(|| letter(index))
    }
}

/// A size of text in units, such that small text, 7/8 of it, is not below [`LEAST_PT`].
pub(super) fn text_units(text_pt: f32) -> Result<i32> {
    ensure!(
        (7.0..=24.0).contains(&text_pt),
        "text_pt is {text_pt}; expected 7 to 24 points (small text is 7/8 of it, and must not be below \
         {LEAST_PT} points on paper)"
    );
    Ok((text_pt * PT as f32).round() as i32)
}

/// "(a)", "(b)", ... "(z)", "(aa)", ...
pub(super) fn letter(index: usize) -> String {
    let mut name = String::new();
    let mut rest = index + 1;
    while rest > 0 {
        rest -= 1;
        name.insert(0, char::from(b'a' + (rest % 26) as u8));
        rest /= 26;
    }
    format!("({name})")
}

/// Which panels bear letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Letters {
    /// Each query's row of panels, where there are several.
    #[default]
    Rows,
    /// Each query's row; with one query, each of its panels.
    Panels,
    /// None.
    Off,
}

/// The colours of boxes. The signs in their corners are the same in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum BoxPalette {
    /// The paper's (its Appendix E): green, red, the query in red dashes.
    #[default]
    Paper,
    /// Told apart with any colour blindness: blue, vermilion (of Okabe and Ito), the query in black dashes.
    Safe,
}

impl BoxPalette {
    /// The query's dashes.
    pub fn query(self) -> [u8; 3] {
        match self {
            BoxPalette::Paper => QUERY,
            BoxPalette::Safe => [0; 3],
        }
    }

    /// "red dashes".
    pub fn query_words(self) -> &'static str {
        match self {
            BoxPalette::Paper => "red dashes",
            BoxPalette::Safe => "black dashes",
        }
    }

    /// The frame of a neighbour; none around patches of the query's image.
    pub fn frame(self, relation: Relation) -> Option<[u8; 3]> {
        match (relation, self) {
            (Relation::SameImage, _) => None,
            (Relation::SameClass, BoxPalette::Paper) => Some(SAME_CLASS),
            (Relation::SameClass, BoxPalette::Safe) => Some([0x00, 0x72, 0xb2]),
            (Relation::OtherClass, BoxPalette::Paper) => Some(OTHER_CLASS),
            (Relation::OtherClass, BoxPalette::Safe) => Some([0xd5, 0x5e, 0x00]),
            (Relation::OtherImage, _) => Some(UNLABELLED),
        }
    }

    /// The frame's colour in words.
    pub fn frame_words(self, relation: Relation) -> &'static str {
        match (relation, self) {
            (Relation::SameImage, _) => "no box",
            (Relation::SameClass, BoxPalette::Paper) => "green, triangle",
            (Relation::SameClass, BoxPalette::Safe) => "blue, triangle",
            (Relation::OtherClass, BoxPalette::Paper) => "red, cross",
            (Relation::OtherClass, BoxPalette::Safe) => "orange, cross",
            (Relation::OtherImage, _) => "thin grey",
        }
    }

    /// The relation's part of a bar.
    pub fn bar(self, relation: Relation) -> [u8; 3] {
        match relation {
            Relation::SameImage => [0x4d; 3],
            Relation::OtherImage => [0xcc; 3],
            _ => self.frame(relation).unwrap_or([0xcc; 3]),
        }
    }
}

/// All relations, in the order of legends and bars.
pub(super) const RELATIONS: [Relation; 4] =
    [Relation::SameImage, Relation::SameClass, Relation::OtherClass, Relation::OtherImage];

/// "same class".
pub(super) fn relation_words(relation: Relation) -> &'static str {
    match relation {
        Relation::SameImage => "same image",
        Relation::SameClass => "same class",
        Relation::OtherClass => "other class",
        Relation::OtherImage => "other image",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_are_lettered_like_columns_of_a_sheet() {
        assert_eq!(
            [0, 1, 25, 26, 27, 701, 702].map(letter),
            ["(a)", "(b)", "(z)", "(aa)", "(ab)", "(zz)", "(aaa)"]
        );
    }

    #[test]
    fn safe_colors_differ_in_blue_and_yellow_not_in_red_and_green() {
        let [same, other] = [Relation::SameClass, Relation::OtherClass]
            .map(|r| BoxPalette::Safe.frame(r).unwrap().map(i32::from));
        // Red-green blindness leaves blue minus yellow, (r + g) / 2 - b, to tell colours by.
        let blue_yellow = |[r, g, b]: [i32; 3]| (r + g) / 2 - b;
        assert!((blue_yellow(same) - blue_yellow(other)).abs() > 200);
    }
}

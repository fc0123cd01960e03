//! Square tiles with overlap, in which a whole image goes through a network where it is too large for one pass.
//!
//! All lengths are pixels of the network's input: of the image as it was resized to its resolution. Each tile goes
//! through alone, with the positions of an input of its own size, and each place of the feature map is taken from the
//! tile in which it lies deepest: half of the overlap, at the least, is between it and an edge that is not the image's.
//! (Places are taken, not blended: a mean of two vectors is none that the network gives, and shorter than either.)

use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use crate::words::thousands;

/// How whole images are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageTiles {
    /// Side of a tile, pixels. An input of no more pixels than a tile has goes through whole.
    pub side: u32,
    /// What two neighbours share at the least, pixels.
    pub overlap: u32,
}

impl ImageTiles {
    /// Sides that a tile may have, pixels.
    pub const SIDES: RangeInclusive<u32> = 8..=4096;

    /// Tiles that share a quarter of their side.
    pub fn of_side(side: u32) -> Self {
        Self { side, overlap: side / 4 }
    }

    /// Checks ranges, since they may come from a file.
    ///
    /// # Errors
    /// Which is out of its range.
    pub fn validate(self) -> anyhow::Result<()> {
        let Self { side, overlap } = self;
        let (least, most) = (Self::SIDES.start(), Self::SIDES.end());
        ensure!(Self::SIDES.contains(&side), "tiles of {side} pixels; expected {least} to {most}");
        ensure!(
            overlap <= side / 2,
            "an overlap of {overlap} pixels; expected at most half of the tile's side, {}",
            side / 2
        );
        Ok(())
    }

    /// The same with both lengths multiples of `step`, which what they cut has to be: rounded down, and no less than a step.
    pub fn on_steps(self, step: u32) -> Self {
        let side = (self.side / step).max(1);
        let overlap = (self.overlap / step).max(u32::from(self.overlap > 0)).min(side / 2);
        Self { side: side * step, overlap: overlap * step }
    }

    /// "tiles of 518 px, overlap 112 px".
    pub fn words(self) -> String {
        format!("tiles of {} px, overlap {} px", thousands(self.side), thousands(self.overlap))
    }

    /// Whether an input of that size is cut.
    pub fn cut(self, height: u32, width: u32) -> bool {
        u64::from(height) * u64::from(width) > u64::from(self.side).pow(2)
    }

    /// Where the tiles of an input lie whose sides, as theirs, are multiples of `step`.
    pub fn grid(self, height: u32, width: u32, step: u32) -> TileGrid {
        let along = |length: u32| {
            let side = self.side.min(length);
            let (left, stride) = (length - side, (self.side - self.overlap).max(step));
            let more = left.div_ceil(stride);
            // Evenly: neighbours share what is asked for, or more.
            let start =
                |index: u32| (u64::from(index) * u64::from(left / step) / u64::from(more.max(1))) as u32;
            TileRow { starts: (0..=more).map(|index| start(index) * step).collect(), side, length }
        };
        TileGrid { down: along(height), across: along(width) }
    }
}

impl fmt::Display for ImageTiles {
    /// As it is read: "518:112".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.side, self.overlap)
    }
}

impl FromStr for ImageTiles {
    type Err = anyhow::Error;

    /// `SIDE` or `SIDE:OVERLAP`.
    fn from_str(text: &str) -> anyhow::Result<Self> {
        let expected = || format!("\"{text}\": expected SIDE or SIDE:OVERLAP in pixels, such as 518:112");
        let (side, overlap) = text.split_once(':').map_or((text, None), |(side, rest)| (side, Some(rest)));
        let number = |words: &str| words.trim().parse::<u32>().ok().with_context(expected);
        let side = number(side)?;
        let tiles = match overlap {
            Some(overlap) => Self { side, overlap: number(overlap)? },
            None => Self::of_side(side),
        };
        tiles.validate()?;
        Ok(tiles)
    }
}

/// How whole images are cut, and who wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TileChoice {
    /// How.
    #[serde(flatten)]
    pub tiles: ImageTiles,
    /// Whether somebody said so; else they are the largest that memory has room for.
    pub is_told: bool,
}

impl TileChoice {
    fn reason(self) -> &'static str {
        if self.is_told { "as told" } else { "memory" }
    }
}

impl fmt::Display for TileChoice {
    /// "tiles of 518 px, overlap 112 px: memory".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.tiles.words(), self.reason())
    }
}

/// The tiles of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TilesOfImage {
    /// How many.
    pub count: usize,
    /// How it is cut.
    #[serde(flatten)]
    pub choice: TileChoice,
}

impl fmt::Display for TilesOfImage {
    /// "12 tiles of 518 px, overlap 112 px: memory".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.choice.tiles.words();
        write!(f, "{} {words}: {}", thousands(self.count), self.choice.reason())
    }
}

/// The tiles of an input, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileGrid {
    /// From the top down.
    pub down: TileRow,
    /// From the left to the right.
    pub across: TileRow,
}

/// Tiles along a side of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileRow {
    /// Where each begins, pixels.
    pub starts: Vec<u32>,
    /// How long each is, pixels.
    pub side: u32,
    /// How long the input is, pixels.
    pub length: u32,
}

impl TileGrid {
    /// How many tiles there are.
    pub fn count(&self) -> usize {
        self.down.starts.len() * self.across.starts.len()
    }
}

impl TileRow {
    /// Which cells of `cell` pixels along the whole input are taken from tile `index`: those whose middle is nearest to its
    /// own, the first of two that are equally near.
    pub fn cells_of(&self, index: usize, cell: u32) -> Range<usize> {
        let before = |index: usize| match (index.checked_sub(1), self.starts.get(index)) {
            (None, _) => 0,
            (_, None) => (self.length / cell) as usize,
            (Some(last), Some(start)) => {
                // The seam is in the middle of what the two share.
                let twice = self.starts[last] + start + self.side;
                ((twice + cell) / (2 * cell)) as usize
            }
        };
        before(index)..before(index + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tile in which a cell lies deepest, found by looking at each: an edge of the image is no edge.
    fn deepest(row: &TileRow, cell: u32, index: u32) -> usize {
        let middle = f64::from(2 * index + 1) * f64::from(cell) / 2.0;
        let depth = |start: u32| {
            let (from, to) = (f64::from(start), f64::from(start + row.side));
            let left = if start == 0 { f64::INFINITY } else { middle - from };
            let right = if start + row.side == row.length { f64::INFINITY } else { to - middle };
            left.min(right)
        };
        let depths: Vec<f64> = row.starts.iter().map(|start| depth(*start)).collect();
        let most = depths.iter().copied().fold(f64::MIN, f64::max);
        depths.iter().position(|depth| *depth == most).unwrap()
    }

    #[test]
    fn every_cell_comes_from_the_tile_in_which_it_lies_deepest() {
        for (length, side, overlap, step, cell) in [
            (1036, 518, 112, 14, 14),
            (1022, 224, 56, 14, 14),
            (96, 32, 16, 8, 4),
            (40, 16, 0, 8, 8),
            (64, 64, 16, 8, 8),
        ] {
            let tiles = ImageTiles { side, overlap }.on_steps(step);
            let row = tiles.grid(length, length, step).down;
            assert_eq!((row.starts[0], row.starts[row.starts.len() - 1] + row.side), (0, length));
            let shared = row.starts.windows(2).map(|pair| pair[0] + row.side - pair[1]);
            assert!(shared.clone().all(|shared| shared >= tiles.overlap && shared < row.side), "{row:?}");
            assert!(row.starts.iter().all(|start| start % step == 0), "{row:?}");
            let mut next = 0;
            for index in 0..row.starts.len() {
                let cells = row.cells_of(index, cell);
                assert_eq!(cells.start, next, "no cell is left out and none comes twice");
                next = cells.end;
                for at in cells {
                    assert_eq!(deepest(&row, cell, at as u32), index, "{length} {side} {overlap}: cell {at}");
                }
            }
            assert_eq!(next, (length / cell) as usize);
        }
    }

    #[test]
    fn tiles_are_as_few_as_cover_the_input_with_their_overlap() {
        let tiles = ImageTiles { side: 518, overlap: 112 };
        let starts = |length| tiles.grid(length, 518, 14).down.starts;
        assert_eq!(starts(518), [0]);
        assert_eq!(starts(924), [0, 406]);
        assert_eq!(starts(938), [0, 210, 420]);
        let grid = tiles.grid(1036, 1400, 14);
        assert_eq!((grid.down.starts.len(), grid.across.starts.len(), grid.count()), (3, 4, 12));
        // A side that is shorter than a tile is one tile of its own length.
        let flat = tiles.grid(112, 4200, 14);
        assert_eq!((flat.down.starts.as_slice(), flat.down.side), (&[0][..], 112));
    }

    #[test]
    fn what_has_no_more_pixels_than_a_tile_is_not_cut() {
        let tiles = ImageTiles { side: 224, overlap: 56 };
        assert!(!tiles.cut(224, 224) && !tiles.cut(112, 448) && tiles.cut(224, 238));
    }

    #[test]
    fn tiles_are_words_and_words_are_tiles() {
        let read = |text: &str| text.parse::<ImageTiles>();
        assert_eq!(read("518:112").unwrap(), ImageTiles { side: 518, overlap: 112 });
        assert_eq!(read("224").unwrap(), ImageTiles { side: 224, overlap: 56 });
        assert_eq!(read("518:112").unwrap().to_string(), "518:112");
        for (text, words) in
            [("wide", "SIDE:OVERLAP"), ("518:", "SIDE:OVERLAP"), ("4:0", "8 to 4096"), ("64:33", "half")]
        {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
        let rounded = |side, overlap, step| ImageTiles { side, overlap }.on_steps(step);
        assert_eq!(rounded(224, 56, 14), ImageTiles { side: 224, overlap: 56 });
        assert_eq!(rounded(230, 5, 14), ImageTiles { side: 224, overlap: 14 });
        assert_eq!(rounded(8, 4, 32), ImageTiles { side: 32, overlap: 0 });
        let choice = TileChoice { tiles: ImageTiles { side: 1036, overlap: 112 }, is_told: false };
        let of_image = TilesOfImage { count: 12, choice };
        assert_eq!(of_image.to_string(), "12 tiles of 1,036 px, overlap 112 px: memory");
    }
}

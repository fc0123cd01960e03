//! Where images come from: CIFAR, folders, single files and the built-in
//! synthetic set, all behind one small trait and read lazily.

mod coverage;
pub mod decode;
mod decoding;
pub mod download;
mod drawn;
mod format;
mod formats;
mod joined;
mod jpeg;
mod kind;
mod masks;
mod open;
pub mod parts;
mod patience;
mod picture;
mod reading;
mod scramble;
mod set;
mod spec;
mod split;
mod spread;
mod tar_entries;
mod tiff;
mod transfer;
mod unpack;
mod wide;

pub(crate) use crate::files::hex;
pub(crate) use crate::words::thousands as with_thousands;
pub use coverage::Coverage;
pub use decoding::{Decoding, DecodingFacts, Exif, ValueRule, ValueWindow};
pub use drawn::{divided, drawn};
pub use format::{DataFormat, SetPlace};
pub use formats::{FORMATS, built_in_words, cifar, folder, kind_named, sentence};
pub use kind::{DataKind, FigureNote};
pub use open::{open, open_held_out};
pub use set::{DataInfo, Dataset, PartMap, Skipped, class_difference};
pub use spec::{DataSource, DataSpec};
pub use split::{Mix, NoSplit, Split};
pub use spread::{ImageOrder, SPREAD_SEED, spread, spread_among};
pub use wide::ImageValues;

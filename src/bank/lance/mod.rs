//! A bank in Lance, on a folder or an object store that speaks S3, for more vectors than a machine holds.
//!
//! | under the URI | content |
//! |---|---|
//! | `bank.json`, `images.bin`, `pixels.bin` | as of a bank in a folder; `bank.json` is written last, and with it there is a bank |
//! | `rows.lance` | the table, a row for each patch in the bank's order: `image`, `y`, `x`, `label`, and a column for each space |
//! | `rows.json` | which rows have no value |
//! | `index.json` | how the index of each space is asked, and what it was seen to find |
//! | `segments/COLUMN/I-of-N.json` | a segment of an index that a process made apart, until [`index`] joins them |
//! | `parts/I-of-N/` | what a process that makes a part has written so far: `part.json`, `images.bin`, `pixels.bin` |
//!
//! A process writes its rows as fragments of the table that nobody sees ([`writer`]), and notes them in its `part.json`, by
//! which it goes on after a kill. Once all parts are complete one commit makes them the table ([`publish`]).

mod index;
mod parts;
mod publish;
mod rows;
mod store;
mod table;
mod writer;

pub(super) use publish::merge;
pub(super) use rows::open;
pub(super) use store::{read_beside, write_beside};
pub(super) use writer::create;

#[cfg(test)]
mod tests;

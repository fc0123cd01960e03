//! Search by codes: a second, approximate way beside the exact one, for banks whose rows take long to read.
//!
//! A row is kept once more in one bit a value (RaBitQ: the signs after a random rotation, with two factors), and a
//! search reads those bits instead of the row: a sixteenth of float16. What they tell of a cosine has a known error;
//! the rows that cannot be told from the k nearest, by so many deviations of it, are compared exactly, from the bank's
//! own rows and by the kernel of the exact search, so that cosines and order are its own to the bit. How many deviations,
//! and how many of the true neighbours are then found, is measured on rows of the bank when the codes are made.
//! What is left out of a search is left out of the scan. Codes are a function of the bank's rows alone, whether they were
//! made at once or as the bank grew ([`build()`]).

mod build;
mod file;
mod find;
mod measure;
mod near;
mod popcount;
mod rotation;
mod scan;
mod sketch;

#[cfg(test)]
mod tests;

pub use build::{NoPlaceForCodes, build};
pub use file::{RowCodes, StaleCodes, codes_bytes};
pub use find::FoundByCodes;
pub use measure::Quantised;

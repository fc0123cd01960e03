//! Cosine search over a bank: exact, or by codes of one bit a value (`quantised`).
//!
//! The cosine of a query q and a stored row r is q.r / (|q| |r|), of the values as they are
//! stored (after rounding to float16, where the bank is in float16). It is computed in float32 and lies
//! within 1e-6 of [`mod@reference`], which is plain float64. The cosine with a zero vector is 0. Rows of skipped
//! images, rows with a NaN and rows that are not committed never appear.
//!
//! Many queries of the same rows are answered together ([`top_k_many`]), to the bit as one after the other.
//!
//! Rows that lie elsewhere come past once for all queries, or an index there proposes which are compared (`far`).
//!
//! [`Processor`] chooses where: on the CPU ([`top_k`]), or on a GPU, which finds the same to the bit.

mod ahead;
mod bandwidth;
mod dot;
mod far;
mod gpu;
mod many;
mod map;
mod processor;
mod quantised;
mod recall;
pub mod reference;
mod relation;
mod sign;
mod topk;

#[cfg(test)]
mod far_tests;
#[cfg(test)]
mod gpu_tests;
#[cfg(test)]
mod many_tests;
#[cfg(test)]
mod tests;

pub use bandwidth::read_pass;
pub use dot::dots;
pub use far::measure_index;
pub use many::{Question, TOGETHER, top_k_many};
pub use map::{KnownRows, Mirror};
pub use processor::Processor;
pub use quantised::{FoundByCodes, NoPlaceForCodes, Quantised, RowCodes, StaleCodes, build, codes_bytes};
pub use recall::MeasuredRecall;
pub use relation::{Kin, Relation};
pub use sign::Sign;
pub use topk::{Best, Hit, Options, top_k};

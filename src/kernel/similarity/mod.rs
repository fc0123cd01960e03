//! The host's side of `shaders/similarity.wgsl`: rows that stay on a GPU, their cosines with queries, and
//! the rows that can be among the k nearest of each.
//!
//! Rows lie in pieces, each small enough for one storage binding. A cosine is within [`BOUND`] of the
//! CPU's, as tests have it for widths of up to 8,192. Neighbours are the CPU's to the bit: it computes again the
//! few rows that [`Similarity::candidates`] leaves, which allows for the largest error that rounding can cause.
//! Many queries are multiplied with a block of rows at a time, so that the rows are read once for all of them.
//! Tried on software Vulkan only.

mod nearest;
mod program;
mod resident;

pub use nearest::NearestQuery;
pub use program::Similarity;
#[cfg(test)]
pub use program::WorkingRoom;
pub use resident::{BOUND, Resident, Stored};

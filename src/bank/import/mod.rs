//! Vectors of any model, as other programs write them, and tables that say what each is of.
//!
//! All of it is streamed: what can be read from any place stays where it is, the rest is unpacked into a file without a
//! name first.

mod arrays;
mod columns;
mod csv;
mod parquet;
mod stored;
mod table;
mod values;

#[cfg(test)]
mod tests;

pub use table::{PatchTable, TableImage, TableRow};
pub use values::{VectorFile, VectorPlace};

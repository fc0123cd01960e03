//! The patches of one image as rows of vectors, and their copy on a GPU.

use std::sync::Mutex;

use crate::kernel::similarity::Resident;

/// Vectors of one image's patches, some of them known.
#[derive(Clone, Copy)]
pub struct KnownRows<'a> {
    /// `[norms.len(), width]`.
    pub vectors: &'a [f32],
    /// Their lengths.
    pub norms: &'a [f32],
    /// The rows that are known, in the order in which they came to be; they do not change any more.
    pub known: &'a [usize],
}

/// The known rows of a map as far as they lie on the GPU. A clone starts empty.
#[derive(Default)]
pub struct Mirror(pub(super) Mutex<Option<Resident>>);

impl Clone for Mirror {
    fn clone(&self) -> Self {
        Self::default()
    }
}

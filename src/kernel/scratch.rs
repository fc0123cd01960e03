//! Memory for one block of work, kept by the thread that used it.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// 64 bytes: a cache line, and the widest vector.
const LINE: usize = 16;

thread_local! {
    static KEPT: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Calls `work` with `count` values of this thread's memory, on a cache line, of any content.
/// Not to be nested.
pub fn with<R>(count: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    KEPT.with_borrow_mut(|kept| {
        if kept.len() < count + LINE {
            kept.resize(count + LINE, 0.0);
        }
        let start = kept.as_ptr().align_offset(4 * LINE).min(LINE);
        work(&mut kept[start..start + count])
    })
}

/// Large buffers between two uses: fresh pages from the system cost as much as the work in them.
static SPARE: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// How many are kept.
const SPARES: usize = 3;

/// A large buffer of any content, on a cache line, given back when dropped.
pub struct Kept {
    memory: Vec<f32>,
    start: usize,
    count: usize,
}

/// A kept buffer of `count` values.
pub fn kept(count: usize) -> Kept {
    let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    let fits = |memory: &&mut Vec<f32>| memory.len() >= count + LINE;
    let smallest = spare.iter_mut().filter(fits).min_by_key(|memory| memory.len()).map(std::mem::take);
    drop(spare);
    let memory = smallest.unwrap_or_else(|| unset(count + LINE));
    let start = memory.as_ptr().align_offset(4 * LINE).min(LINE);
    Kept { memory, start, count }
}

impl Deref for Kept {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.memory[self.start..self.start + self.count]
    }
}

impl DerefMut for Kept {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.memory[self.start..self.start + self.count]
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        spare.push(std::mem::take(&mut self.memory));
        // The largest stay; those taken left an empty place.
        spare.sort_by_key(|memory| std::cmp::Reverse(memory.len()));
        spare.truncate(SPARES);
    }
}

/// A buffer of `count` values that the caller fills wholly.
pub fn unset(count: usize) -> Vec<f32> {
    let mut values = Vec::<f32>::with_capacity(count);
    // SAFETY: any bits are an f32, and every kernel writes its whole output before it is read.
    #[allow(clippy::uninit_vec)]
    unsafe {
        values.set_len(count)
    };
    values
}

/// A pointer that workers share: each writes a part of its own.
#[derive(Clone, Copy)]
pub struct Shared(pub *mut f32);

// SAFETY: whoever makes one says why the parts do not overlap.
unsafe impl Send for Shared {}
unsafe impl Sync for Shared {}

impl Shared {
    /// The pointer (a method, so that closures capture the whole of `self`).
    pub fn get(self) -> *mut f32 {
        self.0
    }
}

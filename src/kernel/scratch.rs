//! Memory for one block of work, kept by the thread that used it; large buffers that are used again; and
//! results that workers write before anybody reads them.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// 64 bytes: a cache line, and the widest vector.
const LINE: usize = 16;

thread_local! {
    static KEPT: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Calls `work` with `count` values of this thread's memory, on a cache line; what earlier work left there.
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

/// A large buffer on a cache line, of zeros or what earlier work left there, given back when dropped.
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
    // The system hands out pages of zeros: no second pass over memory of this size.
    let Some(memory) = smallest else { return fresh(count) };
    let start = memory.as_ptr().align_offset(4 * LINE).min(LINE);
    Kept { memory, start, count }
}

/// A new buffer of `count` zeros, for what lasts.
pub fn fresh(count: usize) -> Kept {
    let memory = vec![0.0; count + LINE];
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

/// Room for a result of `count` values, none of them set: setting them twice would cost a pass over memory.
pub fn unset(count: usize) -> Box<[MaybeUninit<f32>]> {
    Box::new_uninit_slice(count)
}

/// Values that workers write at the same time, each some of its own that do not lie side by side.
pub struct Shared<'a, T = f32> {
    values: *mut T,
    count: usize,
    borrowed: PhantomData<&'a mut [T]>,
}

impl<T> Clone for Shared<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Shared<'_, T> {}

// SAFETY: it holds the values for itself alone, as a `&mut [T]` would, which may go to another thread; and all
// that it gives is a pointer, whose user says why no other thread is at the same values.
unsafe impl<T: Send> Send for Shared<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    /// Of values that are set.
    pub fn new(values: &'a mut [T]) -> Self {
        Self { values: values.as_mut_ptr(), count: values.len(), borrowed: PhantomData }
    }

    /// Of values that are only to be written.
    pub fn unset(values: &'a mut [MaybeUninit<T>]) -> Self {
        Self { values: values.as_mut_ptr().cast(), count: values.len(), borrowed: PhantomData }
    }

    /// How many values there are.
    pub fn len(self) -> usize {
        self.count
    }

    /// Where value `index` lies. The pointer is good for the values from there to the end.
    pub fn at(self, index: usize) -> *mut T {
        assert!(index <= self.count);
        // SAFETY: within the values, or just behind them.
        unsafe { self.values.add(index) }
    }

    /// Where `count` values lie from value `index` on.
    pub fn room(self, index: usize, count: usize) -> *mut T {
        assert!(count <= self.count && index <= self.count - count);
        self.at(index)
    }
}

//! Codes that are searched again and again, in memory of large pages. A file lies in memory in pages of 4 KiB, and where
//! each lies takes the processor long to find out: the same loop over 1.3 GB of codes took 73 ms in a file's pages and 43 in
//! large ones (a Xeon with AMX, two threads).

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};

use crate::files::LargePages;
use crate::memory::{self, Hold, Room};

/// Bytes that are brought near together, about.
const GROUP: usize = 32 << 20;
/// What all codes together may take.
static ROOM: LazyLock<Arc<Room>> = LazyLock::new(|| Room::new(memory::budget().bank()));

/// Blocks of codes, brought near some at a time as a search comes to them.
#[derive(Debug)]
pub(super) struct NearCodes {
    /// Bytes of a block; the last one has fewer.
    block: usize,
    /// Of all blocks.
    bytes: usize,
    groups: Vec<OnceLock<Option<LargePages>>>,
    /// There once a second search begins, if there is room.
    hold: OnceLock<Hold>,
    /// Whether a first one has begun.
    is_used: AtomicBool,
}

impl NearCodes {
    /// None yet, of `bytes` in blocks of `block`.
    pub fn new(block: usize, bytes: usize) -> Self {
        let groups = bytes.div_ceil(Self::group(block)).max(1);
        let groups = (0..groups).map(|_| OnceLock::new()).collect();
        Self { block, bytes, groups, hold: OnceLock::new(), is_used: AtomicBool::new(false) }
    }

    /// Bytes that are brought near together: those of whole blocks.
    fn group(block: usize) -> usize {
        (GROUP / block.max(1)).max(1) * block.max(1)
    }

    /// A search begins. What is searched once is read once, and nothing is gained.
    pub fn note_search(&self) {
        let is_again = self.is_used.swap(true, Ordering::Relaxed);
        if is_again
            && self.hold.get().is_none()
            && let Some(hold) = ROOM.take_now(self.bytes as u64)
        {
            // Of two searches at once one has it, and the other gives its own back.
            drop(self.hold.set(hold));
        }
    }

    /// Brings block `block` near, of `codes`, which are all of them as they lie in the file, if they are to be and every
    /// block that comes with it `is_whole`.
    pub fn bring(&self, block: usize, codes: &[u8], is_whole: impl Fn(usize, &[u8]) -> bool) {
        if self.hold.get().is_none() {
            return;
        }
        let group = block * self.block / Self::group(self.block);
        self.groups[group].get_or_init(|| {
            let range = self.range(group);
            let first = range.start / self.block;
            let near = LargePages::copy_of(&codes[range])?;
            let mut blocks = near.chunks(self.block).enumerate();
            blocks.all(|(at, bytes)| is_whole(first + at, bytes)).then_some(near)
        });
    }

    /// Block `block`, if it is near.
    pub fn block(&self, block: usize) -> Option<&[u8]> {
        let group = block * self.block / Self::group(self.block);
        let near = self.groups.get(group)?.get()?.as_ref()?;
        let start = block * self.block - self.range(group).start;
        near.get(start..near.len().min(start + self.block))
    }

    fn range(&self, group: usize) -> Range<usize> {
        let bytes = Self::group(self.block);
        group * bytes..self.bytes.min((group + 1) * bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_near_in_whole_groups_from_the_second_search_on() {
        let codes: Vec<u8> = (0..10 * GROUP / 4).map(|at| (at % 251) as u8).collect();
        // Three blocks a group, the last one short.
        let block = GROUP / 4 + 64;
        let near = NearCodes::new(block, codes.len());
        let bring = |at| near.bring(at, &codes, |_, _| true);
        near.note_search();
        bring(0);
        assert!(near.block(0).is_none(), "it may be the only search");
        near.note_search();
        bring(4);
        assert!(near.block(2).is_none() && near.block(6).is_none());
        for at in 3..6 {
            assert!(near.block(at).unwrap() == &codes[at * block..(at + 1) * block]);
        }
        let last = codes.len() / block;
        bring(last);
        assert!(near.block(last).unwrap() == &codes[last * block..]);
    }

    #[test]
    fn what_is_not_whole_stays_where_it_is() {
        let codes = vec![7; 300];
        let near = NearCodes::new(100, codes.len());
        near.note_search();
        near.note_search();
        near.bring(0, &codes, |block, bytes| block != 2 || bytes.len() != 100);
        assert!((0..3).all(|block| near.block(block).is_none()));
    }
}

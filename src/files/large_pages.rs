//! Memory of large pages.

use std::ops::Deref;

/// Bytes of one, of the usual kind; only memory of whole ones begins where one does.
const LARGE_PAGE: usize = 2 << 20;

/// A copy of bytes in memory of its own: on large pages where the system has them, of which the processor finds the places
/// sooner where much is read in order.
#[derive(Debug)]
pub struct LargePages {
    memory: memmap2::Mmap,
    bytes: usize,
}

impl LargePages {
    /// A copy of `bytes`; `None` where the system gives no memory for it.
    pub fn copy_of(bytes: &[u8]) -> Option<Self> {
        let mut memory = memmap2::MmapMut::map_anon(bytes.len().next_multiple_of(LARGE_PAGE)).ok()?;
        // Where there are none small ones do.
        #[cfg(target_os = "linux")]
        let _ = memory.advise(memmap2::Advice::HugePage);
        memory[..bytes.len()].copy_from_slice(bytes);
        Some(Self { memory: memory.make_read_only().ok()?, bytes: bytes.len() })
    }
}

impl Deref for LargePages {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[..self.bytes]
    }
}

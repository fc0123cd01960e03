//! Memory of large pages.

use std::ops::Deref;

/// A copy of bytes in memory of its own: on large pages where the system has them, of which the processor finds the places
/// sooner where much is read in order.
#[derive(Debug)]
pub struct LargePages(memmap2::Mmap);

impl LargePages {
    /// A copy of `bytes`; `None` where the system gives no memory for it.
    pub fn copy_of(bytes: &[u8]) -> Option<Self> {
        let mut memory = memmap2::MmapMut::map_anon(bytes.len()).ok()?;
        // Where there are none small ones do.
        #[cfg(target_os = "linux")]
        let _ = memory.advise(memmap2::Advice::HugePage);
        memory.copy_from_slice(bytes);
        memory.make_read_only().ok().map(Self)
    }
}

impl Deref for LargePages {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

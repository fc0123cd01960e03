//! How far ahead of what is at hand memory is asked for, where one row is read after the other.

use std::sync::LazyLock;

/// Bytes. Left to itself the processor stops at the end of a page, which cost a quarter of the bandwidth where 8,192 were
/// chosen, on AMD's. On an Intel (a Xeon with AMX, two threads, 2 GB of float16 rows) products read 17 GB/s with those and
/// 23 with 1,024, which of 0 and 512 to 16,384 were the best: what is asked for too early is in the way there.
pub fn ahead() -> usize {
    static AHEAD: LazyLock<usize> = LazyLock::new(|| if is_intel() { 1024 } else { 8192 });
    *AHEAD
}

#[cfg(target_arch = "x86_64")]
fn is_intel() -> bool {
    let leaf = std::arch::x86_64::__cpuid(0);
    [leaf.ebx, leaf.edx, leaf.ecx].map(u32::to_le_bytes).concat() == b"GenuineIntel"
}

#[cfg(not(target_arch = "x86_64"))]
fn is_intel() -> bool {
    false
}

//! Which of the processor's units multiply bf16, and what has to be asked for before they do.

use std::marker::PhantomData;

/// A unit that multiplies bf16 and sums in f32. Each rounds as the other does, but for the order of the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Tiles of 16 rows of 32 values: AMX-BF16.
    Amx,
    /// Vectors of 32 values: AVX512-BF16.
    Avx512,
}

impl Unit {
    /// The faster one that is here.
    pub fn best() -> Option<Self> {
        [Unit::Amx, Unit::Avx512].into_iter().find(|unit| unit.is_here())
    }

    /// Whether this processor has it, and the system lets us use it.
    pub fn is_here(self) -> bool {
        match self {
            Unit::Avx512 => has_vectors(),
            // What stands between the products is computed with vectors.
            Unit::Amx => has_vectors() && tiles::are_here(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn has_vectors() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bf16")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_vectors() -> bool {
    false
}

/// A unit made ready for this thread, until it is dropped. Not to be nested.
pub struct ReadyUnit {
    unit: Unit,
    /// What is ready is this thread's.
    of_thread: PhantomData<*const ()>,
}

impl ReadyUnit {
    /// # Panics
    /// If the unit is not here.
    pub fn new(unit: Unit) -> Self {
        assert!(unit.is_here(), "this processor has no {unit:?}");
        if unit == Unit::Amx {
            // SAFETY: the tiles are here, and the system has granted them.
            unsafe { tiles::configure() };
        }
        Self { unit, of_thread: PhantomData }
    }

    /// Which one.
    pub fn unit(&self) -> Unit {
        self.unit
    }
}

impl Drop for ReadyUnit {
    fn drop(&mut self) {
        if self.unit == Unit::Amx {
            // SAFETY: they were configured by this thread. Without this, each switch of threads would save eight
            // kilobytes.
            unsafe { tiles::release() };
        }
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod tiles {
    use std::arch::asm;
    use std::arch::x86_64::__cpuid_count;
    use std::sync::OnceLock;

    /// What `ldtilecfg` reads: all eight tiles with 16 rows of 64 bytes.
    #[repr(C, align(64))]
    struct TileConfig {
        palette: u8,
        start: u8,
        reserved: [u8; 14],
        row_bytes: [u16; 16],
        rows: [u8; 16],
    }

    static CONFIG: TileConfig = TileConfig {
        palette: 1,
        start: 0,
        reserved: [0; 14],
        row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
        rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
    };

    /// Whether the processor has tiles of bf16 and the system grants them to this process, which is asked once.
    pub fn are_here() -> bool {
        static GRANTED: OnceLock<bool> = OnceLock::new();
        *GRANTED.get_or_init(|| {
            // AMX-BF16 and AMX-TILE.
            let wanted = 1 << 22 | 1 << 24;
            __cpuid_count(7, 0).edx & wanted == wanted && is_granted()
        })
    }

    /// `arch_prctl(ARCH_REQ_XCOMP_PERM, 18)`: the state of tiles is so large that Linux saves it only for those who ask.
    fn is_granted() -> bool {
        let mut result: isize = 158;
        // SAFETY: the call only changes which registers the system saves for this process.
        unsafe {
            asm!(
                "syscall", inout("rax") result, in("rdi") 0x1023, in("rsi") 18, out("rcx") _, out("r11") _,
                options(nostack)
            );
        }
        result == 0
    }

    /// # Safety
    /// [`are_here`].
    pub unsafe fn configure() {
        // SAFETY: the caller's; the layout is one that the processor takes.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const CONFIG, options(nostack, readonly)) };
    }

    /// # Safety
    /// [`are_here`].
    pub unsafe fn release() {
        // SAFETY: the caller's.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod tiles {
    pub fn are_here() -> bool {
        false
    }

    pub unsafe fn configure() {}

    pub unsafe fn release() {}
}

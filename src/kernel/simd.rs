//! Vectors of f32 for the instruction sets that the kernels are compiled for, and the choice
//! among them at run time.
//!
//! A kernel is a [`SimdJob`] generic over [`Vector`]; [`Isa::run`] compiles it once per instruction
//! set and calls the copy that this processor can run. The lanes are always channels.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Every channel count is rounded up to a multiple of this inside the kernels' own buffers.
pub const PAD: usize = 16;

/// `count` rounded up to a multiple of [`PAD`].
pub fn padded(count: usize) -> usize {
    count.next_multiple_of(PAD)
}

/// Has what lies there brought near, where the processor can be asked to. It may lie nowhere.
#[inline(always)]
pub fn prefetch<T>(from: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which never faults.
    unsafe {
        _mm_prefetch::<_MM_HINT_T0>(from.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = from;
}

/// A vector of `LANES` values of f32.
///
/// # Safety
/// [`PAD`] is a multiple of `LANES`, and `load` and `store` touch `LANES` values, no more.
pub unsafe trait Vector: Copy {
    /// Values of a vector.
    const LANES: usize;
    /// Rows of a product that are held in registers at once, two vectors wide.
    const ROWS: usize;

    /// The `LANES` values from `from` on.
    ///
    /// # Safety
    /// The processor has this vector's instructions; `LANES` values can be read, aligned as f32 or not.
    unsafe fn load(from: *const f32) -> Self;

    /// Writes the `LANES` values from `to` on.
    ///
    /// # Safety
    /// The processor has this vector's instructions; `LANES` values can be written, aligned as f32 or not.
    unsafe fn store(self, to: *mut f32);

    /// `value` in every lane.
    ///
    /// # Safety
    /// The processor has this vector's instructions.
    unsafe fn splat(value: f32) -> Self;

    /// `self + other`.
    ///
    /// # Safety
    /// The processor has this vector's instructions.
    unsafe fn add(self, other: Self) -> Self;

    /// `self - other`.
    ///
    /// # Safety
    /// The processor has this vector's instructions.
    unsafe fn sub(self, other: Self) -> Self;

    /// `self * other`.
    ///
    /// # Safety
    /// The processor has this vector's instructions.
    unsafe fn mul(self, other: Self) -> Self;

    /// The larger of both; `other` where one is no number.
    ///
    /// # Safety
    /// The processor has this vector's instructions.
    unsafe fn max(self, other: Self) -> Self;

    /// `self * factor + term`.
    ///
    /// # Safety
    /// The processor has this vector's instructions.
    unsafe fn mul_add(self, factor: Self, term: Self) -> Self;

    /// `self` where `gate > 0`, else 0.
    ///
    /// # Safety
    /// The processor has this vector's instructions.
    unsafe fn where_positive(self, gate: Self) -> Self;

    /// The first `count < LANES` values, then zeros.
    ///
    /// # Safety
    /// The processor has this vector's instructions; `count` values can be read, aligned as f32.
    #[inline(always)]
    unsafe fn load_part(from: *const f32, count: usize) -> Self {
        let mut values = [0.0f32; PAD];
        debug_assert!(count < Self::LANES);
        // SAFETY: the caller's, and `count < LANES <= PAD`.
        unsafe {
            std::ptr::copy_nonoverlapping(from, values.as_mut_ptr(), count);
            Self::load(values.as_ptr())
        }
    }

    /// Stores the first `count < LANES` values.
    ///
    /// # Safety
    /// The processor has this vector's instructions; `count` values can be written, aligned as f32.
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, count: usize) {
        let mut values = [0.0f32; PAD];
        debug_assert!(count < Self::LANES);
        // SAFETY: the caller's, and `count < LANES <= PAD`.
        unsafe {
            self.store(values.as_mut_ptr());
            std::ptr::copy_nonoverlapping(values.as_ptr(), to, count);
        }
    }
}

/// Work that is written once for every vector width. Implementations are `#[inline(always)]`.
///
/// [`Isa::run`] is safe to call, so a job that holds pointers is made only where they are good for all that
/// it does with them.
pub trait SimdJob {
    /// Does the work.
    ///
    /// # Safety
    /// The processor has the vector's instructions, and this is inlined into a function that enables them:
    /// [`Isa::run`] calls it, nobody else.
    unsafe fn run<V: Vector>(self);
}

/// An instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// AVX-512F: 16 lanes.
    Avx512,
    /// AVX2 and FMA: 8 lanes.
    Avx2,
    /// What the compiler may assume of the target: SSE2 on x86-64, NEON on AArch64.
    Baseline,
}

impl Isa {
    /// The widest that this processor has.
    pub fn best() -> Self {
        [Isa::Avx512, Isa::Avx2].into_iter().find(|isa| isa.is_here()).unwrap_or(Isa::Baseline)
    }

    /// Whether this processor has it.
    pub fn is_here(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => is_x86_feature_detected!("avx512f"),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx512 | Isa::Avx2 => false,
            Isa::Baseline => true,
        }
    }

    /// Runs `job` with this instruction set.
    ///
    /// # Panics
    /// If the processor lacks it.
    pub fn run<J: SimdJob>(self, job: J) {
        assert!(self.is_here(), "this processor has no {self:?}");
        // SAFETY: the processor has the instructions; four plain lanes need none.
        unsafe {
            match self {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => run_avx512(job),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => run_avx2(job),
                _ => job.run::<[f32; 4]>(),
            }
        }
    }
}

/// # Safety
/// The processor has AVX-512F.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn run_avx512<J: SimdJob>(job: J) {
    // SAFETY: the vector's instructions are enabled here.
    unsafe { job.run::<__m512>() }
}

/// # Safety
/// The processor has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn run_avx2<J: SimdJob>(job: J) {
    // SAFETY: the vector's instructions are enabled here.
    unsafe { job.run::<__m256>() }
}

#[cfg(target_arch = "x86_64")]
macro_rules! x86_vector {
    ($vector:ty, $lanes:literal, $rows:literal, $load:ident, $store:ident, $splat:ident, $add:ident, $sub:ident,
     $mul:ident, $max:ident, $fma:ident, $positive:ident) => {
        // SAFETY: the instructions load and store a whole vector; lanes are checked below.
        unsafe impl Vector for $vector {
            const LANES: usize = $lanes;
            const ROWS: usize = $rows;
            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                // SAFETY: the caller's.
                unsafe { $load(from) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: the caller's.
                unsafe { $store(to, self) }
            }
            #[inline(always)]
            unsafe fn splat(value: f32) -> Self {
                // SAFETY: the caller's.
                unsafe { $splat(value) }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: the caller's.
                unsafe { $add(self, other) }
            }
            #[inline(always)]
            unsafe fn sub(self, other: Self) -> Self {
                // SAFETY: the caller's.
                unsafe { $sub(self, other) }
            }
            #[inline(always)]
            unsafe fn mul(self, other: Self) -> Self {
                // SAFETY: the caller's.
                unsafe { $mul(self, other) }
            }
            #[inline(always)]
            unsafe fn max(self, other: Self) -> Self {
                // SAFETY: the caller's.
                unsafe { $max(self, other) }
            }
            #[inline(always)]
            unsafe fn mul_add(self, factor: Self, term: Self) -> Self {
                // SAFETY: the caller's.
                unsafe { $fma(self, factor, term) }
            }
            #[inline(always)]
            unsafe fn where_positive(self, gate: Self) -> Self {
                // SAFETY: the caller's.
                unsafe { $positive(self, gate) }
            }
        }
        const _: () = assert!(PAD % <$vector as Vector>::LANES == 0);
        const _: () = assert!(size_of::<$vector>() == 4 * <$vector as Vector>::LANES);
    };
}

/// # Safety
/// The processor has AVX-512F.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn positive512(value: __m512, gate: __m512) -> __m512 {
    // SAFETY: the caller's.
    unsafe { _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(gate, _mm512_setzero_ps()), value) }
}

/// # Safety
/// The processor has AVX.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn positive256(value: __m256, gate: __m256) -> __m256 {
    // SAFETY: the caller's.
    unsafe { _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(gate, _mm256_setzero_ps()), value) }
}

#[cfg(target_arch = "x86_64")]
x86_vector!(
    __m512,
    16,
    14,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_set1_ps,
    _mm512_add_ps,
    _mm512_sub_ps,
    _mm512_mul_ps,
    _mm512_max_ps,
    _mm512_fmadd_ps,
    positive512
);

#[cfg(target_arch = "x86_64")]
x86_vector!(
    __m256,
    8,
    6,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_set1_ps,
    _mm256_add_ps,
    _mm256_sub_ps,
    _mm256_mul_ps,
    _mm256_max_ps,
    _mm256_fmadd_ps,
    positive256
);

/// Plain arithmetic that the compiler turns into whatever four lanes the target has.
// SAFETY: four lanes divide `PAD`, and four values are loaded and stored.
unsafe impl Vector for [f32; 4] {
    const LANES: usize = 4;
    const ROWS: usize = if cfg!(target_arch = "x86_64") { 6 } else { 8 };
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's.
        unsafe { from.cast::<[f32; 4]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(self) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        [value; 4]
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        [self[0] + other[0], self[1] + other[1], self[2] + other[2], self[3] + other[3]]
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        [self[0] - other[0], self[1] - other[1], self[2] - other[2], self[3] - other[3]]
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        [self[0] * other[0], self[1] * other[1], self[2] * other[2], self[3] * other[3]]
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // As the x86 instruction: the second operand where one is no number.
        let max = |a: f32, b: f32| if a > b { a } else { b };
        [max(self[0], other[0]), max(self[1], other[1]), max(self[2], other[2]), max(self[3], other[3])]
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, term: Self) -> Self {
        // A fused operation only where it is one instruction.
        #[cfg(any(target_arch = "aarch64", target_feature = "fma"))]
        let fma = |i: usize| self[i].mul_add(factor[i], term[i]);
        #[cfg(not(any(target_arch = "aarch64", target_feature = "fma")))]
        let fma = |i: usize| self[i] * factor[i] + term[i];
        [fma(0), fma(1), fma(2), fma(3)]
    }
    #[inline(always)]
    unsafe fn where_positive(self, gate: Self) -> Self {
        let keep = |i: usize| if gate[i] > 0.0 { self[i] } else { 0.0 };
        [keep(0), keep(1), keep(2), keep(3)]
    }
}

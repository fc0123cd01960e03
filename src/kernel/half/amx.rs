//! Products by AMX's tiles: `tmm0` to `tmm3` hold 32 rows of 32 sums.

use std::arch::asm;

use super::tiles::{PANEL, TILE, Tiles, TilesTo};

/// Up to 32 rows.
///
/// # Safety
/// The tiles are configured; `a` and sums are good for all rows of 16 at a time, what is finished for `rows`; `b` for a panel.
pub unsafe fn multiply(tiles: Tiles, rows: usize) {
    // SAFETY: the caller's; what is finished has sums of its own first.
    unsafe {
        match tiles.to {
            TilesTo::Sums { c, row, add } => sums(tiles, rows, (c, row, add)),
            TilesTo::Maps(ending) => {
                let mut c = [[0.0f32; PANEL]; 2 * TILE];
                sums(tiles, rows, (c.as_mut_ptr().cast(), PANEL, false));
                super::vectors::finish(ending, &c[..rows]);
            }
        }
    }
}

/// Where sums go, values from one row to the next, and whether they are added.
type SumsTo = (*mut f32, usize, bool);

/// # Safety
/// As [`multiply`].
unsafe fn sums(tiles: Tiles, rows: usize, to: SumsTo) {
    // SAFETY: the caller's.
    unsafe { if rows > TILE { two(tiles, to) } else { one(tiles, to) } }
}

/// 32 rows.
///
/// # Safety
/// The tiles are configured; `a` and sums are good for 32 rows, `b` for a panel.
unsafe fn two(tiles: Tiles, (c, c_row, add): SumsTo) {
    let Tiles { a, a_row, b, steps, .. } = tiles;
    let (a_row, c_row) = (2 * a_row, 4 * c_row);
    // SAFETY: the caller's; every load is of rows of 64 bytes within them.
    unsafe {
        asm!(
            "test {add:e}, {add:e}",
            "jnz 2f",
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "jmp 3f",
            "2:",
            "tileloadd tmm0, [{c} + {c_row}]",
            "tileloadd tmm1, [{c} + {c_row} + 64]",
            "tileloadd tmm2, [{below} + {c_row}]",
            "tileloadd tmm3, [{below} + {c_row} + 64]",
            "3:",
            "tileloadd tmm6, [{b} + {line}]",
            "tileloadd tmm4, [{a} + {a_row}]",
            "tileloadd tmm7, [{b} + {line} + 1024]",
            "tileloadd tmm5, [{second} + {a_row}]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {a}, 64",
            "add {second}, 64",
            "add {b}, 2048",
            "dec {steps}",
            "jnz 3b",
            "tilestored [{c} + {c_row}], tmm0",
            "tilestored [{c} + {c_row} + 64], tmm1",
            "tilestored [{below} + {c_row}], tmm2",
            "tilestored [{below} + {c_row} + 64], tmm3",
            add = in(reg) u32::from(add),
            a = inout(reg) a => _,
            second = inout(reg) a.byte_add(16 * a_row) => _,
            a_row = in(reg) a_row,
            b = inout(reg) b => _,
            line = in(reg) 64usize,
            steps = inout(reg) steps => _,
            c = in(reg) c,
            below = in(reg) c.byte_add(16 * c_row),
            c_row = in(reg) c_row,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack)
        );
    }
}

/// 16 rows.
///
/// # Safety
/// As [`two`], of 16 rows.
unsafe fn one(tiles: Tiles, (c, c_row, add): SumsTo) {
    let Tiles { a, a_row, b, steps, .. } = tiles;
    let (a_row, c_row) = (2 * a_row, 4 * c_row);
    // SAFETY: the caller's; every load is of rows of 64 bytes within them.
    unsafe {
        asm!(
            "test {add:e}, {add:e}",
            "jnz 2f",
            "tilezero tmm0",
            "tilezero tmm1",
            "jmp 3f",
            "2:",
            "tileloadd tmm0, [{c} + {c_row}]",
            "tileloadd tmm1, [{c} + {c_row} + 64]",
            "3:",
            "tileloadd tmm6, [{b} + {line}]",
            "tileloadd tmm4, [{a} + {a_row}]",
            "tileloadd tmm7, [{b} + {line} + 1024]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "add {a}, 64",
            "add {b}, 2048",
            "dec {steps}",
            "jnz 3b",
            "tilestored [{c} + {c_row}], tmm0",
            "tilestored [{c} + {c_row} + 64], tmm1",
            add = in(reg) u32::from(add),
            a = inout(reg) a => _,
            a_row = in(reg) a_row,
            b = inout(reg) b => _,
            line = in(reg) 64usize,
            steps = inout(reg) steps => _,
            c = in(reg) c,
            c_row = in(reg) c_row,
            out("tmm0") _, out("tmm1") _, out("tmm4") _, out("tmm6") _, out("tmm7") _,
            options(nostack)
        );
    }
}

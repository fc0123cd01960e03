//! Products by AMX's tiles: `tmm0` to `tmm3` hold 32 rows of 32 sums.

use std::arch::asm;

use super::tiles::{PANEL, STEP, TILE, Tiles, TilesTo};
use super::value_parts::ValueParts;

/// Brings eight lines of what is multiplied next into the second cache: it comes from a third one that is slow.
macro_rules! fetch {
    ($first:literal) => {
        concat!(
            fetch!($first, "0"),
            fetch!($first, "64"),
            fetch!($first, "128"),
            fetch!($first, "192"),
            fetch!($first, "256"),
            fetch!($first, "320"),
            fetch!($first, "384"),
            fetch!($first, "448"),
        )
    };
    ($first:literal, $line:literal) => {
        concat!("prefetcht1 [{ahead} + ", $first, " + ", $line, "]\n")
    };
}

/// The sums of so many tiles of rows before the first step, zero or those that are added to; then a step begins.
macro_rules! begin {
    (2) => {
        concat!(
            "test {add:e}, {add:e}\njnz 2f\n",
            "tilezero tmm0\ntilezero tmm1\ntilezero tmm2\ntilezero tmm3\njmp 3f\n",
            "2:\n",
            "tileloadd tmm0, [{c} + {c_row}]\ntileloadd tmm1, [{c} + {c_row} + 64]\n",
            "tileloadd tmm2, [{below} + {c_row}]\ntileloadd tmm3, [{below} + {c_row} + 64]\n",
            "3:\n",
        )
    };
    (1) => {
        concat!(
            "test {add:e}, {add:e}\njnz 2f\n",
            "tilezero tmm0\ntilezero tmm1\njmp 3f\n",
            "2:\n",
            "tileloadd tmm0, [{c} + {c_row}]\ntileloadd tmm1, [{c} + {c_row} + 64]\n",
            "3:\n",
        )
    };
}

/// The next step; after the last one sums go where they belong.
macro_rules! end {
    (2) => {
        concat!(end!(1), "tilestored [{below} + {c_row}], tmm2\ntilestored [{below} + {c_row} + 64], tmm3\n")
    };
    (1) => {
        "dec {steps}\njnz 3b\ntilestored [{c} + {c_row}], tmm0\ntilestored [{c} + {c_row} + 64], tmm1\n"
    };
}

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
    unsafe {
        match (tiles.parts, rows > TILE) {
            (ValueParts::Rounded, true) => two(tiles, to),
            (ValueParts::Rounded, false) => one(tiles, to),
            (ValueParts::Whole, true) => two_whole(tiles, to),
            (ValueParts::Whole, false) => one_whole(tiles, to),
        }
    }
}

/// 32 rows.
///
/// # Safety
/// The tiles are configured; `a` and sums are good for 32 rows, `b` for a panel.
unsafe fn two(tiles: Tiles, (c, c_row, add): SumsTo) {
    let Tiles { a, a_row, b, steps, ahead, .. } = tiles;
    let (a_row, c_row) = (2 * a_row, 4 * c_row);
    // SAFETY: the caller's; every load is of rows of 64 bytes within them.
    unsafe {
        asm!(
            begin!(2),
            "tileloadd tmm6, [{b} + {line}]",
            "tileloadd tmm4, [{a} + {a_row}]",
            "tileloadd tmm7, [{b} + {line} + 1024]",
            "tileloadd tmm5, [{second} + {a_row}]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            fetch!("0"),
            "add {a}, 64",
            "add {second}, 64",
            "add {b}, 2048",
            "add {ahead}, 512",
            end!(2),
            add = in(reg) u32::from(add),
            a = inout(reg) a => _,
            second = inout(reg) a.byte_add(16 * a_row) => _,
            a_row = in(reg) a_row,
            b = inout(reg) b => _,
            ahead = inout(reg) ahead => _,
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
            begin!(1),
            "tileloadd tmm6, [{b} + {line}]",
            "tileloadd tmm4, [{a} + {a_row}]",
            "tileloadd tmm7, [{b} + {line} + 1024]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "add {a}, 64",
            "add {b}, 2048",
            end!(1),
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

/// Bytes of a tile of 16 rows of one part.
const TILE_BYTES: usize = 2 * TILE * STEP;

/// Both tiles of a part of the right operand.
macro_rules! right {
    ($part:literal) => {
        concat!(
            "tileloadd tmm6, [{b} + {line} + ",
            $part,
            "]\n",
            "tileloadd tmm7, [{b} + {line} + ",
            $part,
            " + 1024]\n",
        )
    };
}

/// A part of the left operand: of the second 16 rows too, where there are such.
macro_rules! left {
    ($part:literal, 2) => {
        concat!(
            "tileloadd tmm4, [{a} + {line} + ",
            $part,
            "]\n",
            "tileloadd tmm5, [{second} + {line} + ",
            $part,
            "]\n",
        )
    };
    ($part:literal, 1) => {
        concat!("tileloadd tmm4, [{a} + {line} + ", $part, "]\n")
    };
}

/// The products of what was loaded, added to the sums.
macro_rules! products {
    (2) => {
        "tdpbf16ps tmm0, tmm4, tmm6\ntdpbf16ps tmm1, tmm4, tmm7\ntdpbf16ps tmm2, tmm5, tmm6\ntdpbf16ps tmm3, tmm5, tmm7\n"
    };
    (1) => {
        "tdpbf16ps tmm0, tmm4, tmm6\ntdpbf16ps tmm1, tmm4, tmm7\n"
    };
}

/// A step of whole values: the six products of parts that reach the last bit of a product in f32, in an order in which the
/// least is loaded. A part of `b` is 2,048 bytes, one of a tile of `a` 1,024.
macro_rules! whole_step {
    ($rows:tt) => {
        concat!(
            left!("0", $rows),
            right!("4096"),
            products!($rows),
            right!("2048"),
            products!($rows),
            fetch!("0"),
            left!("1024", $rows),
            products!($rows),
            right!("0"),
            products!($rows),
            fetch!("512"),
            left!("2048", $rows),
            products!($rows),
            left!("0", $rows),
            products!($rows),
            "add {a}, 3072\n",
            "add {b}, 6144\n",
            "add {ahead}, 1024\n",
        )
    };
}

/// 32 rows of whole values.
///
/// # Safety
/// The tiles are configured; `a` is good for two tiles of rows, sums for 32 rows, `b` for a panel.
unsafe fn two_whole(tiles: Tiles, (c, c_row, add): SumsTo) {
    let Tiles { a, b, steps, ahead, .. } = tiles;
    let c_row = 4 * c_row;
    // SAFETY: the caller's; every load is of rows of 64 bytes within them, and what is brought near may lie anywhere.
    unsafe {
        asm!(
            begin!(2),
            whole_step!(2),
            "add {second}, 3072",
            end!(2),
            add = in(reg) u32::from(add),
            a = inout(reg) a => _,
            second = inout(reg) a.byte_add(steps * ValueParts::Whole.count() * TILE_BYTES) => _,
            b = inout(reg) b => _,
            ahead = inout(reg) ahead => _,
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

/// 16 rows of whole values.
///
/// # Safety
/// As [`two_whole`], of one tile of rows.
unsafe fn one_whole(tiles: Tiles, (c, c_row, add): SumsTo) {
    let Tiles { a, b, steps, ahead, .. } = tiles;
    let c_row = 4 * c_row;
    // SAFETY: the caller's; as above.
    unsafe {
        asm!(
            begin!(1),
            whole_step!(1),
            end!(1),
            add = in(reg) u32::from(add),
            a = inout(reg) a => _,
            b = inout(reg) b => _,
            ahead = inout(reg) ahead => _,
            line = in(reg) 64usize,
            steps = inout(reg) steps => _,
            c = in(reg) c,
            c_row = in(reg) c_row,
            out("tmm0") _, out("tmm1") _, out("tmm4") _, out("tmm6") _, out("tmm7") _,
            options(nostack)
        );
    }
}

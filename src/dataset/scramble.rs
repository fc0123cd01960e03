//! A number from a number that looks like chance and is the same on every machine.

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014); no two numbers give the same one.
pub(super) fn scramble(v: u64) -> u64 {
    let mut v = v.wrapping_add(0x9E37_79B9_7F4A_7C15);
    v = (v ^ (v >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    v = (v ^ (v >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    v ^ (v >> 31)
}

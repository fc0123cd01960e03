//! Bytes that deflate better: pixels as differences to their neighbours (PNG's Paeth filter), numbers with their first
//! bytes together.

/// Of the three neighbours of a pixel that are known before it, the one that is nearest to where they point
/// (PNG specification, section 9.4).
fn paeth(left: u8, up: u8, corner: u8) -> u8 {
    let [a, b, c] = [left, up, corner].map(i16::from);
    let guess = a + b - c;
    let [da, db, dc] = [a, b, c].map(|value| (guess - value).abs());
    match () {
        () if da <= db && da <= dc => left,
        () if db <= dc => up,
        () => corner,
    }
}

/// What is expected of byte `at` of rows of `row` bytes, 3 to a pixel, of which those before it are known.
fn expected(rgb: &[u8], at: usize, row: usize) -> u8 {
    let (has_left, has_up) = (at % row >= 3, at >= row);
    let byte = |is_there: bool, back: usize| if is_there { rgb[at - back] } else { 0 };
    paeth(byte(has_left, 3), byte(has_up, row), byte(has_left && has_up, row + 3))
}

/// RGB rows of `width` pixels as differences to what is expected of them.
pub fn differences(rgb: &[u8], width: u32) -> Vec<u8> {
    let row = 3 * width as usize;
    (0..rgb.len()).map(|at| rgb[at].wrapping_sub(expected(rgb, at, row))).collect()
}

/// The rows that [`differences`] were taken of.
pub fn undo_differences(mut rgb: Vec<u8>, width: u32) -> Vec<u8> {
    let row = 3 * width as usize;
    for at in 0..rgb.len() {
        rgb[at] = rgb[at].wrapping_add(expected(&rgb, at, row));
    }
    rgb
}

/// Numbers of `side` bytes with their first bytes first, then their second ones, and so on.
pub fn by_place(bytes: &[u8], side: usize) -> Vec<u8> {
    (0..side).flat_map(|place| bytes.iter().skip(place).step_by(side).copied()).collect()
}

/// What [`by_place`] was made of; a rest that is no whole number is left out.
pub fn undo_by_place(bytes: &[u8], side: usize) -> Vec<u8> {
    let count = bytes.len() / side;
    (0..count).flat_map(|at| (0..side).map(move |place| bytes[place * count + at])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_and_slopes_become_few_values() {
        let rgb: Vec<u8> = (0..5 * 7 * 3).map(|at| (at * at % 251) as u8).collect();
        assert_eq!(undo_differences(differences(&rgb, 7), 7), rgb);
        let slope: Vec<u8> = (0..4 * 8).flat_map(|at| [at % 8 * 9 + at / 8; 3]).collect();
        let inner = differences(&slope, 8)[3 * 9..3 * 16].to_vec();
        assert!(inner.iter().all(|value| *value == inner[0]), "{inner:?}");
        let numbers = [1u8, 2, 3, 4, 5, 6];
        assert_eq!(by_place(&numbers, 2), [1, 3, 5, 2, 4, 6]);
        assert_eq!(undo_by_place(&by_place(&numbers, 2), 2), numbers);
        assert_eq!(undo_by_place(&[1, 2, 3], 2), [1, 2], "a rest is left out");
    }
}

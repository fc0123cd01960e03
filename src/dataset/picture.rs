//! What the readers of several picture formats share.

use image::metadata::Orientation;

/// The digit after `tiff:Orientation="` or `tiff:Orientation>` in an XMP packet.
pub(super) fn orientation_from_xmp(packet: &[u8]) -> Option<Orientation> {
    const KEY: &[u8] = b"tiff:Orientation";
    let at = packet.windows(KEY.len()).position(|window| window == KEY)? + KEY.len();
    let digit = match packet.get(at..)? {
        [b'=', b'"', digit, ..] | [b'>', digit, ..] => digit.checked_sub(b'0')?,
        _ => return None,
    };
    Orientation::from_exif(digit)
}

/// CMYK (255 = full ink) to RGB as Pillow does it: R = (255 - K) - round(C * (255 - K) / 255).
pub(super) fn rgb_from_cmyk([c, m, y, k]: [u8; 4]) -> [u8; 3] {
    let white = 255 - u32::from(k);
    let ink = |v: u8| {
        let t = u32::from(v) * white + 128;
        (white - (((t >> 8) + t) >> 8).min(white)) as u8
    };
    [ink(c), ink(m), ink(y)]
}

//! JPEG files: what their headers say, and their pixels, the same as libjpeg-turbo's to the bit.

mod bits;
mod coefficients;
mod colour;
mod decode;
mod frame;
mod header;
mod idct;
mod tables;

pub(super) use decode::decode;
pub(super) use header::{JpegHeader, ensure_complete, read_header};

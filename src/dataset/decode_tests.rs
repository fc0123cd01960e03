//! Against the fixtures of `tests/fixtures/make_images.py`, and real pictures where there are some.

use std::path::PathBuf;

use super::*;
use crate::dataset::picture::rgb_from_cmyk;

#[derive(serde::Deserialize)]
struct Expected {
    file: String,
    width: u32,
    height: u32,
    lossless: bool,
    offset: usize,
}

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images")
}

/// Largest and mean difference of two pictures' samples.
fn difference(a: &[u8], b: &[u8]) -> (u8, f64) {
    let differences: Vec<u8> = a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).collect();
    let sum: f64 = differences.iter().map(|&d| f64::from(d)).sum();
    (differences.iter().copied().max().unwrap_or(0), sum / differences.len() as f64)
}

#[test]
fn every_kind_of_picture_decodes_as_pillow_decodes_it() {
    let index = std::fs::read(fixtures().join("index.json")).unwrap();
    let pixels = std::fs::read(fixtures().join("expected.rgb")).unwrap();
    let index: Vec<Expected> = serde_json::from_slice(&index).unwrap();
    assert!(index.len() > 50);
    let mut wrong = Vec::new();
    for e in index {
        let path = fixtures().join(&e.file);
        let size = (e.height, e.width);
        let expected = &pixels[e.offset..][..3 * (e.width * e.height) as usize];
        match decode(&path, Decoding::default()) {
            Err(error) => wrong.push(format!("{}: {error:#}", e.file)),
            Ok(Decoded { image, .. }) => {
                assert_eq!((image.height(), image.width()), size, "{}", e.file);
                assert_eq!(probe(&path).unwrap().size(Exif::Apply), size, "{}", e.file);
                let (max, mean) = difference(image.rgb(), expected);
                let limit = if e.lossless { (0, 0.0) } else { (6, 1.0) };
                if max > limit.0 || mean > limit.1 {
                    wrong.push(format!("{}: differs by up to {max}, {mean:.2} on average", e.file));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn bad_pictures_are_refused_with_the_file_and_the_reason() {
    for (file, reason) in [
        ("truncated.jpg", "truncated"),
        ("header_only.jpg", "truncated"),
        ("truncated.png", "truncated"),
        ("bomb.png", "60000 x 100 pixels is too large: at most 32768"),
        ("bomb_area.png", "30000 x 30000 pixels is too large"),
        ("bomb.jpg", "60000 x 11 pixels is too large"),
        ("text.png", "not a picture"),
        ("empty.jpg", "not a picture"),
    ] {
        let path = fixtures().join("bad").join(file);
        for error in [decode(&path, Decoding::default()).err().unwrap(), probe(&path).err().unwrap()] {
            let text = format!("{error:#}");
            assert!(text.contains(file) && text.contains(reason), "{text}");
        }
    }
}

#[test]
fn a_picture_cut_anywhere_or_with_any_byte_changed_gives_no_panic() {
    for file in [
        "rgb_420.jpg",
        "progressive.jpg",
        "ycck.jpg",
        "palette.png",
        "exif8.webp",
        "lossy.webp",
        "bits16.bmp",
    ]
    .into_iter()
    .chain(["palette.gif", "palette_lzw.tiff", "cmyk.tiff", "exif5.tiff", "bilevel.tiff"])
    {
        let bytes = std::fs::read(fixtures().join(file)).unwrap();
        for cut in 0..bytes.len() {
            let _ = decode_bytes(&bytes[..cut], file, Decoding::default());
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            for value in [0, 255, bytes[at] ^ 1] {
                changed[at] = value;
                let _ = decode_bytes(&changed, file, Decoding::default());
            }
        }
    }
}

#[test]
fn a_jpeg_with_bytes_after_its_end_is_whole() {
    let mut bytes = std::fs::read(fixtures().join("rgb_444.jpg")).unwrap();
    let decoded = |bytes: &[u8]| decode_bytes(bytes, "a", Decoding::default()).unwrap().image;
    let plain = decoded(&bytes);
    bytes.extend([0; 100]);
    assert_eq!(decoded(&bytes), plain);
}

#[test]
fn cmyk_is_multiplied_out_as_pillow_does() {
    assert_eq!(rgb_from_cmyk([0, 0, 0, 0]), [255, 255, 255]);
    assert_eq!(rgb_from_cmyk([255, 0, 128, 0]), [0, 255, 127]);
    assert_eq!(rgb_from_cmyk([10, 20, 30, 255]), [0, 0, 0]);
}

#[test]
fn all_sample_photographs_decode() {
    let Ok(data) = std::env::var("BAGSSL_TEST_DATA") else {
        println!("skipped: BAGSSL_TEST_DATA is not set");
        return;
    };
    let mut count = 0;
    for entry in std::fs::read_dir(PathBuf::from(data).join("imagenet_samples")).unwrap() {
        let path = entry.unwrap().path();
        let image = decode(&path, Decoding::default()).unwrap().image;
        assert_eq!(probe(&path).unwrap().size(Exif::Apply), (image.height(), image.width()));
        let mean = image.rgb().iter().map(|&v| u64::from(v)).sum::<u64>() / image.rgb().len() as u64;
        assert!((5..250).contains(&mean), "{}: mean {mean}", path.display());
        count += 1;
    }
    assert_eq!(count, 250);
}

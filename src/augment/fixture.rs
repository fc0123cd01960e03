//! Reads the torchvision outputs that `tests/fixtures/make_augment.py` wrote.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::image::Image;

const INDEX: &str = include_str!("../../tests/fixtures/augment/index.json");
const REFERENCE: &[u8] = include_bytes!("../../tests/fixtures/augment/reference.bin");

/// One reference output and what made it.
pub struct TorchvisionCase {
    arguments: Value,
    /// `[3, height, width]`.
    pub shape: [u32; 3],
    /// Planar values.
    pub expected: Vec<f32>,
}

/// Everything that the script wrote about its cases.
pub fn index() -> Value {
    serde_json::from_str(INDEX).unwrap()
}

/// The cases of one group, in the order of the script.
pub fn cases(group: &str) -> Vec<TorchvisionCase> {
    let index = index();
    let chosen = index["cases"].as_array().unwrap().iter().filter(|case| case["group"] == group);
    chosen.map(|case| TorchvisionCase::new(case.clone())).collect()
}

/// The script's `pixels`.
pub fn image(height: u32, width: u32, salt: u32) -> Image {
    let hash = |i: u32| {
        let i = i.wrapping_add(salt.wrapping_mul(1_000_003));
        let i = (i ^ (i >> 16)).wrapping_mul(0x7FEB_352D);
        let i = (i ^ (i >> 15)).wrapping_mul(0x846C_A68B);
        ((i ^ (i >> 16)) >> 24) as u8
    };
    let pixel = |y: u32, x: u32| {
        let noise = [0, 1, 2].map(|channel| hash(3 * (y * width + x) + channel));
        match y.checked_sub(height / 3) {
            _ if salt.is_multiple_of(2) => noise,
            None if x < width / 3 => [noise[0]; 3],
            Some(0) => [0; 3],
            Some(1) => [255; 3],
            Some(2) => [255, 0, 255],
            _ => noise,
        }
    };
    let rgb = (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(y, x))).collect();
    Image::new(width, height, rgb)
}

/// Planar values in [0, 1] of a whole image.
pub fn planar(image: &Image) -> Vec<f32> {
    let channel = |c: usize| image.rgb().iter().skip(c).step_by(3).map(|&byte| byte as f32 / 255.0);
    (0..3).flat_map(channel).collect()
}

impl TorchvisionCase {
    fn new(arguments: Value) -> Self {
        let shape: [u32; 3] = serde_json::from_value(arguments["shape"].clone()).unwrap();
        let (at, len) =
            (arguments["offset"].as_u64().unwrap() as usize, shape.iter().product::<u32>() as usize);
        let bytes = &REFERENCE[4 * at..4 * (at + len)];
        let expected = bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        Self { arguments, shape, expected }
    }

    pub fn argument<T: DeserializeOwned>(&self, name: &str) -> T {
        serde_json::from_value(self.arguments[name].clone()).unwrap()
    }

    /// The input.
    pub fn image(&self) -> Image {
        image(self.argument("height"), self.argument("width"), self.argument("salt"))
    }

    /// The input, planar.
    pub fn planar(&self) -> Vec<f32> {
        planar(&self.image())
    }

    /// Fails where a value is farther than `tolerance` from the reference (or not a number).
    pub fn assert_close(&self, got: &[f32], tolerance: f32) {
        assert_eq!(got.len(), self.expected.len(), "{}", self.arguments);
        for (i, (got, expected)) in got.iter().zip(&self.expected).enumerate() {
            let close = (got - expected).abs() <= tolerance;
            assert!(
                close,
                "value {i} is {got}, torchvision has {expected} (tolerance {tolerance}): {}",
                self.arguments
            );
        }
    }
}

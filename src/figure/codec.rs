//! How plain data stands in a sidecar: pictures as base64 of a PNG, numbers as
//! base64 of their little-endian bytes, so that both come back bit for bit.

/// A picture: base64 of an 8-bit RGB PNG.
pub(super) mod picture {
    use std::io::Cursor;

    use ::image::codecs::png::{CompressionType, FilterType, PngEncoder};
    use ::image::{
        DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageFormat, ImageReader, Limits,
    };
    use anyhow::ensure;
    use base64::{Engine, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::dataset::decode::{MAX_PIXELS, MAX_SIDE};
    use crate::image::Image;

    /// Base64 of `image` as a PNG file; the same pixels give the same text.
    pub fn encode(image: &Image) -> String {
        let mut png = Vec::new();
        PngEncoder::new_with_quality(&mut png, CompressionType::Default, FilterType::Adaptive)
            .write_image(image.rgb(), image.width(), image.height(), ExtendedColorType::Rgb8)
            .expect("a PNG is written to memory");
        STANDARD.encode(png)
    }

    /// What a data set gives is written, and so read back: the bounds are the same.
    fn decode(text: &str) -> anyhow::Result<Image> {
        let mut limits = Limits::default();
        limits.max_image_width = Some(MAX_SIDE);
        limits.max_image_height = Some(MAX_SIDE);
        limits.max_alloc = Some(3 * MAX_PIXELS);
        let mut reader = ImageReader::with_format(Cursor::new(STANDARD.decode(text)?), ImageFormat::Png);
        reader.limits(limits);
        let decoder = reader.into_decoder()?;
        let (width, height) = decoder.dimensions();
        let bytes = decoder.total_bytes().max(3 * u64::from(width) * u64::from(height));
        ensure!(bytes <= 3 * MAX_PIXELS, "{width} x {height} pixels; expected {MAX_PIXELS} in all at most");
        let rgb = DynamicImage::from_decoder(decoder)?.into_rgb8();
        Ok(Image::new(rgb.width(), rgb.height(), rgb.into_raw()))
    }

    pub fn serialize<S: Serializer>(image: &Image, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode(image))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Image, D::Error> {
        let text = String::deserialize(deserializer)?;
        decode(&text).map_err(|e| D::Error::custom(format!("a picture (expected base64 of a PNG): {e}")))
    }
}

/// A list of `f32` or `f64`: base64 of the little-endian bytes.
pub(super) mod floats {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use bytemuck::Pod;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[cfg(target_endian = "big")]
    compile_error!("numbers in sidecars are little-endian, as is every machine that this crate supports");

    pub fn serialize<T: Pod, S: Serializer>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytemuck::cast_slice::<T, u8>(values)))
    }

    pub fn deserialize<'de, T: Pod, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
        let bytes = STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)?;
        let size = size_of::<T>();
        if bytes.len() % size != 0 {
            let message =
                format!("a list of numbers has {} bytes, expected a multiple of {size}", bytes.len());
            return Err(D::Error::custom(message));
        }
        Ok(bytemuck::pod_collect_to_vec(&bytes))
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::picture;
    use crate::dataset::decode::MAX_SIDE;
    use crate::image::Image;

    #[derive(Serialize, Deserialize)]
    struct Shown(#[serde(with = "picture")] Image);

    #[test]
    fn a_picture_as_wide_as_any_that_is_read_comes_back() {
        let back = |width: u32| {
            let text = serde_json::to_string(&Shown(Image::filled(width, 2, [7, 8, 9]))).unwrap();
            serde_json::from_str::<Shown>(&text).map(|shown| shown.0)
        };
        assert_eq!(back(MAX_SIDE).unwrap(), Image::filled(MAX_SIDE, 2, [7, 8, 9]));
        let error = back(MAX_SIDE + 1).unwrap_err().to_string();
        assert!(error.contains("expected base64 of a PNG"), "{error}");
    }
}

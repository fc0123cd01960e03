//! Part masks beside an image folder: which part each pixel belongs to.
//!
//! ```text
//! DIR/parts.json                        {"parts": ["sky", "grass", "wing"], "backgrounds": 2}
//! DIR/.parts/<path of the image>.png    8-bit grey, as large as the image: value v is the part parts[v]
//! ```
//!
//! The first `backgrounds` names belong to no object. Every image has a mask. The folder is hidden, so that readers of image
//! folders do not take it for a class; `bagssl data synth` writes one.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use image::codecs::png::PngDecoder;
use image::{ColorType, ImageDecoder};
use serde::Deserialize;

use super::PartMap;
use crate::files;
use crate::memory;

/// What says the names.
pub(super) const NAMES_FILE: &str = "parts.json";
/// Where masks lie.
pub(super) const MASKS_FOLDER: &str = ".parts";
/// Most parts: a mask's values are of 8 bits.
const MOST_PARTS: usize = 256;
/// Largest mask file, bytes.
const MAX_BYTES: u64 = 1 << 30;

/// The masks of an image folder.
pub(super) struct PartMasks {
    folder: PathBuf,
    names: Arc<[String]>,
    backgrounds: usize,
}

/// What is read of [`NAMES_FILE`].
#[derive(Deserialize)]
struct MaskNames {
    parts: Vec<String>,
    backgrounds: usize,
}

impl PartMasks {
    /// The masks in `root`, if it has a folder of them.
    ///
    /// # Errors
    /// Their names cannot be read, or are not names of parts.
    pub fn find(root: &Path) -> Result<Option<Self>> {
        let folder = root.join(MASKS_FOLDER);
        if !folder.is_dir() {
            return Ok(None);
        }
        let file = root.join(NAMES_FILE);
        let what = || {
            format!(
                "{}: expected the names of the parts whose masks lie in {MASKS_FOLDER}, {{\"parts\": [names], \
                 \"backgrounds\": how many of the first are of no object}}",
                file.display()
            )
        };
        let text = files::read_to_string(&file, files::MOST_WORDS).with_context(what)?;
        let MaskNames { parts, backgrounds } = serde_json::from_str(&text).with_context(what)?;
        ensure!(
            (1..=MOST_PARTS).contains(&parts.len()) && backgrounds <= parts.len(),
            "{}: {} parts, {backgrounds} of them backgrounds; expected 1 to {MOST_PARTS}, and no more backgrounds than parts",
            file.display(),
            parts.len()
        );
        Ok(Some(Self { folder, names: parts.into(), backgrounds }))
    }

    /// What the parts are called.
    pub fn names(&self) -> Arc<[String]> {
        self.names.clone()
    }

    /// The parts of an image of `(height, width)`, whose path within the folder is `image`.
    ///
    /// # Errors
    /// There is no mask, or it is of another size or kind, or has a value that is no part.
    pub fn of(&self, image: &Path, (height, width): (u32, u32)) -> Result<PartMap> {
        let path = self.folder.join(image).with_extension("png");
        let what = || format!("{}: cannot use the part mask of {}", path.display(), image.display());
        let bytes = files::read(&path, MAX_BYTES).with_context(what)?;
        let pixels = height as usize * width as usize;
        let taken = bytes.len() as u64 + 2 * pixels as u64;
        let index =
            memory::decoding(taken, what, || self.decoded(&bytes, (height, width))).with_context(what)?;
        Ok(PartMap { width, height, index, names: self.names.clone(), backgrounds: self.backgrounds })
    }

    fn decoded(&self, bytes: &[u8], (height, width): (u32, u32)) -> Result<Vec<u8>> {
        let decoder = PngDecoder::new(Cursor::new(bytes)).context("not a PNG")?;
        let found = decoder.dimensions();
        ensure!(
            found == (width, height) && decoder.color_type() == ColorType::L8,
            "it is of {} x {} pixels, {:?}; expected {width} x {height}, as the image, and 8-bit grey",
            found.0,
            found.1,
            decoder.color_type()
        );
        let mut index = vec![0; height as usize * width as usize];
        decoder.read_image(&mut index).context("not a whole PNG")?;
        if let Some(value) = index.iter().find(|value| usize::from(**value) >= self.names.len()) {
            anyhow::bail!(
                "it has the value {value}; expected 0 to {}, of {NAMES_FILE}",
                self.names.len() - 1
            );
        }
        Ok(index)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::dataset::{Dataset, Split, folder::Folder, parts};
    use crate::progress::CancelToken;

    /// Scenes of the built-in set as a folder, and what it knows of them.
    fn written() -> (tempfile::TempDir, parts::Parts) {
        let folder = tempfile::tempdir().unwrap();
        let set = parts::Parts::new(7, 12, 32, Split::Train).unwrap();
        parts::write_image_folder(&set, &folder.path().join("set"), &CancelToken::default(), &mut |_| ())
            .unwrap();
        (folder, set)
    }

    #[test]
    fn a_folder_with_masks_knows_the_parts_that_they_were_written_from() {
        let (folder, set) = written();
        let open = Folder::open(&folder.path().join("set"), None).unwrap();
        assert_eq!((open.part_names(), open.skipped().len()), (set.part_names(), 0));
        for index in 0..12 {
            let number = open.image_name(index).rsplit_once("train-").unwrap().1[..6].parse().unwrap();
            assert_eq!(open.parts(index).unwrap(), set.parts(number).unwrap());
        }
        fs::remove_dir_all(folder.path().join("set/.parts")).unwrap();
        let open = Folder::open(&folder.path().join("set"), None).unwrap();
        assert_eq!((open.part_names(), open.parts(0).unwrap(), open.skipped().len()), (None, None, 0));
    }

    #[test]
    fn a_mask_that_cannot_be_is_refused_by_name() {
        let (folder, _) = written();
        let root = folder.path().join("set");
        let open = || Folder::open(&root, None).unwrap();
        let set = open();
        let mask = root.join(".parts/train").join(set.image_name(0));
        let refusal = || format!("{:#}", set.parts(0).unwrap_err());
        let whole = fs::read(&mask).unwrap();
        let write = |mask: image::DynamicImage, path: &Path| mask.save(path).unwrap();
        write(image::GrayImage::new(32, 31).into(), &mask);
        assert!(refusal().contains("it is of 32 x 31 pixels, L8; expected 32 x 32"), "{}", refusal());
        write(image::RgbImage::new(32, 32).into(), &mask);
        assert!(refusal().contains("Rgb8; expected"), "{}", refusal());
        write(image::GrayImage::from_pixel(32, 32, image::Luma([200])).into(), &mask);
        assert!(refusal().contains("it has the value 200; expected 0 to 44, of parts.json"), "{}", refusal());
        fs::write(&mask, &whole[..whole.len() / 2]).unwrap();
        assert!(refusal().contains("cannot use the part mask of "), "{}", refusal());
        fs::remove_file(&mask).unwrap();
        assert!(refusal().contains(&mask.display().to_string()), "{}", refusal());
        for names in ["{", "{\"parts\": [\"a\"]}", "{\"parts\": [\"a\"], \"backgrounds\": 2}"] {
            fs::write(root.join("parts.json"), names).unwrap();
            let set = open();
            assert_eq!((set.part_names(), set.skipped().len(), set.len()), (None, 1, 12));
            assert!(set.skipped()[0].file == "parts.json", "{:?}", set.skipped());
        }
    }
}

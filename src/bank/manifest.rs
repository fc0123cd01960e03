//! `bank.json`: what made the bank and how much of it there is.

use super::layout::{ImageEntry, Layout};
use super::pixels::{pixels_bytes, pixels_path};
use super::spec::BankSpec;
use super::sums::{sums_bytes, sums_path};
use super::{images, rows};
use crate::files::{self, write_atomic};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const FORMAT: &str = "bagssl-bank";
const VERSION: u32 = 1;
/// More than a million class names and skipped images need.
const MANIFEST_LIMIT: u64 = 256 << 20;
const IMAGES_LIMIT: u64 = 8 << 30;

/// An image without embeddings, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedImage {
    /// Index of the image in the data set.
    pub image: u32,
    /// Why it could not be used, for people.
    pub reason: String,
}

/// The content of `bank.json`. It holds no time and no path: the same bank gives the same bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub format: String,
    pub version: u32,
    pub spec: BankSpec,
    /// Images in all.
    pub images: u64,
    /// Hex SHA-256 of `images.bin`.
    pub images_sha256: String,
    /// Patches in all.
    pub patches: u64,
    /// The first so many images of `images.bin` are committed.
    pub complete_images: u64,
    /// Per space, how many of the committed rows take part in searches (neither skipped nor NaN).
    pub searchable: BTreeMap<String, u64>,
    /// Committed images without embeddings, in the order of `images.bin`.
    pub skipped: Vec<SkippedImage>,
    /// Whether the rows have sums. Earlier versions of the program wrote none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sums: bool,
    /// Whether the images' pixels have hashes. Earlier versions of the program wrote none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pixels: bool,
}

/// Only these two fields are read first, so that a later format is told from a broken file.
#[derive(Deserialize)]
struct Header {
    format: String,
    version: u32,
}

pub(super) fn manifest_path(folder: &Path) -> PathBuf {
    folder.join("bank.json")
}

pub(super) fn images_path(folder: &Path) -> PathBuf {
    folder.join("images.bin")
}

impl Manifest {
    /// A bank with nothing in it yet.
    pub fn empty(spec: &BankSpec, layout: &Layout) -> Self {
        Self {
            format: FORMAT.into(),
            version: VERSION,
            spec: spec.clone(),
            images: layout.images().len() as u64,
            images_sha256: images::sha256(layout.images()),
            patches: layout.patches() as u64,
            complete_images: 0,
            searchable: spec.spaces.iter().map(|space| (space.name.clone(), 0)).collect(),
            skipped: Vec::new(),
            sums: true,
            // Of imported vectors the images were not read.
            pixels: !spec.model.is_imported(),
        }
    }

    /// Replaces `bank.json` atomically.
    pub fn write(&self, folder: &Path) -> Result<()> {
        write_atomic(&manifest_path(folder), |out| {
            serde_json::to_writer_pretty(&mut *out, self)?;
            out.write_all(b"\n").map_err(Into::into)
        })
    }

    /// Reads and checks manifest and images table, and the sizes of all files of rows.
    pub fn read(folder: &Path) -> Result<(Self, Layout)> {
        let manifest = Self::read_alone(folder)?;
        let layout = manifest.layout(&read(&images_path(folder), IMAGES_LIMIT)?, folder)?;
        rows::check_files(folder, &manifest.spec, &layout, manifest.beside(folder, &layout))?;
        Ok((manifest, layout))
    }

    /// Reads the manifest without what it tells of.
    pub fn read_alone(folder: &Path) -> Result<Self> {
        let path = manifest_path(folder);
        Self::parse(&read(&path, MANIFEST_LIMIT)?, &path)
    }

    /// The manifest in `bytes`, those of `path`.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let header: Header = serde_json::from_slice(bytes).with_context(|| broken(path))?;
        ensure!(header.format == FORMAT, "{} is no bank: its format is {:?}", path.display(), header.format);
        ensure!(
            header.version == VERSION,
            "{} has format version {}; this program reads version {VERSION}",
            path.display(),
            header.version
        );
        let manifest: Self = serde_json::from_slice(bytes).with_context(|| broken(path))?;
        manifest.spec.validate().with_context(|| broken(path))?;
        Ok(manifest)
    }

    /// The images in `bytes`, those of the images table beside it in `folder`.
    pub fn layout(&self, bytes: &[u8], folder: &Path) -> Result<Layout> {
        let table = images_path(folder);
        let found = images::sha256_of(bytes);
        let images = images::decode(bytes).with_context(|| broken(&table))?;
        ensure!(
            found == self.images_sha256,
            "{}: its SHA-256 is {found}, bank.json says {}",
            broken(&table),
            self.images_sha256
        );
        let layout = Layout::new(self.spec.grid, images).with_context(|| broken(&table))?;
        self.check(&layout, folder)?;
        Ok(layout)
    }

    /// Checks that it counts what `layout`, that of the bank in `folder`, has.
    pub fn check(&self, layout: &Layout, folder: &Path) -> Result<()> {
        self.check_counts(layout).with_context(|| broken(&manifest_path(folder)))
    }

    /// The files beside the rows and the images table, each with the length that it must have.
    pub fn beside(&self, folder: &Path, layout: &Layout) -> Vec<(PathBuf, u64)> {
        let sums = self.sums.then(|| (sums_path(folder), sums_bytes(layout, self.spec.spaces.len())));
        let pixels = self.pixels.then(|| (pixels_path(folder), pixels_bytes(layout)));
        sums.into_iter().chain(pixels).collect()
    }

    fn check_counts(&self, layout: &Layout) -> Result<()> {
        let images = layout.images().len() as u64;
        ensure!(self.images == images, "it counts {} images, images.bin has {images}", self.images);
        let patches = layout.patches() as u64;
        ensure!(self.patches == patches, "it counts {} patches, the grid gives {patches}", self.patches);
        ensure!(
            self.complete_images <= images,
            "it says that {} of {images} images are complete",
            self.complete_images
        );
        let rows = layout.rows_before(self.complete_images as usize) as u64;
        for space in &self.spec.spaces {
            let count = self.searchable.get(&space.name).copied().unwrap_or(u64::MAX);
            ensure!(count <= rows, "it says that {count} of {rows} rows of {} can be searched", space.name);
        }
        let mut end = 0;
        for SkippedImage { image, .. } in &self.skipped {
            let place = layout.place_of(*image as usize);
            let place = place.with_context(|| format!("it skips image {image}, which is not in the bank"))?;
            ensure!(place >= end, "its skipped images are not in order");
            ensure!((place as u64) < self.complete_images, "it skips image {image}, not yet written");
            end = place + 1;
        }
        Ok(())
    }
}

/// Writes the images table, which never changes afterwards.
pub(super) fn write_images(folder: &Path, entries: &[ImageEntry]) -> Result<()> {
    write_atomic(&images_path(folder), |out| out.write_all(&images::encode(entries)).map_err(Into::into))
}

fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    files::read(path, most).with_context(|| format!("cannot read {}", path.display()))
}

fn broken(path: &Path) -> String {
    format!("{} is damaged; make the bank again", path.display())
}

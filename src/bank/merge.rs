//! Parts of a bank, laid end to end: the whole is byte for byte what one process would have made.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::BankSink;
use super::images;
use super::layout::ImageEntry;
use super::part::PartFacts;
use super::pixels::PixelHash;
use super::spec::BankSpec;
use super::store::Bank;
use super::writer::BankWriter;

/// Parts of one whole, each once and complete; which are missing. Of one at a time the rows are open.
#[derive(Debug)]
pub struct PartBanks {
    /// That of the whole.
    spec: BankSpec,
    /// By number.
    parts: Vec<PartFolder>,
    /// Those of all parts, in the order of the whole.
    images: Vec<ImageEntry>,
    open: Option<OpenPart>,
}

#[derive(Debug)]
struct PartFolder {
    folder: PathBuf,
    facts: PartFacts,
    /// How many images and patches it has, and how many images come before them.
    images: usize,
    patches: usize,
    first: usize,
}

/// The part whose images are copied.
#[derive(Debug)]
struct OpenPart {
    /// Which of the parts it is.
    place: usize,
    bank: Bank,
    hashes: Vec<Option<PixelHash>>,
}

impl PartBanks {
    /// Opens the parts in `folders`, in any order. Some may be missing ([`PartBanks::missing`]).
    ///
    /// # Errors
    /// A folder without a bank, or with one that is no part, not complete, a part of another whole (with every
    /// difference) or there twice; or images that are not those of the whole.
    pub fn open(folders: &[PathBuf]) -> Result<Self> {
        let mut opened = vec![];
        for folder in folders {
            let (bank, facts) = open_part(folder)?;
            opened.push((folder, facts, bank.spec().clone(), bank.images().to_vec(), bank.patches()));
        }
        opened.sort_by_key(|(_, facts, ..)| facts.number);
        let (first, _, spec, ..) = opened.first().context("no part was named; expected at least one")?;
        let (first, mut spec) = (first.as_path(), spec.clone());
        let (mut parts, mut images) = (Vec::<PartFolder>::new(), vec![]);
        for (folder, facts, of, entries, patches) in opened {
            ensure_beside((first, &spec), (folder.as_path(), &of))?;
            if let Some(before) = parts.last().filter(|before| before.facts.number == facts.number) {
                bail!(
                    "{} and {} are both part {} of {}; name each part once",
                    before.folder.display(),
                    folder.display(),
                    facts.number,
                    facts.of
                );
            }
            let (folder, count) = (folder.clone(), entries.len());
            parts.push(PartFolder { folder, facts, images: count, patches, first: images.len() });
            images.extend(entries);
        }
        spec.data.part = None;
        let parts = Self { spec, parts, images, open: None };
        ensure!(
            !parts.missing().is_empty() || images::sha256(&parts.images) == parts.facts().images_sha256,
            "the images of the parts, from {} on, are not those of the whole that they were divided from; make them again",
            first.display()
        );
        Ok(parts)
    }

    fn facts(&self) -> &PartFacts {
        &self.parts[0].facts
    }

    /// How many parts the whole has.
    pub fn of(&self) -> u32 {
        self.facts().of
    }

    /// Numbers of the parts that were not named.
    pub fn missing(&self) -> Vec<u32> {
        let is_there =
            |number: &u32| self.parts.binary_search_by_key(number, |part| part.facts.number).is_ok();
        (1..=self.of()).filter(|number| !is_there(number)).collect()
    }

    /// Images and patches of the parts that were named, and of the whole.
    pub fn counts(&self) -> [(u64, u64); 2] {
        let patches: usize = self.parts.iter().map(|part| part.patches).sum();
        [(self.images.len() as u64, patches as u64), (self.facts().images, self.facts().patches)]
    }

    /// The folder of the first part.
    pub fn first(&self) -> &Path {
        &self.parts[0].folder
    }

    /// What decides the rows of the whole.
    pub fn spec(&self) -> &BankSpec {
        &self.spec
    }

    /// The images of the parts that were named, in the order of the whole.
    pub fn images(&self) -> &[ImageEntry] {
        &self.images
    }

    /// Copies the image that `whole`, which was made for [`PartBanks::spec`] and [`PartBanks::images`], expects next;
    /// `false` where it has all.
    ///
    /// # Errors
    /// As [`Bank::open`], a part that was changed meanwhile, damage, or a failed write.
    pub fn push_next(&mut self, whole: &mut BankWriter) -> Result<bool> {
        let next = whole.next_image();
        if next == whole.total_images() {
            return Ok(false);
        }
        let place = self.parts.partition_point(|part| part.first <= next) - 1;
        let open = match self.open.take().filter(|open| open.place == place) {
            Some(open) => open,
            None => self.open_part(place)?,
        };
        let within = next - self.parts[place].first;
        let pixels = open.hashes.get(within).copied().flatten();
        whole.push_from(next, &self.open.insert(open).bank, within, pixels)?;
        Ok(true)
    }

    /// Opens the rows of a part, which must be as it was.
    fn open_part(&self, place: usize) -> Result<OpenPart> {
        let PartFolder { folder, facts, images, first, .. } = &self.parts[place];
        let (bank, now) = open_part(folder)?;
        ensure!(
            now == *facts && bank.images() == &self.images[*first..first + images],
            "{} is another bank than when it was looked at; run the same again",
            folder.display()
        );
        let hashes = if bank.knows_copies() { bank.pixel_hashes()? } else { vec![] };
        Ok(OpenPart { place, bank, hashes })
    }
}

/// Opens a complete part.
fn open_part(folder: &Path) -> Result<(Bank, PartFacts)> {
    let bank = Bank::open(folder)?;
    let facts = bank.spec().data.part.clone().with_context(|| {
        format!(
            "{} is a bank of its own, and no part of one as bagssl embed --shard makes them",
            folder.display()
        )
    })?;
    ensure!(
        bank.is_complete(),
        "{}, part {} of {}, has {} of its {} images so far; the command that made it goes on from there",
        folder.display(),
        facts.number,
        facts.of,
        bank.complete_images(),
        bank.total_images()
    );
    Ok((bank, facts))
}

/// That two banks are parts of the same whole, divided alike.
pub(super) fn ensure_beside((a, of_a): (&Path, &BankSpec), (b, of_b): (&Path, &BankSpec)) -> Result<()> {
    let differences = of_a.differences_beside(of_b);
    ensure!(
        differences.is_empty(),
        "{} and {} are parts of different banks; {}",
        a.display(),
        b.display(),
        differences.join("; ")
    );
    if let (Some(one), Some(other)) = (&of_a.data.part, &of_b.data.part)
        && !one.is_beside(other)
    {
        let why = if (one.of, one.images) == (other.of, other.images) { ", whose images differ" } else { "" };
        bail!("{} is {one}, {} is {other}{why}; expected parts of one division", a.display(), b.display());
    }
    Ok(())
}

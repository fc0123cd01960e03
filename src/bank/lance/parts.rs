//! What the processes that make a bank have written so far.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::{Context, Result};
use lance::table::format::Fragment;
use serde::{Deserialize, Serialize};

use super::super::layout::Layout;
use super::super::manifest::Manifest;
use super::super::part::PartNumber;
use super::super::spec::BankSpec;
use super::store::{LancePlace, MOST};
use crate::words::{count, name_list, thousands};

const PARTS: &str = "parts";

/// The content of `part.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PartRecord {
    /// That of a bank of this part alone.
    pub manifest: Manifest,
    /// Fragments of the table with its rows, in their order.
    pub fragments: Vec<Fragment>,
    /// Which of its rows have no value.
    pub empty: EmptyRows,
}

/// By space, runs of rows without a value, rising and apart: `[first, end]`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct EmptyRows(BTreeMap<String, Vec<[usize; 2]>>);

impl EmptyRows {
    /// Notes a row after all others of `space`.
    pub fn push(&mut self, space: &str, row: usize) {
        let runs = self.0.entry(space.to_owned()).or_default();
        match runs.last_mut() {
            Some(last) if last[1] == row => last[1] += 1,
            _ => runs.push([row, row + 1]),
        }
    }

    /// Notes those of a part whose rows come after `before` others.
    pub fn append(&mut self, part: &Self, before: usize) {
        for (space, runs) in &part.0 {
            let moved = runs.iter().map(|[first, end]| [first + before, end + before]);
            self.0.entry(space.clone()).or_default().extend(moved);
        }
    }

    /// Those of `space`.
    pub fn of(&self, space: &str) -> Vec<Range<usize>> {
        self.0.get(space).into_iter().flatten().map(|[first, end]| *first..*end).collect()
    }
}

/// The part that a bank of `spec` is; a bank that one process makes is the only one.
pub fn number_of(spec: &BankSpec) -> PartNumber {
    let alone = PartNumber { number: 1, of: 1 };
    spec.data.part.as_ref().map_or(alone, |part| part.part_number())
}

/// The folder of a part.
pub fn folder(PartNumber { number, of }: PartNumber) -> String {
    format!("{PARTS}/{number}-of-{of}")
}

/// A part that was begun.
#[derive(Debug)]
pub struct BegunPart {
    /// What is written.
    pub record: PartRecord,
    /// Its images.
    pub layout: Layout,
    /// Records of their pixels' hashes, where there are some.
    pub pixels: Vec<u8>,
}

/// The part `number` of the bank in `place`, if it was begun.
///
/// # Errors
/// It is damaged, or cannot be read.
pub fn find(place: &LancePlace, number: PartNumber) -> Result<Option<BegunPart>> {
    read(place, &folder(number))
}

fn read(place: &LancePlace, folder: &str) -> Result<Option<BegunPart>> {
    let name = |file: &str| format!("{folder}/{file}");
    let Some(bytes) = place.find(&name("part.json"), MOST)? else { return Ok(None) };
    let words = || format!("{} is damaged", place.words(&name("part.json")).display());
    let record: PartRecord = serde_json::from_slice(&bytes).with_context(words)?;
    record.manifest.spec.validate().with_context(words)?;
    let layout = record.manifest.layout(&place.read(&name("images.bin"), MOST)?, &place.words(folder))?;
    let pixels = place.find(&name("pixels.bin"), MOST)?.unwrap_or_default();
    Ok(Some(BegunPart { record, layout, pixels }))
}

/// All parts of the bank in `place` that were begun.
///
/// # Errors
/// As [`find`].
pub fn all(place: &LancePlace) -> Result<Vec<BegunPart>> {
    let folders = place.list(PARTS)?.into_iter();
    let parts = folders.map(|name| read(place, &format!("{PARTS}/{}", name.trim_end_matches('/'))));
    Ok(parts.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// What there is of a bank that is not complete.
///
/// # Errors
/// As [`all`].
pub fn words(place: &LancePlace) -> Result<String> {
    let parts = all(place)?;
    let of_part = |part: &BegunPart| {
        let manifest = &part.record.manifest;
        let of = number_of(&manifest.spec).of;
        let (done, total) = (manifest.complete_images, manifest.images);
        match of {
            1 => format!("{} of its {} images are written so far", thousands(done), thousands(total)),
            _ => format!(
                "part {} has {} of its {} images",
                number_of(&manifest.spec),
                thousands(done),
                thousands(total)
            ),
        }
    };
    let told: Vec<String> = parts.iter().take(8).map(of_part).collect();
    Ok(match told.as_slice() {
        [] => "nothing lies there".into(),
        [one] if number_of(&parts[0].record.manifest.spec).of == 1 => {
            format!("{one}; the command that made them goes on from there")
        }
        _ => format!(
            "{} of it: {}; `bagssl bank merge` makes a bank of all",
            count(parts.len(), "part"),
            name_list(&told.iter().map(String::as_str).collect::<Vec<_>>())
        ),
    })
}

//! One commit makes the fragments of all parts a table, and the parts a bank.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use lance::Dataset;
use lance::dataset::CommitBuilder;
use lance::dataset::transaction::{Operation, TransactionBuilder};
use lance::datatypes::Schema;
use lance::table::format::Fragment;

use super::super::far::{FarIndex, RowSource};
use super::super::images;
use super::super::layout::Layout;
use super::super::manifest::Manifest;
use super::super::merge::ensure_beside;
use super::super::part::PartNumber;
use super::super::pixels::KnownCopies;
use super::super::rows::OwnedValues;
use super::super::spec::BankSpec;
use super::super::store::Bank;
use super::parts::{self, BegunPart, EmptyRows};
use super::store::{EMPTY, LancePlace, TABLE, store_params, wait};
use super::table;
use crate::progress::CancelToken;
use crate::words::{count, thousands};

/// Makes one bank of the parts that lie under `uri`, where all are there and complete, and says of how many.
///
/// # Errors
/// Parts that are missing, not complete, or of different banks; a failed write.
pub fn merge(uri: &str) -> Result<u32> {
    let place = LancePlace::new(uri)?;
    let mut begun = parts::all(&place)?;
    begun.sort_by_key(|part| parts::number_of(&part.record.manifest.spec).number);
    let Some(first) = begun.first() else {
        bail!(
            "{} holds no parts; `bagssl embed --shard I/N --out` makes them there",
            place.words("").display()
        )
    };
    let of = parts::number_of(&first.record.manifest.spec).of;
    for part in &begun {
        let spec = &part.record.manifest.spec;
        let words = |spec| place.words(&parts::folder(parts::number_of(spec)));
        ensure_beside(
            (&words(&first.record.manifest.spec), &first.record.manifest.spec),
            (&words(spec), spec),
        )?;
    }
    let number = |part: &BegunPart| parts::number_of(&part.record.manifest.spec).number;
    let missing: Vec<String> = (1..=of)
        .filter(|n| begun.iter().all(|part| number(part) != *n))
        .map(|n| format!("{n}/{of}"))
        .collect();
    if !missing.is_empty() {
        bail!(
            "missing: {} ({}); nothing is committed. The command that made the others makes it with --shard {}",
            count(missing.len(), "part"),
            missing.join(", "),
            missing[0]
        );
    }
    for part in &begun {
        let Manifest { complete_images, images, .. } = &part.record.manifest;
        if complete_images < images {
            bail!(
                "part {}/{of} has {} of its {} images so far; the command that made it goes on from there",
                number(part),
                thousands(*complete_images),
                thousands(*images)
            );
        }
    }
    publish(&place, begun)?;
    Ok(of)
}

/// Commits `parts`, all that there are, by their numbers.
///
/// # Errors
/// The images are not those of the whole; a failed write.
pub fn publish(place: &LancePlace, parts: Vec<BegunPart>) -> Result<()> {
    let mut spec = parts.first().context("a bank has at least one part")?.record.manifest.spec.clone();
    let whole = spec.data.part.take();
    let entries: Vec<_> = parts.iter().flat_map(|part| part.layout.images()).cloned().collect();
    let layout = Layout::new(spec.grid, entries)?;
    let mut manifest = Manifest { sums: false, ..Manifest::empty(&spec, &layout) };
    if whole.is_some_and(|whole| whole.images_sha256 != manifest.images_sha256) {
        bail!(
            "the images of the parts are not those of the whole that they were divided from; make them again"
        );
    }
    let (mut fragments, mut empty, mut pixels) = (vec![], EmptyRows::default(), vec![]);
    let mut rows = 0;
    for BegunPart { record, layout, pixels: hashes } in parts {
        for (space, searchable) in &record.manifest.searchable {
            *manifest.searchable.entry(space.clone()).or_default() += searchable;
        }
        manifest.skipped.extend(record.manifest.skipped);
        manifest.complete_images += record.manifest.complete_images;
        empty.append(&record.empty, rows);
        rows += layout.patches();
        fragments.extend(record.fragments);
        pixels.extend(hashes);
    }
    commit(place, &spec, fragments)
        .with_context(|| format!("cannot commit {}", place.words(TABLE).display()))?;
    place.write("images.bin", &images::encode(layout.images()))?;
    place.write(EMPTY, &serde_json::to_vec(&empty)?)?;
    if manifest.pixels {
        place.write("pixels.bin", &pixels)?;
    }
    place.write("bank.json", &serde_json::to_vec_pretty(&manifest)?)
}

/// Makes `fragments` the table. Those that an earlier commit began with stay as they are there, with what the table's index
/// knows of them; the others come behind them.
fn commit(place: &LancePlace, spec: &BankSpec, fragments: Vec<Fragment>) -> Result<()> {
    // A run that was killed between the table and `bank.json` left a table, and so did an earlier merge.
    let old = place.table()?;
    let known = old.as_ref().map_or(&[][..], |table| table.fragments());
    let files = |fragment: &Fragment| fragment.files.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
    let is_kept =
        |(old, new): &(&Fragment, &Fragment)| old.deletion_file.is_none() && files(old) == files(new);
    let kept = known.iter().zip(&fragments).take_while(is_kept).count();
    if kept == fragments.len() && kept == known.len() {
        return Ok(());
    }
    // The commit numbers what is new.
    let new = fragments.into_iter().skip(kept).map(|fragment| Fragment { id: 0, ..fragment }).collect();
    let operation = match kept {
        0 => {
            let schema = wait(async { Schema::try_from(&*table::schema(spec)) })?;
            Operation::Overwrite { fragments: new, schema, config_upsert_values: None, initial_bases: None }
        }
        _ => Operation::Update {
            removed_fragment_ids: known[kept..].iter().map(|fragment| fragment.id).collect(),
            updated_fragments: vec![],
            new_fragments: new,
            fields_modified: vec![],
            compacted_sstables: vec![],
            fields_for_preserving_frag_bitmap: vec![],
            update_mode: None,
            inserted_rows_filter: None,
            updated_fragment_offsets: None,
        },
    };
    let version = old.as_ref().map_or(0, Dataset::version_id);
    let uri = place.uri(TABLE);
    let builder = CommitBuilder::new(&*uri).with_store_params(store_params());
    wait(builder.execute(TransactionBuilder::new(version, operation).build())).map(|_| ())
}

/// A complete part as a bank whose rows wait for those of the others.
pub fn unmerged(part: BegunPart) -> Bank {
    let source: Arc<dyn RowSource> = Arc::new(Unmerged);
    Bank::of_manifest(part.record.manifest, Arc::new(part.layout), KnownCopies::Unknown).read_from(&source)
}

/// Rows that nobody can read yet.
#[derive(Debug)]
struct Unmerged;

impl Unmerged {
    fn refuse<T>() -> Result<T> {
        bail!("the rows of a part cannot be read before `bagssl bank merge` has made one bank of all parts")
    }
}

impl RowSource for Unmerged {
    fn place(&self) -> PathBuf {
        PathBuf::new()
    }

    fn read(&self, _: usize, _: &[usize]) -> Result<OwnedValues> {
        Self::refuse()
    }

    fn scan(
        &self,
        _: usize,
        _: Range<usize>,
        _: &mut dyn FnMut(usize, OwnedValues) -> Result<()>,
    ) -> Result<()> {
        Self::refuse()
    }

    fn propose(&self, _: usize, _: &[f32], _: usize, _: Option<&[Range<usize>]>) -> Result<Vec<usize>> {
        Self::refuse()
    }

    fn index(&self, _: usize) -> Option<FarIndex> {
        None
    }

    fn indexed_rows(&self, _: usize) -> usize {
        0
    }

    fn build_index(&self, _: usize, _: &CancelToken) -> Result<()> {
        Self::refuse()
    }

    fn build_segment(&self, _: usize, _: PartNumber, _: &CancelToken) -> Result<usize> {
        Self::refuse()
    }

    fn index_bytes(&self, _: usize) -> Result<u64> {
        Self::refuse()
    }

    fn note_index(&self, _: usize, _: FarIndex) -> Result<()> {
        Self::refuse()
    }

    fn empty(&self, _: usize) -> &[Range<usize>] {
        &[]
    }
}

//! Which patches a gallery may show. Everything here is off unless asked for, and always labelled.

use std::collections::{BTreeSet, HashMap};

use anyhow::Context;

use crate::bank::{Bank, ImageEntry};
use crate::engine::ask::{GalleryFilter, QuerySpec, Sign};
use crate::progress::CancelToken;
use crate::search::{Hit, Kin, Options, Processor, Question, TOGETHER};

/// Of so many neighbours one is expected not to overlap a nearer one; where too few are left, as many times more are asked for.
const APART: usize = 8;
/// Images, times queries that are searched for together, for each of which is kept whether it may be shown.
const MOST_SHOWN: usize = 1 << 26;

/// For the place of each image that stands for others the indices of those.
type Folded = HashMap<usize, Vec<u32>>;

/// The neighbours that a filter leaves, and how many patches it chose among. Patches without a vector (of images
/// that could not be read) count nowhere.
pub struct Selection {
    pub hits: Vec<Hit>,
    /// For each of them the other images that its image stands for; none but where copies are folded.
    pub copies: Vec<Vec<u32>>,
    /// Patches that the filter by image, class and split lets through, the query's own among them.
    pub searched: usize,
    /// Those of them that could be neighbours: all but the query's own.
    pub candidates: usize,
}

/// The rows of the bank that are parts of the query themselves.
pub fn own_rows(query: &QuerySpec, bank: &Bank) -> Vec<usize> {
    let size = bank.spec().grid.patch;
    let patches = query.boxes().filter_map(|(_, area)| area.patch()).filter(|patch| patch.size == size);
    patches.filter_map(|patch| bank.row_of(patch.image as usize, patch.y, patch.x).ok()).collect()
}

/// The row of a query that is one patch and nothing else, where the bank holds it: its vector is the bank's own, in
/// the window as on the command line, which has no other.
pub fn own_row(query: &QuerySpec, bank: &Bank) -> Option<usize> {
    query.as_patch()?;
    own_rows(query, bank).first().copied()
}

/// The images and classes that the query wants to be like: those of its plus parts. `beyond` is the label of an image that
/// the bank does not hold.
pub fn kin(query: &QuerySpec, bank: &Bank, beyond: impl Fn(u32) -> Option<u32>) -> Kin {
    let plus = query.boxes().filter(|(sign, _)| *sign == Sign::Plus);
    let images: Vec<u32> = plus.map(|(_, area)| area.image).collect();
    let labels = images.iter().filter_map(|image| label_of(bank, *image, &beyond)).collect();
    Kin { images, labels }
}

/// The label of an image: as `bank` has it where it holds the image, since a table's classes are its own, else `beyond`'s.
pub fn label_of(bank: &Bank, image: u32, beyond: impl Fn(u32) -> Option<u32>) -> Option<u32> {
    bank.image_entry(image as usize).map_or_else(|_| beyond(image), |entry| entry.label)
}

/// One of several queries.
#[derive(Clone, Copy)]
pub struct VectorQuery<'a> {
    /// `[width]`, un-normalised.
    pub vector: &'a [f32],
    /// Rows that are the query's, which are left out.
    pub own: &'a [usize],
    /// Says which images are the query's.
    pub kin: &'a Kin,
}

/// The `k` nearest rows of `space` to a query among those that `filter` lets through. `processor` searches.
pub fn nearest(
    processor: &Processor,
    bank: &Bank,
    space: &str,
    query: VectorQuery<'_>,
    k: usize,
    filter: &GalleryFilter,
) -> anyhow::Result<Selection> {
    let found = nearest_many(processor, bank, space, &[query], (k, filter), &CancelToken::default())?;
    found.into_iter().next().context("one query has one answer")
}

/// What [`nearest`] gives for each of `queries`, searched for together.
///
/// # Errors
/// No such space, a query of another width or with a NaN, damaged rows; cancelled.
pub fn nearest_many(
    processor: &Processor,
    bank: &Bank,
    space: &str,
    queries: &[VectorQuery<'_>],
    (k, filter): (usize, &GalleryFilter),
    cancel: &CancelToken,
) -> anyhow::Result<Vec<Selection>> {
    let searchable = searchable_by_place(bank, space)?;
    let mut selections = Vec::with_capacity(queries.len());
    let together = (MOST_SHOWN / bank.images().len().max(1)).clamp(1, TOGETHER);
    for some in queries.chunks(together) {
        let (mut questions, mut foldeds) = (vec![], vec![]);
        for query in some {
            let (shown, folded) = shown(bank, filter, query.kin)?;
            let (searched, candidates) = counts(bank, space, (query.own, &shown), &searchable)?;
            let options = Options {
                exclude_rows: query.own.to_vec(),
                shown: shown.contains(&false).then_some(shown),
                per_image: filter.per_image.filter(|_| !filter.without_overlap),
                cancel: cancel.clone(),
                ..Options::default()
            };
            questions.push(Question { query: query.vector.to_vec(), options });
            foldeds.push((folded, searched, candidates));
        }
        let found = if filter.without_overlap {
            // Rows best first; those that do not overlap are then taken from the front.
            apart(bank, questions, (k, filter), |some, k| processor.top_k_many(bank, space, some, k))?
        } else {
            processor.top_k_many(bank, space, &questions, k)?
        };
        for (hits, (folded, searched, candidates)) in found.into_iter().zip(foldeds) {
            let of_hit = |hit: &Hit| folded.get(&bank.place_of_row(hit.row)).cloned().unwrap_or_default();
            let copies = hits.iter().map(of_hit).collect();
            selections.push(Selection { copies, hits, searched, candidates });
        }
    }
    Ok(selections)
}

/// By place in the bank, whether an image may be shown beside a query of `kin`; and what images stand for others.
fn shown(bank: &Bank, filter: &GalleryFilter, kin: &Kin) -> anyhow::Result<(Vec<bool>, Folded)> {
    let facts = &bank.spec().data;
    let own_images: &[u32] = if filter.other_images_only { &kin.images } else { &[] };
    let may_show = |entry: &ImageEntry| {
        !own_images.contains(&entry.index)
            && filter.class.is_none_or(|class| entry.label == Some(class))
            && filter.split.is_none_or(|split| facts.split_of(entry.index as usize) == Some(split))
    };
    let mut shown: Vec<bool> = bank.images().iter().map(may_show).collect();
    let folded = if filter.fold_copies { fold(bank, &mut shown, &kin.images)? } else { HashMap::new() };
    Ok((shown, folded))
}

/// Of the images with the same pixels lets `shown` (by place in the bank) show one: the first of the query's images
/// `own` among them, else the first that may be shown. Gives for the place of each that stands for others the indices
/// of those.
///
/// # Errors
/// The bank has no hashes of pixels.
fn fold(bank: &Bank, shown: &mut [bool], own: &[u32]) -> anyhow::Result<Folded> {
    let (firsts, images) = (bank.firsts()?, bank.images());
    // By the first place with the same pixels: the place that stands for all.
    let mut stands: Vec<Option<usize>> = vec![None; firsts.len()];
    // The query's image stands for its copies even where it is not to be shown itself.
    for place in own.iter().filter_map(|image| bank.place_of_committed(*image as usize)) {
        stands[firsts[place] as usize].get_or_insert(place);
    }
    let mut folded: Folded = HashMap::new();
    for (place, first) in firsts.iter().enumerate() {
        if shown[place] {
            let stand = *stands[*first as usize].get_or_insert(place);
            if stand != place {
                shown[place] = false;
                folded.entry(stand).or_default().push(images[place].index);
            }
        }
    }
    Ok(folded)
}

/// Patches with a vector, of each image by its place in the bank.
fn searchable_by_place(bank: &Bank, space: &str) -> anyhow::Result<Vec<u64>> {
    let stored = bank.space(space)?;
    let of_image = |image: &ImageEntry| Ok(stored.searchable_in(bank.rows_of_image(image.index as usize)?));
    bank.images().iter().map(of_image).collect()
}

/// Patches with a vector on the images that may be shown, with and without the query's own. `searchable`: of each image.
fn counts(
    bank: &Bank,
    space: &str,
    (own, shown): (&[usize], &[bool]),
    searchable: &[u64],
) -> anyhow::Result<(usize, usize)> {
    let stored = bank.space(space)?;
    let searched: u64 =
        searchable.iter().zip(shown).map(|(count, is_shown)| count * u64::from(*is_shown)).sum();
    let own: BTreeSet<usize> = own.iter().copied().collect();
    let own = own.into_iter().filter(|row| shown[bank.place_of_row(*row)]);
    let of_query: u64 = own.map(|row| stored.searchable_in(row..row + 1)).sum();
    Ok((searched as usize, (searched - of_query) as usize))
}

/// For each of `questions` the first `k` that [`thinned`] leaves of all rows, of which `nearest` gives so many as it is
/// asked for.
fn apart(
    bank: &Bank,
    questions: Vec<Question>,
    (k, filter): (usize, &GalleryFilter),
    nearest: impl Fn(&[Question], usize) -> anyhow::Result<Vec<Vec<Hit>>>,
) -> anyhow::Result<Vec<Vec<Hit>>> {
    let mut kept = vec![vec![]; questions.len()];
    let (mut open, mut places): (Vec<Question>, Vec<usize>) = (questions, (0..kept.len()).collect());
    let mut some = k.saturating_mul(APART);
    while !open.is_empty() {
        let found = nearest(&open, some.min(bank.patches()))?;
        let (mut later, mut later_places) = (vec![], vec![]);
        for ((hits, question), place) in found.into_iter().zip(open).zip(places) {
            let is_all = hits.len() < some;
            kept[place] = thinned(bank, hits, k, filter);
            if kept[place].len() < k && !is_all {
                later.push(question);
                later_places.push(place);
            }
        }
        (open, places) = (later, later_places);
        some = some.saturating_mul(APART);
    }
    Ok(kept)
}

/// The first `k` of `hits` that neither overlap a better one nor exceed their image's share.
fn thinned(bank: &Bank, hits: Vec<Hit>, k: usize, filter: &GalleryFilter) -> Vec<Hit> {
    let most = filter.per_image.unwrap_or(usize::MAX);
    let mut kept: Vec<Hit> = vec![];
    for hit in hits {
        if kept.len() == k {
            break;
        }
        let patch = bank.patch_ref(hit.row);
        let mut of_image = 0;
        let mut overlaps = false;
        for other in kept.iter().map(|hit| bank.patch_ref(hit.row)).filter(|p| p.image == patch.image) {
            of_image += 1;
            overlaps |= patch.y.abs_diff(other.y) < patch.size && patch.x.abs_diff(other.x) < patch.size;
        }
        if of_image < most && !(filter.without_overlap && overlaps) {
            kept.push(hit);
        }
    }
    kept
}

#[cfg(test)]
#[path = "selection_tests.rs"]
mod tests;

//! Two models by their banks: which of a patch's nearest patches do both find?

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, ensure};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::Serialize;

use crate::analysis::overlap::Overlap;
use crate::bank::{Bank, ImageEntry, ModelFacts, VectorCache, open_bank};
use crate::engine::ask::{GalleryFilter, SearchRecall, SearchWay, defaults};
use crate::engine::jobs::Job;
use crate::engine::jobs::index::processor;
use crate::engine::look::selection::{Selection, VectorQuery, nearest_many};
use crate::patch::{PatchGrid, PatchRef};
use crate::progress::Progress;
use crate::search::{Kin, Processor, TOGETHER};
use crate::stats::{Interval, bootstrap_mean, mean};

/// Resamples behind an interval, and what part of their means it covers.
const RESAMPLES: usize = 2000;
const LEVEL: f64 = 0.95;

/// `bagssl compare`.
#[derive(Clone, Debug)]
pub struct CompareRequest {
    /// Banks of the same patches, each made with one of the models.
    pub banks: [PathBuf; 2],
    /// Names of the spaces that both are compared in; none for the usual ones.
    pub spaces: Vec<String>,
    /// Which patches are asked about.
    pub queries: Queries,
    /// Neighbours of each.
    pub k: usize,
    /// Whether patches of the query's own image are left out.
    pub exclude_same_image: bool,
    /// At most so many patches of any one image.
    pub per_image: Option<usize>,
    /// Whether of images with the same pixels one alone is searched: the query's own, else the first.
    pub fold_copies: bool,
    /// How the banks are searched.
    pub way: SearchWay,
    /// Where codes are kept of a bank beside which nothing can be written.
    pub cache: Option<VectorCache>,
}

/// Which patches are asked about.
#[derive(Clone, Debug)]
pub enum Queries {
    /// Image, top and left edge of each.
    Named(Vec<(usize, u32, u32)>),
    /// One patch at random of each of so many different images; the job's seed chooses.
    Sample(usize),
}

/// overlap@k of two models.
#[derive(Clone, Debug, Serialize)]
pub struct CompareReport {
    /// Those that the banks were made with.
    pub models: [ModelFacts; 2],
    /// Neighbours of each query.
    pub k: usize,
    /// Of the patches in both banks.
    pub grid: PatchGrid,
    /// Whether patches of the query's own image were left out.
    pub exclude_same_image: bool,
    /// At most so many patches of any one image were taken.
    pub per_image: Option<usize>,
    /// Whether of images with the same pixels one alone was searched.
    pub fold_copies: bool,
    /// Images that both banks hold.
    pub images: usize,
    /// Images that the larger bank is planned for.
    pub total_images: usize,
    /// Patches searched: those of the images that both hold, in the bank that has fewer of them.
    pub searched: usize,
    /// Patches that the larger bank is planned for, without those of images that are broken.
    pub total: usize,
    /// The patches that were asked about.
    pub queries: Vec<PatchRef>,
    /// What the queries were drawn with; absent where they were named.
    pub seed: Option<u64>,
    /// One for each space, as asked.
    pub spaces: Vec<SpaceReport>,
    /// Time that it took.
    pub seconds: f64,
}

/// overlap@k in one space.
#[derive(Clone, Debug, Serialize)]
pub struct SpaceReport {
    /// Its name.
    pub space: String,
    /// Share of neighbours that both models find, 0 to 1: the mean over the queries.
    pub overlap: f64,
    /// Middle 95 % of the means of bootstrap samples of the queries; absent for a single one.
    pub interval: Option<Interval>,
    /// What two lists at random would share on average.
    pub chance: f64,
    /// How surely the neighbours in each bank are the nearest.
    pub searches: [SearchRecall; 2],
    /// Of each query, in their order.
    pub each: Vec<f64>,
}

/// Compares the neighbours in two banks.
///
/// # Errors
/// Banks of other patches, a space or a query that is not in both, cancelled.
pub fn compare(request: &CompareRequest, mut job: Job<'_>) -> anyhow::Result<CompareReport> {
    let clock = Instant::now();
    let whole = [open_bank(&request.banks[0])?, open_bank(&request.banks[1])?];
    let images = common_images(whole.each_ref()).with_context(|| {
        let [a, b] = request.banks.each_ref().map(|path| path.display());
        format!("{a} and {b} cannot be compared")
    })?;
    let banks = whole.each_ref().map(|bank| bank.first_images(images));
    let [a, b] = &banks;
    let in_both = a.spaces().filter(|space| b.spaces().any(|other| other == *space));
    let wanted = match request.spaces.as_slice() {
        [] => defaults::spaces(&in_both.map(String::from).collect::<Vec<_>>()),
        told => told.to_vec(),
    };
    ensure!(
        !wanted.is_empty(),
        "the two banks have no space in common; `bagssl bank info` names those of each"
    );
    let queries = match &request.queries {
        Queries::Named(places) => named(&banks, places)?,
        Queries::Sample(count) => sampled(&banks, &wanted, *count, job.seed)?,
    };
    // Codes are of all that a bank holds.
    let codes = (wanted.as_slice(), request.cache.as_ref());
    let [first, second] = &whole;
    let processors = [first, second].map(|bank| processor(request.way, bank, codes, &mut job));
    let [first, second] = processors;
    let processors = [first?, second?];
    let total = (queries.len() * wanted.len()) as u64;
    let mut spaces = vec![];
    for (index, space) in wanted.iter().enumerate() {
        let mut overlaps = vec![];
        for some in queries.chunks(TOGETHER) {
            overlaps.extend(overlap((&banks, &processors), space, some, request, &job)?);
            (job.progress)(Progress {
                what: "comparing",
                done: (index * queries.len() + overlaps.len()) as u64,
                total,
                resumed: 0,
                unit: "queries",
                elapsed: clock.elapsed(),
            });
        }
        let recall = |of: usize| SearchRecall::of(processors[of].recall(&banks[of], space));
        spaces.push(summary(space, &overlaps, [0, 1].map(recall)));
    }
    let of_larger = |count: fn(&Bank) -> usize| count(&whole[0]).max(count(&whole[1]));
    Ok(CompareReport {
        models: whole.each_ref().map(|bank| bank.spec().model.clone()),
        k: request.k,
        grid: banks[0].spec().grid,
        exclude_same_image: request.exclude_same_image,
        per_image: request.per_image,
        fold_copies: request.fold_copies,
        images,
        total_images: of_larger(Bank::total_images),
        searched: banks.iter().map(Bank::searchable).min().unwrap_or(0),
        total: of_larger(Bank::total_searchable),
        queries: queries.iter().map(|row| banks[0].patch_ref(*row)).collect(),
        seed: matches!(request.queries, Queries::Sample(_)).then_some(job.seed),
        spaces,
        seconds: clock.elapsed().as_secs_f64(),
    })
}

/// How many images, from the first that were embedded, both banks hold: they must be the same ones on the same grid.
pub(super) fn common_images([a, b]: [&Bank; 2]) -> anyhow::Result<usize> {
    let (grid_a, grid_b) = (a.spec().grid, b.spec().grid);
    ensure!(
        grid_a == grid_b,
        "one has patches of {} pixels every {}, the other of {} every {}; expected the same patches",
        grid_a.patch,
        grid_a.stride,
        grid_b.patch,
        grid_b.stride
    );
    let images = a.complete_images().min(b.complete_images());
    let is_same_set = a.spec().data.fingerprint == b.spec().data.fingerprint;
    ensure!(
        is_same_set || a.total_images() != b.total_images(),
        "one is of {}, the other of {}, whose images differ; expected the same images",
        a.spec().data.name,
        b.spec().data.name
    );
    let orders = [a, b].map(|bank| bank.spec().data.order_words());
    for (place, (of_a, of_b)) in a.images().iter().zip(b.images()).enumerate() {
        let text = |entry: &ImageEntry| {
            format!("image {} {} ({} x {} pixels)", entry.index, entry.name, entry.width, entry.height)
        };
        ensure!(
            of_a == of_b,
            "the images in place {place} are {} in one (images {}) and {} in the other (images {}); expected the same \
             images in the same order",
            text(of_a),
            orders[0],
            text(of_b),
            orders[1]
        );
    }
    ensure!(images > 0, "they have no image in common yet; run bagssl embed on");
    Ok(images)
}

fn named(banks: &[Bank; 2], places: &[(usize, u32, u32)]) -> anyhow::Result<Vec<usize>> {
    let row = |&(image, y, x): &(usize, u32, u32)| {
        banks[1].row_of(image, y, x)?;
        banks[0].row_of(image, y, x)
    };
    places.iter().map(row).collect()
}

/// A patch of each of `count` images, one with a vector in all of `spaces` of both banks.
fn sampled(banks: &[Bank; 2], spaces: &[String], count: usize, seed: u64) -> anyhow::Result<Vec<usize>> {
    let stored = banks.iter().flat_map(|bank| spaces.iter().map(|space| bank.space(space)));
    let stored = stored.collect::<anyhow::Result<Vec<_>>>()?;
    let has = |row: &usize| stored.iter().all(|space| space.has(*row));
    let rows = |image: &usize| banks[0].rows_of_image(*image).unwrap_or_default();
    let all = banks[0].images().iter().map(|image| image.index as usize);
    let mut images: Vec<usize> = all.filter(|image| rows(image).any(|row| has(&row))).collect();
    ensure!(
        images.len() >= count,
        "the banks have {} images in common to ask about; expected {count}: ask for fewer queries",
        images.len()
    );
    // Whatever the banks' order.
    images.sort_unstable();
    let mut dice = Pcg64Mcg::seed_from_u64(seed);
    images.shuffle(&mut dice);
    images.truncate(count);
    images.sort_unstable();
    let mut one_of = |image: &usize| {
        let rows: Vec<usize> = rows(image).filter(has).collect();
        rows[dice.random_range(0..rows.len())]
    };
    Ok(images.iter().map(&mut one_of).collect())
}

/// What the neighbours of each of `rows` have in common in both banks.
fn overlap(
    (banks, processors): (&[Bank; 2], &[Processor; 2]),
    space: &str,
    rows: &[usize],
    request: &CompareRequest,
    job: &Job<'_>,
) -> anyhow::Result<Vec<Overlap>> {
    let kin = |row: &usize| Kin { images: vec![banks[0].image_of_row(*row)], labels: vec![] };
    let kin: Vec<Kin> = rows.iter().map(kin).collect();
    let filter = GalleryFilter {
        other_images_only: request.exclude_same_image,
        per_image: request.per_image,
        fold_copies: request.fold_copies,
        ..GalleryFilter::default()
    };
    let found = |of: usize| -> anyhow::Result<Vec<(Vec<usize>, usize)>> {
        let bank = &banks[of];
        let width = bank.width(space)?;
        let mut vectors = vec![0.0; rows.len() * width];
        for (row, vector) in rows.iter().zip(vectors.chunks_exact_mut(width)) {
            bank.row_f32(space, *row, vector)?;
        }
        let query = |((vector, row), kin)| VectorQuery { vector, own: std::slice::from_ref(row), kin };
        let queries: Vec<_> = vectors.chunks_exact(width).zip(rows).zip(&kin).map(query).collect();
        let wanted = (request.k, &filter);
        let found = nearest_many(&processors[of], bank, space, &queries, wanted, job.cancel)?;
        let rows = |found: &Selection| found.hits.iter().map(|hit| hit.row).collect();
        Ok(found.iter().map(|found| (rows(found), found.candidates)).collect())
    };
    let overlap = |((a, of_a), (b, of_b)): ((Vec<usize>, usize), (Vec<usize>, usize))| {
        Overlap::of(&a, &b, of_a.min(of_b))
    };
    Ok(found(0)?.into_iter().zip(found(1)?).map(overlap).collect())
}

fn summary(space: &str, overlaps: &[Overlap], searches: [SearchRecall; 2]) -> SpaceReport {
    let each: Vec<f64> = overlaps.iter().map(Overlap::share).collect();
    let chances: Vec<f64> = overlaps.iter().map(Overlap::chance).collect();
    SpaceReport {
        space: space.into(),
        overlap: mean(&each).unwrap_or(0.0),
        interval: (each.len() > 1).then(|| bootstrap_mean(&each, RESAMPLES, LEVEL, 0)).flatten(),
        chance: mean(&chances).unwrap_or(0.0),
        searches,
        each,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bank::{BankSink, BankSpec, BankWriter};
    use crate::device::DeviceChoice;
    use crate::progress::CancelToken;
    use std::path::Path;

    /// A bank of `images` images of four patches each, whose vectors point to `angle` of the row.
    fn bank(folder: &Path, name: &str, images: usize, stride: u32, angle: impl Fn(usize) -> f32) -> PathBuf {
        bank_without(folder, name, (images, &[]), stride, angle)
    }

    fn bank_without(
        folder: &Path,
        name: &str,
        (images, broken): (usize, &[usize]),
        stride: u32,
        angle: impl Fn(usize) -> f32,
    ) -> PathBuf {
        let mut spec = BankSpec::of_test(PatchGrid { patch: 8, stride }, &[("h", 2)]);
        spec.model.name = name.into();
        spec.data.fingerprint = images.to_string();
        let side = 8 + stride;
        let entry = |i: usize| ImageEntry {
            index: i as u32,
            height: side,
            width: side,
            label: None,
            name: format!("{i}"),
        };
        let entries: Vec<ImageEntry> = (0..images).map(entry).collect();
        let path = folder.join(name);
        let (mut writer, _) =
            BankWriter::create_or_resume(&path, &spec, &entries, &CancelToken::default()).unwrap();
        for image in 0..images {
            let row = |cell| [angle(4 * image + cell).cos(), angle(4 * image + cell).sin()];
            if broken.contains(&image) {
                writer.push_skipped(image, "broken").unwrap();
                continue;
            }
            writer.push_image(image, &[("h", &(0..4).flat_map(row).collect::<Vec<_>>())]).unwrap();
        }
        writer.finish().unwrap();
        path
    }

    fn run(banks: [&PathBuf; 2], queries: Queries) -> anyhow::Result<CompareReport> {
        let request = CompareRequest {
            banks: banks.map(PathBuf::clone),
            spaces: vec!["h".into()],
            queries,
            k: 4,
            exclude_same_image: false,
            per_image: None,
            fold_copies: false,
            way: SearchWay::Exact,
            cache: None,
        };
        let cancel = CancelToken::default();
        let job = Job { device: DeviceChoice::Cpu, seed: 3, cancel: &cancel, progress: &mut |_| {} };
        compare(&request, job)
    }

    #[test]
    fn neighbours_that_both_banks_find_are_counted_and_averaged() {
        let temp = tempfile::tempdir().unwrap();
        // Along the same line, so that rows near each other are neighbours; in the other bank the last
        // four rows of twelve lie far away.
        let a = bank(temp.path(), "a", 3, 4, |row| 0.05 * row as f32);
        let b =
            bank(
                temp.path(),
                "b",
                3,
                4,
                |row| if row < 8 { 0.05 * row as f32 } else { 2.0 + row as f32 / 9.0 },
            );
        let same = run([&a, &a], Queries::Sample(3)).unwrap();
        assert_eq!((same.spaces[0].overlap, same.searched, same.total, same.images), (1.0, 12, 12, 3));
        // A mean over three queries rounds in the last place.
        assert!((same.spaces[0].chance - 4.0 / 11.0).abs() < 1e-15);
        // Of row 6, A finds 5, 7, 4, 8 and B 5, 7, 4, 3.
        let report = run([&a, &b], Queries::Named(vec![(1, 4, 0), (0, 0, 0)])).unwrap();
        assert_eq!(report.spaces[0].each, [0.75, 1.0]);
        assert_eq!(report.spaces[0].overlap, 0.875);
        let interval = report.spaces[0].interval.unwrap();
        assert!(interval.low >= 0.75 && interval.high <= 1.0);
    }

    #[test]
    fn what_both_banks_have_is_compared_and_other_patches_are_refused() {
        let temp = tempfile::tempdir().unwrap();
        let a = bank(temp.path(), "a", 3, 4, |row| row as f32);
        let longer = bank(temp.path(), "longer", 5, 4, |row| row as f32);
        let report = run([&a, &longer], Queries::Sample(2)).unwrap();
        assert_eq!((report.searched, report.total, report.images, report.total_images), (12, 20, 3, 5));
        assert_ne!(report.queries[0].image, report.queries[1].image);
        let coarse = bank(temp.path(), "coarse", 3, 2, |row| row as f32);
        let error = format!("{:#}", run([&a, &coarse], Queries::Sample(1)).unwrap_err());
        assert!(error.contains("8 pixels every 4") && error.contains("every 2"), "{error}");
        let error = format!("{:#}", run([&a, &longer], Queries::Sample(9)).unwrap_err());
        assert!(error.contains("3 images in common") && error.contains("expected 9"), "{error}");
        let error = format!("{:#}", run([&a, &longer], Queries::Named(vec![(4, 0, 0)])).unwrap_err());
        assert!(error.contains("image 4"), "{error}");
    }

    #[test]
    fn rows_that_are_not_there_are_not_searched() {
        let temp = tempfile::tempdir().unwrap();
        let broken = |name: &str, images, broken: &[usize]| {
            bank_without(temp.path(), name, (images, broken), 4, |row| 0.05 * row as f32)
        };
        let (a, b) = (broken("a", 8, &[2, 3, 6, 7]), broken("b", 8, &[2, 3, 6, 7]));
        let report = run([&a, &b], Queries::Sample(3)).unwrap();
        assert_eq!((report.searched, report.total), (16, 16));
        assert!((report.spaces[0].chance - 4.0 / 15.0).abs() < 1e-15, "{report:?}");
        // Of images that are in neither bank's common part nothing is known.
        let longer = broken("longer", 10, &[2, 9]);
        let report = run([&a, &longer], Queries::Sample(3)).unwrap();
        assert_eq!((report.searched, report.total), (16, 32));
    }

    #[test]
    fn patches_without_a_vector_are_not_asked_about() {
        let temp = tempfile::tempdir().unwrap();
        let holes = |name: &str, hole: usize| {
            bank(temp.path(), name, 8, 4, move |row| match row % 4 == hole || row < 4 {
                true => f32::NAN,
                false => 0.05 * row as f32,
            })
        };
        let (a, b) = (holes("a", 1), holes("b", 2));
        let report = run([&a, &b], Queries::Sample(7)).unwrap();
        let is_there = |patch: &PatchRef| patch.image > 0 && (patch.x == 0) == (patch.y == 0);
        assert!(report.queries.iter().all(is_there), "{:?}", report.queries);
        let error = format!("{:#}", run([&a, &b], Queries::Sample(8)).unwrap_err());
        assert!(error.contains("7 images in common"), "{error}");
    }
}

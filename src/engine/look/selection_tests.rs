//! What each filter leaves of the neighbours.

use super::*;
use crate::bank::{BankSink, BankSpec, Dtype, MemoryBank, PixelHash};
use crate::dataset::Mix;
use crate::dataset::Split;
use crate::image::Image;
use crate::patch::{PatchGrid, PatchRef};

/// Three images of 2 x 2 overlapping patches (8 pixels every 4), classes 0, 1, 0; cosines to
/// (1, 0) fall from row to row.
fn bank() -> Bank {
    let mut spec = BankSpec::of_test(PatchGrid { patch: 8, stride: 4 }, &[("z", 2)]);
    (spec.data.split, spec.data.mix) = (Some(Split::All), Some(Mix { train: 2, test: 1 }));
    spec.classes = vec!["car".into(), "horse".into()];
    let entry =
        |(index, label)| ImageEntry { index, height: 12, width: 12, label: Some(label), name: "i".into() };
    let mut bank = MemoryBank::new(spec, [(0, 0), (1, 1), (2, 0)].map(entry).to_vec()).unwrap();
    for image in 0..3 {
        let angle = |cell| 0.1 * (4 * image + cell) as f32;
        let rows: Vec<f32> = (0..4).flat_map(|cell| [angle(cell).cos(), angle(cell).sin()]).collect();
        bank.push_image(image, &[("z", &rows)]).unwrap();
    }
    bank.snapshot()
}

fn rows(filter: GalleryFilter, own: Option<usize>) -> (Vec<usize>, usize) {
    let kin = Kin { images: vec![0], labels: vec![0] };
    let own: Vec<usize> = own.into_iter().collect();
    let selection = nearest(
        &Processor::cpu(),
        &bank(),
        "z",
        VectorQuery { vector: &[1.0, 0.0], own: &own, kin: &kin },
        6,
        &filter,
    )
    .unwrap();
    (selection.hits.iter().map(|hit| hit.row).collect(), selection.candidates)
}

#[test]
fn without_a_filter_only_the_query_is_left_out() {
    assert_eq!(rows(GalleryFilter::default(), Some(0)), (vec![1, 2, 3, 4, 5, 6], 11));
}

/// A table gives its images classes that the folder knows nothing of.
#[test]
fn the_class_of_a_query_is_the_banks_where_that_holds_its_image() {
    let bank = bank();
    let of = |image| kin(&QuerySpec::one(PatchRef { image, y: 0, x: 0, size: 8 }), &bank, |_| Some(7)).labels;
    assert_eq!([1, 2, 3].map(of), [[1], [0], [7]]);
}

#[test]
fn patches_without_a_vector_and_the_query_are_no_candidates() {
    let mut spec = bank().spec().clone();
    spec.data.mix = None;
    let entry = |index| ImageEntry { index, height: 12, width: 12, label: Some(0), name: "i".into() };
    let mut bank = MemoryBank::new(spec, vec![entry(0), entry(1)]).unwrap();
    bank.push_image(0, &[("z", &[1.0, 0.0, 0.9, 0.1, f32::NAN, 0.0, 0.5, 0.5])]).unwrap();
    bank.push_skipped(1, "broken").unwrap();
    let bank = bank.snapshot();
    let counts = |filter: GalleryFilter, own: &[usize]| {
        let kin = Kin { images: vec![0], labels: vec![0] };
        let found = nearest(
            &Processor::cpu(),
            &bank,
            "z",
            VectorQuery { vector: &[1.0, 0.0], own, kin: &kin },
            6,
            &filter,
        )
        .unwrap();
        (found.hits.len(), found.searched, found.candidates)
    };
    let all = GalleryFilter::default();
    assert_eq!(counts(all, &[0]), (2, 3, 2));
    assert_eq!(counts(all, &[0, 0]), (2, 3, 2));
    assert_eq!(counts(all, &[]), (3, 3, 3));
    assert_eq!(counts(GalleryFilter { class: Some(0), ..all }, &[0]), (2, 3, 2));
    assert_eq!(counts(GalleryFilter { class: Some(1), ..all }, &[0]), (0, 0, 0));
    assert_eq!(counts(GalleryFilter { other_images_only: true, ..all }, &[0]), (0, 0, 0));
}

#[test]
fn a_query_of_two_images_leaves_out_both_and_one_from_elsewhere_none() {
    let filter = GalleryFilter { other_images_only: true, ..GalleryFilter::default() };
    let of = |images: Vec<u32>| {
        let kin = Kin { images, labels: vec![] };
        let selection = nearest(
            &Processor::cpu(),
            &bank(),
            "z",
            VectorQuery { vector: &[1.0, 0.0], own: &[5], kin: &kin },
            4,
            &filter,
        )
        .unwrap();
        (selection.hits.iter().map(|hit| hit.row).collect::<Vec<_>>(), selection.candidates)
    };
    assert_eq!(of(vec![0, 2]), (vec![4, 6, 7], 3));
    assert_eq!(of(vec![]), (vec![0, 1, 2, 3], 11));
}

#[test]
fn each_filter_leaves_out_what_it_says() {
    let all = GalleryFilter::default();
    let other = GalleryFilter { other_images_only: true, ..all };
    assert_eq!(rows(other, Some(0)), (vec![4, 5, 6, 7, 8, 9], 8));
    let few = GalleryFilter { per_image: Some(1), ..all };
    assert_eq!(rows(few, Some(0)), (vec![1, 4, 8], 11));
    let class = GalleryFilter { class: Some(1), ..all };
    assert_eq!(rows(class, Some(0)), (vec![4, 5, 6, 7], 4));
    // Of three images, mixed two to one, the last is held out.
    let split = GalleryFilter { split: Some(Split::Test), ..all };
    assert_eq!(rows(split, Some(0)), (vec![8, 9, 10, 11], 4));
    // All patches of one image overlap: they are 4 apart and 8 wide.
    let apart = GalleryFilter { without_overlap: true, other_images_only: true, ..all };
    assert_eq!(rows(apart, None), (vec![4, 8], 8));
}

/// Image `image` of six, and the one of three that it is a copy of: 3 of 1, with another label, 4 and 5 of 0.
const ORIGINALS: [usize; 6] = [0, 1, 2, 1, 0, 0];

/// Some of those images, of 2 x 2 patches each, with hashes of their pixels.
fn with_copies(chosen: &[u32]) -> Bank {
    let mut spec = bank().spec().clone();
    spec.data.mix = None;
    let entry = |index: &u32| ImageEntry {
        index: *index,
        height: 12,
        width: 12,
        label: Some(u32::from(*index == 3)),
        name: format!("{index}"),
    };
    let mut bank = MemoryBank::new(spec, chosen.iter().map(entry).collect()).unwrap();
    for (place, image) in chosen.iter().enumerate() {
        let original = ORIGINALS[*image as usize];
        // Of each image's patches one is near to (1, 0), one far: copies would be neighbours in pairs.
        let angle = |cell: usize| 0.07 * original as f32 + 0.3 * cell as f32;
        let rows: Vec<f32> = (0..4).flat_map(|cell| [angle(cell).cos(), angle(cell).sin()]).collect();
        let pixels = PixelHash::of(&Image::filled(12, 12, [original as u8; 3]));
        bank.push_hashed(place, Some(pixels), &[("z", &rows)]).unwrap();
    }
    bank.snapshot()
}

/// Neighbours of patch `cell` of image `query`, as (original image, y, x, cosine), how many could have been, and
/// what each stands for.
type Found = (Vec<(usize, u32, u32, f32)>, usize, Vec<Vec<u32>>);

fn found(bank: &Bank, (query, cell): (u32, usize), k: usize, filter: &GalleryFilter) -> Found {
    let row = bank.rows_of_image(query as usize).unwrap().start + cell;
    let mut vector = [0.0; 2];
    bank.row_f32("z", row, &mut vector).unwrap();
    let kin = Kin { images: vec![query], labels: vec![] };
    let selection = nearest(
        &Processor::cpu(),
        bank,
        "z",
        VectorQuery { vector: &vector, own: &[row], kin: &kin },
        k,
        filter,
    )
    .unwrap();
    let place = |hit: &Hit| {
        let patch = bank.patch_ref(hit.row);
        (ORIGINALS[patch.image as usize], patch.y, patch.x, hit.cosine)
    };
    (selection.hits.iter().map(place).collect(), selection.candidates, selection.copies)
}

#[test]
fn folded_neighbours_are_those_of_a_data_set_without_the_copies() {
    let (whole, without) = (with_copies(&[0, 1, 2, 3, 4, 5]), with_copies(&[0, 1, 2]));
    let filters = [
        GalleryFilter::default(),
        GalleryFilter { other_images_only: true, ..GalleryFilter::default() },
        GalleryFilter { per_image: Some(1), ..GalleryFilter::default() },
        GalleryFilter { without_overlap: true, ..GalleryFilter::default() },
        GalleryFilter { per_image: Some(2), other_images_only: true, ..GalleryFilter::default() },
    ];
    for filter in filters {
        let folding = GalleryFilter { fold_copies: true, ..filter };
        for (query, cell, k) in (0..3).flat_map(|q| (0..4).flat_map(move |c| (1..13).map(move |k| (q, c, k))))
        {
            let (expected, candidates, _) = found(&without, (query, cell), k, &filter);
            let (folded, among, copies) = found(&whole, (query, cell), k, &folding);
            assert_eq!((folded, among), (expected.clone(), candidates), "{filter:?} {query} {cell} {k}");
            let of: Vec<usize> = expected.iter().map(|(original, ..)| [3, 2, 1][*original]).collect();
            assert_eq!(copies.iter().map(|others| others.len() + 1).collect::<Vec<_>>(), of);
        }
    }
    // Without folding the copies are there.
    let (all, among, copies) = found(&whole, (0, 0), 2, &GalleryFilter::default());
    assert_eq!((all[0].3, all[1].3, among), (1.0, 1.0, 23));
    assert_eq!(copies, [[], []] as [[u32; 0]; 2]);
}

#[test]
fn the_querys_own_image_stands_for_its_copies_and_the_rest_of_the_filter_counts() {
    let whole = with_copies(&[0, 1, 2, 3, 4, 5]);
    let folding = GalleryFilter { fold_copies: true, ..GalleryFilter::default() };
    let images = |query: u32, filter: &GalleryFilter| {
        let row = whole.rows_of_image(query as usize).unwrap().start;
        let kin = Kin { images: vec![query], labels: vec![] };
        let found = nearest(
            &Processor::cpu(),
            &whole,
            "z",
            VectorQuery { vector: &[1.0, 0.0], own: &[row], kin: &kin },
            24,
            filter,
        )
        .unwrap();
        let mut images: Vec<(u32, Vec<u32>)> =
            (found.hits.iter()).map(|hit| whole.image_of_row(hit.row)).zip(found.copies).collect();
        images.sort_unstable();
        images.dedup();
        images
    };
    assert_eq!(images(4, &folding), [(1, vec![3]), (2, vec![]), (4, vec![0, 5])]);
    assert_eq!(images(0, &folding), [(0, vec![4, 5]), (1, vec![3]), (2, vec![])]);
    // A copy of another class is there where only that class is; it stands for those that may be shown.
    let class = GalleryFilter { class: Some(1), ..folding };
    assert_eq!(images(4, &class), [(3, vec![])]);
    assert_eq!(
        images(2, &GalleryFilter { class: Some(0), ..folding }),
        [(0, vec![4, 5]), (1, vec![]), (2, vec![])]
    );
    let others = GalleryFilter { other_images_only: true, ..folding };
    assert_eq!(images(4, &others), [(1, vec![3]), (2, vec![])]);
    assert_eq!(images(3, &class), [(3, vec![])]);
}

#[test]
fn a_filter_is_the_same_by_name_and_by_number() {
    let filter = GalleryFilter { per_image: Some(3), class: Some(1), ..GalleryFilter::default() };
    let classes = ["car".to_owned(), "horse".to_owned()];
    let named = filter.named(&classes);
    assert_eq!(named.class.as_deref(), Some("horse"));
    assert_eq!(named.resolve(&classes).unwrap(), filter);
    let error = named.resolve(&classes[..1]).unwrap_err().to_string();
    assert!(error.contains("\"horse\"") && error.contains("car"), "{error}");
}

#[test]
fn a_filter_says_in_words_what_it_leaves_out() {
    let filter = GalleryFilter {
        other_images_only: true,
        per_image: Some(3),
        without_overlap: true,
        fold_copies: true,
        class: Some(1),
        split: Some(Split::Test),
    };
    let classes = ["car".to_owned(), "horse".to_owned()];
    let words = [
        "other images only",
        "at most 3 per image",
        "no overlaps",
        "exact copies folded",
        "horse only",
        "test split only",
    ];
    assert_eq!(filter.words(&classes), words);
    assert!(GalleryFilter::default().words(&classes).is_empty());
}

#[test]
fn many_queries_leave_out_what_each_of_them_would() {
    let whole = with_copies(&[0, 1, 2, 3, 4, 5]);
    let angles: Vec<[f32; 2]> = (0..9).map(|i| [(0.2 * i as f32).cos(), (0.2 * i as f32).sin()]).collect();
    let kins: Vec<Kin> = (0..9).map(|i| Kin { images: vec![i % 6], labels: vec![] }).collect();
    let own: Vec<[usize; 1]> = (0..9).map(|i| [2 * i]).collect();
    let queries: Vec<VectorQuery<'_>> = (angles.iter().zip(&own).zip(&kins))
        .map(|((vector, own), kin)| VectorQuery { vector, own, kin })
        .collect();
    let all = GalleryFilter::default();
    let filters = [
        all,
        GalleryFilter { other_images_only: true, ..all },
        GalleryFilter { per_image: Some(2), ..all },
        GalleryFilter { class: Some(0), fold_copies: true, ..all },
        GalleryFilter { without_overlap: true, per_image: Some(1), ..all },
        GalleryFilter { without_overlap: true, other_images_only: true, fold_copies: true, ..all },
    ];
    let (processor, cancel) = (Processor::cpu(), CancelToken::default());
    for (filter, k) in filters.iter().flat_map(|filter| [1, 3, 30].map(|k| (filter, k))) {
        let together = nearest_many(&processor, &whole, "z", &queries, (k, filter), &cancel).unwrap();
        for (query, found) in queries.iter().zip(together) {
            let one = nearest(&processor, &whole, "z", *query, k, filter).unwrap();
            assert_eq!(found.hits, one.hits, "{filter:?}, {k}");
            assert_eq!((found.searched, found.candidates), (one.searched, one.candidates));
            assert_eq!(found.copies, one.copies);
        }
    }
    cancel.cancel();
    assert!(nearest_many(&processor, &whole, "z", &queries, (3, &all), &cancel).is_err());
}

/// Images of 7 x 7 overlapping patches on disk whose vectors drift over each image around one of six places; some are
/// copies of the image before. Images of even places are of class 0, the first 60 for training.
fn drifting(folder: &std::path::Path, images: u32) -> Bank {
    use rand::{Rng, SeedableRng};
    const WIDTH: usize = 64;
    let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64(5);
    let mut draw =
        |scale: f32| (0..WIDTH).map(|_| scale * rng.random_range(-1.0f32..1.0)).collect::<Vec<f32>>();
    let places: Vec<Vec<f32>> = (0..6).map(|_| draw(1.0)).collect();
    let mut spec = bank().spec().clone();
    spec.data.mix = Some(Mix { train: 60, test: u64::from(images) - 60 });
    spec.dtype = Dtype::F16;
    spec.spaces[0].width = WIDTH as u32;
    let entry = |index| ImageEntry { index, height: 32, width: 32, label: Some(index % 2), name: "i".into() };
    let entries: Vec<ImageEntry> = (0..images).map(entry).collect();
    let (mut writer, _) =
        crate::bank::BankWriter::create_or_resume(folder, &spec, &entries, &CancelToken::default()).unwrap();
    let mut rows: Vec<f32> = vec![];
    for image in 0..images {
        let is_copy = image % 9 == 8;
        if !is_copy {
            let mut at: Vec<f32> =
                places[image as usize % 6].iter().zip(draw(0.7)).map(|(a, b)| a + b).collect();
            rows.clear();
            for _ in 0..49 {
                at.iter_mut().zip(draw(0.2)).for_each(|(at, step)| *at = 0.98 * *at + step);
                rows.extend(&at);
            }
        }
        let pixels = PixelHash::of(&Image::filled(2, 2, [(image - u32::from(is_copy)) as u8; 3]));
        writer.push_hashed(image as usize, Some(pixels), &[("z", &rows)]).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn filters_hold_where_codes_tell_what_is_near_and_nothing_more_is_missed() {
    use crate::search::{Quantised, RowCodes, build};
    let folder = tempfile::tempdir().unwrap();
    let bank = drifting(folder.path(), 90);
    let cancel = CancelToken::default();
    build(&bank, "z", (None, None), &cancel, &mut |_| ()).unwrap();
    let codes = RowCodes::open(&bank, "z", None).unwrap().unwrap();
    let by_codes = Processor::by_codes(vec![Quantised::measure(&bank, "z", codes, &cancel).unwrap()]);
    let all = GalleryFilter::default();
    let filters = [
        all,
        GalleryFilter { other_images_only: true, ..all },
        GalleryFilter { class: Some(1), ..all },
        GalleryFilter { split: Some(Split::Test), other_images_only: true, ..all },
        GalleryFilter { per_image: Some(2), ..all },
        GalleryFilter { without_overlap: true, ..all },
        GalleryFilter { without_overlap: true, per_image: Some(1), class: Some(0), ..all },
        GalleryFilter { fold_copies: true, other_images_only: true, per_image: Some(3), ..all },
    ];
    let rows: Vec<usize> = (0..24).map(|at| at * 181).collect();
    let stored = |row: usize| {
        let mut vector = vec![0.0; 64];
        bank.row_f32("z", row, &mut vector).unwrap();
        vector
    };
    let vectors: Vec<Vec<f32>> = rows.iter().map(|row| stored(*row)).collect();
    let kin = |row: &usize| Kin { images: vec![bank.image_of_row(*row)], labels: vec![] };
    let kins: Vec<Kin> = rows.iter().map(kin).collect();
    let queries: Vec<VectorQuery<'_>> = (0..rows.len())
        .map(|at| VectorQuery { vector: &vectors[at], own: &rows[at..=at], kin: &kins[at] })
        .collect();
    for filter in filters {
        let of = |processor| nearest_many(processor, &bank, "z", &queries, (8, &filter), &cancel).unwrap();
        let (found, truth) = (of(&by_codes), of(&Processor::cpu()));
        let (mut same, mut wanted) = (0, 0);
        for ((found, truth), row) in found.iter().zip(&truth).zip(&rows) {
            assert_eq!((found.searched, found.candidates), (truth.searched, truth.candidates), "{filter:?}");
            assert_eq!((found.hits.len(), found.copies.len()), (truth.hits.len(), found.hits.len()));
            assert!(found.hits.iter().all(|hit| hit.row != *row), "{filter:?}: the query itself");
            // What the filter lets through of what was found is all of it.
            assert_eq!(thinned(&bank, found.hits.clone(), 8, &filter), found.hits, "{filter:?}");
            let shown = shown(&bank, &filter, &kin(row)).unwrap().0;
            assert!(found.hits.iter().all(|hit| shown[bank.place_of_row(hit.row)]), "{filter:?}");
            same += truth.hits.iter().filter(|hit| found.hits.contains(hit)).count();
            wanted += truth.hits.len();
        }
        assert!(wanted > 100 && same as f64 >= 0.99 * wanted as f64, "{same} of {wanted} with {filter:?}");
        let one = nearest(&by_codes, &bank, "z", queries[5], 8, &filter).unwrap();
        assert_eq!(one.hits, found[5].hits, "{filter:?}: alone");
    }
}

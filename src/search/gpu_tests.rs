//! The search on a GPU against that on the CPU and the float64 reference. Software Vulkan serves; where there
//! is no adapter at all, they say so and pass.

use super::gpu::Gpu;
use super::many_tests::questions;
use super::tests::{bank_of, entries, random, spec};
use super::topk::TopKJob;
use super::*;
use crate::bank::{Bank, BankSink, Dtype, MemoryBank};
use crate::device::{self, DeviceChoice, OpenDevice};
use crate::kernel::similarity::{BOUND, Similarity, WorkingRoom};
use crate::progress::{CancelToken, Cancelled};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::sync::LazyLock;

/// Opened once for all tests; `None` without an adapter.
static DEVICE: LazyLock<Option<OpenDevice>> =
    LazyLock::new(|| device::open(DeviceChoice::Gpu).map_err(|error| println!("skipped: {error:#}")).ok());

/// In pieces of `piece_bytes`, with room for `most_bytes`.
fn gpu(piece_bytes: u64, most_bytes: u64) -> Option<Gpu> {
    gpu_with(WorkingRoom { piece_bytes, cosines: 4096, found: 1 << 18 }, most_bytes)
}

fn gpu_with(room: WorkingRoom, most_bytes: u64) -> Option<Gpu> {
    let setup = DEVICE.as_ref()?.setup.as_ref()?;
    let compile = move || Ok(Similarity::new(&setup.device, &setup.queue)?.with_room(room));
    Some(Gpu::with(compile, most_bytes))
}

const ROOM: u64 = 1 << 30;

/// The answer of the GPU, which must be the CPU's.
fn found(gpu: &Gpu, bank: &Bank, query: &[f32], k: usize, options: &Options) -> Option<Vec<Hit>> {
    let question = Question { query: query.to_vec(), options: options.clone() };
    found_together(gpu, bank, &[question], k).pop().unwrap()
}

/// The answers of the GPU to all of `questions` together, each of which must be the CPU's.
fn found_together(gpu: &Gpu, bank: &Bank, questions: &[Question], k: usize) -> Vec<Option<Vec<Hit>>> {
    let job = |at: usize| TopKJob::new(bank, "h", &questions[at].query, k, &questions[at].options).unwrap();
    let jobs: Vec<TopKJob<'_>> = (0..questions.len()).map(job).collect();
    let found = gpu.top_k(&jobs).unwrap();
    for (Question { query, options }, found) in questions.iter().zip(&found) {
        if let Some(hits) = found {
            assert_eq!(hits, &top_k(bank, "h", query, k, options).unwrap(), "k = {k}, {options:?}");
        }
    }
    found
}

/// One answer of `processor`.
fn processed(processor: &Processor, bank: &Bank, query: &[f32], k: usize) -> anyhow::Result<Vec<Hit>> {
    let question = Question { query: query.to_vec(), options: Options::default() };
    Ok(processor.top_k_many(bank, "h", &[question], k)?.pop().unwrap())
}

#[test]
fn the_nearest_rows_on_a_gpu_are_those_of_the_cpu() {
    // 3 pieces and more at every width.
    let Some(gpu) = gpu(8 << 10, ROOM) else { return };
    let mut rng = Pcg64Mcg::seed_from_u64(6);
    let counts: Vec<usize> = (0..20).map(|i| [0, 7, 200, 1, 72][i % 5]).collect();
    let total: usize = counts.iter().sum();
    for (dtype, width) in [(Dtype::F16, 16), (Dtype::F16, 67), (Dtype::F32, 33), (Dtype::F32, 128)] {
        let bank = bank_of(dtype, width, &counts, &random(&mut rng, total * width));
        let mut query = vec![0.0; width];
        bank.row_f32("h", 234, &mut query).unwrap();
        for k in [0, 1, 50] {
            let own = Options { exclude_rows: vec![234, 77], ..Options::default() };
            assert!(found(&gpu, &bank, &query, k, &own).is_some());
            let exclude_images = vec![bank.image_of_row(234)];
            let other = Options { exclude_images, ..Options::default() };
            assert!(found(&gpu, &bank, &query, k, &other).is_some());
            let few = Options { per_image: Some(20), ..Options::default() };
            assert!(found(&gpu, &bank, &query, k, &few).is_some());
            let shown = Some((0..counts.len()).map(|place| place != 2).collect());
            assert!(found(&gpu, &bank, &query, k, &Options { shown, ..few }).is_some());
        }
        // Most of the bank is for the CPU.
        assert!(found(&gpu, &bank, &query, total / 2, &Options::default()).is_none());
    }
}

/// Of several blocks in each of several pieces, and of more queries than a workgroup has: about half are for the GPU.
#[test]
fn many_queries_on_a_gpu_find_what_each_finds_alone() {
    let Some(gpu) = gpu(12 << 10, ROOM) else { return };
    let mut rng = Pcg64Mcg::seed_from_u64(12);
    let counts: Vec<usize> = (0..30).map(|i| [0, 7, 200, 1, 72][i % 5]).collect();
    let total: usize = counts.iter().sum();
    for (dtype, width) in [(Dtype::F16, 16), (Dtype::F16, 35), (Dtype::F32, 20), (Dtype::F32, 130)] {
        let bank = bank_of(dtype, width, &counts, &random(&mut rng, total * width));
        let mut queries: Vec<Vec<f32>> = (0..90).map(|_| random(&mut rng, width)).collect();
        queries[3] = vec![0.0; width];
        bank.row_f32("h", 300, &mut queries[4]).unwrap();
        for questions in [questions(&bank, queries.clone()), questions(&bank, queries[30..32].to_vec())] {
            for k in [0, 1, 20] {
                let found = found_together(&gpu, &bank, &questions, k);
                for (question, found) in questions.iter().zip(found) {
                    // Galleries of some images only, and what is as far from all, are for the CPU.
                    let is_wide = question.options.shown.is_some() || question.query[0] == 0.0;
                    assert_eq!(found.is_some(), k == 0 || !is_wide, "{:?}, {k}", question.options);
                }
            }
        }
    }
}

#[test]
fn many_queries_on_a_gpu_settle_ties_as_one_does_and_in_any_order_of_the_rows() {
    let Some(gpu) = gpu(4 << 10, ROOM) else { return };
    let mut rng = Pcg64Mcg::seed_from_u64(13);
    let kinds: Vec<Vec<f32>> = (0..10).map(|_| random(&mut rng, 24)).collect();
    let which: Vec<usize> = (0..2000).map(|_| rng.random_range(0..10)).collect();
    let rows: Vec<f32> = which.iter().flat_map(|kind| kinds[*kind].clone()).collect();
    let question = |query: &Vec<f32>| Question { query: query.clone(), options: Options::default() };
    let questions: Vec<Question> = kinds.iter().map(question).collect();
    let tied = bank_of(Dtype::F16, 24, &[1200, 800], &rows);
    assert!(found_together(&gpu, &tied, &questions, 30).iter().all(Option::is_some));
    // Each row is nearer than all before it, or farther.
    for is_rising in [true, false] {
        let near = |row: usize| if is_rising { row as f32 } else { 2000.0 - row as f32 };
        let rows: Vec<f32> = (0..2000).flat_map(|row| [near(row) / 1500.0, 1.0]).collect();
        let bank = bank_of(Dtype::F32, 2, &[900, 1100], &rows);
        let asked: Vec<Question> = (0..5).map(|at| question(&vec![1.0, 0.1 * at as f32])).collect();
        assert!(found_together(&gpu, &bank, &asked, 20).iter().all(Option::is_some));
    }
}

#[test]
fn a_query_with_more_near_rows_than_there_is_room_for_is_asked_alone() {
    // For 20 queries at a time there is room for 100 rows of each.
    let room = WorkingRoom { piece_bytes: 8 << 10, cosines: 4096, found: 2000 };
    let Some(gpu) = gpu_with(room, ROOM) else { return };
    let mut rng = Pcg64Mcg::seed_from_u64(14);
    let mut rows = random(&mut rng, 2000 * 12);
    let same = random(&mut rng, 12);
    rows.chunks_exact_mut(12).step_by(5).for_each(|row| row.copy_from_slice(&same));
    let bank = bank_of(Dtype::F32, 12, &[900, 1100], &rows);
    let mut queries: Vec<Vec<f32>> = (0..20).map(|_| random(&mut rng, 12)).collect();
    queries[7] = same;
    let question = |query: Vec<f32>| Question { query, options: Options::default() };
    let questions: Vec<Question> = queries.into_iter().map(question).collect();
    for found in found_together(&gpu, &bank, &questions, 10) {
        assert_eq!(found.unwrap().len(), 10);
    }
}

#[test]
fn many_queries_on_a_gpu_that_nobody_wants_any_more_are_left() {
    let Some(gpu) = gpu(4 << 10, ROOM) else { return };
    let bank = bank_of(Dtype::F32, 8, &[400], &random(&mut Pcg64Mcg::seed_from_u64(15), 3200));
    let processor = Processor::always(gpu);
    // It is asked before the first block, between blocks, and at the end.
    for count in [0, 6, 12, 18] {
        let cancel = CancelToken::at_question(count);
        let options = Options { cancel, ..Options::default() };
        let questions: Vec<Question> =
            (0..5).map(|at| Question { query: vec![1.0 + at as f32; 8], options: options.clone() }).collect();
        let error = processor.top_k_many(&bank, "h", &questions, 3).unwrap_err();
        assert!(error.is::<Cancelled>(), "{error:#}");
    }
    assert_eq!(processor.ask(1, |_| Ok(Some(1))), Some(1));
}

#[test]
fn guests_beside_a_bank_on_a_gpu_come_and_go() {
    let Some(gpu) = gpu(8 << 10, ROOM) else { return };
    let mut rng = Pcg64Mcg::seed_from_u64(8);
    let counts = [300, 200, 100, 40, 30];
    let mut entries = entries(&counts);
    let late = entries.split_off(3);
    let mut bank = MemoryBank::new(spec(Dtype::F16, 24), entries).unwrap();
    let guests: Vec<MemoryBank> = late
        .into_iter()
        .map(|entry| {
            let rows = random(&mut rng, entry.width as usize * 24);
            let mut guest = MemoryBank::new(spec(Dtype::F16, 24), vec![entry]).unwrap();
            guest.push_image(0, &[("h", &rows)]).unwrap();
            guest
        })
        .collect();
    for (image, count) in counts[..3].iter().enumerate() {
        bank.push_image(image, &[("h", &random(&mut rng, count * 24))]).unwrap();
        for chosen in [&[&guests[0]][..], &[], &[&guests[1], &guests[0]], &[&guests[1]]] {
            let with = bank.snapshot_with(chosen).unwrap();
            let mut query = vec![0.0; 24];
            with.row_f32("h", with.patches() - 1, &mut query).unwrap();
            let hits = found(&gpu, &with, &query, 20, &Options::default()).unwrap();
            assert_eq!(hits[0].row, with.patches() - 1);
        }
    }
}

#[test]
fn equal_rows_on_a_gpu_come_in_bank_order() {
    let Some(gpu) = gpu(8 << 10, ROOM) else { return };
    let mut rng = Pcg64Mcg::seed_from_u64(4);
    let kinds: Vec<Vec<f32>> = (0..10).map(|_| random(&mut rng, 24)).collect();
    let which: Vec<usize> = (0..2000).map(|_| rng.random_range(0..10)).collect();
    let rows: Vec<f32> = which.iter().flat_map(|kind| kinds[*kind].clone()).collect();
    let bank = bank_of(Dtype::F16, 24, &[1200, 800], &rows);
    let nearest: Vec<usize> = (0..2000).filter(|row| which[*row] == 2).collect();
    for k in [1, 10, nearest.len()] {
        let hits = found(&gpu, &bank, &kinds[2], k, &Options::default()).unwrap();
        assert_eq!(hits.iter().map(|hit| hit.row).collect::<Vec<_>>(), nearest[..k]);
    }
    // Where all are as near, nothing is gained: the CPU is to do it.
    let same = bank_of(Dtype::F16, 24, &[2000], &kinds[0].repeat(2000));
    assert_eq!(found(&gpu, &same, &kinds[0], 10, &Options::default()), None);
    let processor = Processor::always(gpu);
    let hits = processed(&processor, &same, &kinds[0], 10).unwrap();
    assert_eq!(hits.iter().map(|hit| hit.row).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_bank_that_grows_is_found_whole_and_an_earlier_snapshot_as_it_was() {
    let Some(gpu) = gpu(4 << 10, ROOM) else { return };
    let mut rng = Pcg64Mcg::seed_from_u64(8);
    let counts = [150, 0, 300, 250];
    let mut growing = MemoryBank::new(spec(Dtype::F16, 9), entries(&counts)).unwrap();
    let query = random(&mut rng, 9);
    let mut snapshots = vec![];
    for (image, count) in counts.into_iter().enumerate() {
        match image {
            2 => growing.push_skipped(image, "broken").unwrap(),
            _ => growing.push_image(image, &[("h", &random(&mut rng, count * 9))]).unwrap(),
        }
        snapshots.push(growing.snapshot());
        let found = found(&gpu, &snapshots[image], &query, 20, &Options::default());
        assert_eq!(found.unwrap().len(), 20);
    }
    for earlier in &snapshots {
        assert!(found(&gpu, earlier, &query, 20, &Options::default()).is_some());
    }
}

#[test]
fn what_a_gpu_cannot_hold_is_for_the_cpu_and_the_oldest_bank_makes_room() {
    let mut rng = Pcg64Mcg::seed_from_u64(9);
    // A piece's rows with their norms: 400 * (4 * 8 + 4) bytes.
    let Some(gpu) = gpu(1 << 20, 14_400) else { return };
    let banks: Vec<Bank> = (0..2).map(|_| bank_of(Dtype::F32, 8, &[400], &random(&mut rng, 3200))).collect();
    let query = random(&mut rng, 8);
    for bank in [&banks[0], &banks[1], &banks[0]] {
        assert!(found(&gpu, bank, &query, 5, &Options::default()).is_some());
    }
    let large = bank_of(Dtype::F32, 8, &[401], &random(&mut rng, 3208));
    assert_eq!(found(&gpu, &large, &query, 5, &Options::default()), None);
    for scale in [1e-26, 1e37] {
        let mut rows = random(&mut rng, 3200);
        rows[8..16].fill(scale);
        let extreme = bank_of(Dtype::F32, 8, &[400], &rows);
        assert_eq!(found(&gpu, &extreme, &query, 5, &Options::default()), None, "{scale}");
    }
}

#[test]
fn maps_on_a_gpu_lie_within_the_bound_at_any_width() {
    let Some(gpu) = gpu(100 << 10, ROOM) else { return };
    let mut rng = Pcg64Mcg::seed_from_u64(10);
    for (width, count) in [(1, 9), (27, 300), (513, 150), (2048, 40), (8191, 9), (8192, 9)] {
        let mut vectors: Vec<f32> = (0..count * width).map(|_| rng.random_range(-1.0..2.0)).collect();
        vectors[..width].fill(0.0);
        let query = vectors[3 * width..4 * width].to_vec();
        let length = |row: &[f32]| row.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt();
        let norms: Vec<f32> = vectors.chunks_exact(width).map(|row| length(row) as f32).collect();
        let known: Vec<usize> = (0..count).rev().collect();
        let mirror = Mirror::default();
        for most in [4, count] {
            let rows = KnownRows { vectors: &vectors, norms: &norms, known: &known[..most] };
            let map = gpu.cosines(&mirror, &query, rows).unwrap().unwrap();
            for (row, found) in map.into_iter().enumerate() {
                let at = &vectors[row * width..(row + 1) * width];
                let dot: f64 = at.iter().zip(&query).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                let is_known = known[..most].contains(&row) && row > 0;
                let cosine = if is_known { dot / (length(at) * length(&query)) } else { 0.0 };
                let error = (cosine - f64::from(found)).abs();
                assert!(error < f64::from(BOUND), "{found} is {cosine} at width {width}, row {row}");
            }
        }
    }
}

#[test]
fn half_precision_is_read_to_its_smallest_values() {
    let Some(gpu) = gpu(8 << 10, ROOM) else { return };
    let mut rng = Pcg64Mcg::seed_from_u64(11);
    let mut rows = random(&mut rng, 400 * 15);
    // From subnormal to the largest.
    for (row, values) in rows.chunks_exact_mut(15).enumerate() {
        let scale = [1e-6, 1e-4, 1.0, 16_000.0][row % 4];
        values.iter_mut().for_each(|value| *value *= scale);
    }
    let bank = bank_of(Dtype::F16, 15, &[400], &rows);
    for row in 0..8 {
        let mut query = vec![0.0; 15];
        bank.row_f32("h", row, &mut query).unwrap();
        let hits = found(&gpu, &bank, &query, 30, &Options::default()).unwrap();
        assert_eq!(hits[0].row, row);
    }
}

#[test]
fn once_a_gpu_has_failed_the_cpu_does_it_all() {
    let processor = Processor::always(Gpu::with(|| unreachable!("nothing is asked of it"), 0));
    assert_eq!(processor.ask(1, |_| Ok(Some(1))), Some(1));
    assert_eq!(processor.ask(1, |_| anyhow::bail!("it was lost")), None::<i32>);
    assert_eq!(processor.ask(1, |_| Ok(Some(1))), None);
    assert_eq!(Processor::cpu().ask(1, |_| Ok(Some(1))), None);
}

#[test]
fn a_gpu_that_cannot_run_the_shader_leaves_the_search_to_the_cpu() {
    let bank = bank_of(Dtype::F16, 2, &[9], &[1.0; 18]);
    let processor = Processor::always(Gpu::with(|| anyhow::bail!("too old"), ROOM));
    let hits = processed(&processor, &bank, &[1.0, 1.0], 2).unwrap();
    assert_eq!(hits, top_k(&bank, "h", &[1.0, 1.0], 2, &Options::default()).unwrap());
    assert_eq!(processor.ask(1, |_| Ok(Some(1))), None);
}

#[test]
fn wrong_questions_are_the_same_errors_wherever_they_are_asked() {
    let bank = bank_of(Dtype::F16, 2, &[3], &[1.0; 6]);
    let processor = Processor::always(Gpu::with(|| unreachable!("nothing is asked of it"), 0));
    for query in [&[1.0][..], &[1.0, f32::NAN]] {
        let there = processed(&processor, &bank, query, 1).unwrap_err().to_string();
        assert_eq!(there, top_k(&bank, "h", query, 1, &Options::default()).unwrap_err().to_string());
    }
}

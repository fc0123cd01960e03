//! Many queries together against one after the other: the same hits, cosines and ties.

use super::tests::{bank_of, entries, random, spec};
use super::*;
use crate::bank::{Bank, BankSink, Dtype, MemoryBank};
use crate::progress::{CancelToken, Cancelled};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Bits of what is found for all together, which must be what is found for each alone.
fn check(bank: &Bank, questions: &[Question], k: usize) {
    let together = top_k_many(bank, "h", questions, k).unwrap();
    assert_eq!(together.len(), questions.len());
    for (question, found) in questions.iter().zip(together) {
        let one = top_k(bank, "h", &question.query, k, &question.options).unwrap();
        let bits = |hits: &[Hit]| hits.iter().map(|hit| (hit.row, hit.cosine.to_bits())).collect::<Vec<_>>();
        assert_eq!(bits(&found), bits(&one), "k = {k}, {:?}", question.options);
    }
}

/// Questions that leave out this and that, each something else.
pub(super) fn questions(bank: &Bank, queries: Vec<Vec<f32>>) -> Vec<Question> {
    let images = bank.images().len();
    let options = |at: usize| {
        let all = Options::default();
        match at % 6 {
            0 => all,
            1 => Options { exclude_rows: vec![at, 7], ..all },
            2 => Options { exclude_images: vec![bank.image_of_row(at * 11 % bank.patches())], ..all },
            3 => Options {
                shown: Some((0..images).map(|place| !(place + at).is_multiple_of(3)).collect()),
                ..all
            },
            4 => Options { per_image: Some(at % 4), ..all },
            _ => Options {
                shown: Some((0..images).map(|place| place % 2 == 0).collect()),
                per_image: Some(2),
                ..all
            },
        }
    };
    queries.into_iter().enumerate().map(|(at, query)| Question { query, options: options(at) }).collect()
}

#[test]
fn many_queries_find_what_each_finds_alone_whatever_is_left_out() {
    let mut rng = Pcg64Mcg::seed_from_u64(31);
    let counts: Vec<usize> = (0..25).map(|i| [0, 7, 200, 1, 60][i % 5]).collect();
    let total: usize = counts.iter().sum();
    for (dtype, width) in [(Dtype::F16, 16), (Dtype::F16, 35), (Dtype::F32, 20), (Dtype::F32, 1)] {
        let bank = bank_of(dtype, width, &counts, &random(&mut rng, total * width));
        let mut queries: Vec<Vec<f32>> = (0..19).map(|_| random(&mut rng, width)).collect();
        queries[3] = vec![0.0; width];
        bank.row_f32("h", 300, &mut queries[4]).unwrap();
        let questions = questions(&bank, queries);
        for k in [0, 1, 20, total + 1] {
            check(&bank, &questions, k);
        }
        // All of one kind, and too few for a product.
        let limited: Vec<Question> = questions.iter().skip(4).step_by(6).cloned().collect();
        check(&bank, &limited, 9);
    }
}

#[test]
fn ties_and_cosines_that_differ_in_the_last_bits_are_settled_alike() {
    let mut rng = Pcg64Mcg::seed_from_u64(32);
    // Few kinds of rows, each with a last value that is off by a little: cosines within a few roundings of another.
    let width = 40;
    let kinds: Vec<Vec<f32>> = (0..4).map(|_| random(&mut rng, width)).collect();
    let mut rows = vec![];
    for _ in 0..1500 {
        let kind = &kinds[rng.random_range(0..kinds.len())];
        let nudge = 1.0 + rng.random_range(-2i32..3) as f32 * f32::EPSILON;
        rows.extend(kind.iter().map(|value| value * nudge));
    }
    for dtype in [Dtype::F32, Dtype::F16] {
        let bank = bank_of(dtype, width, &[700, 500, 300], &rows);
        let queries: Vec<Vec<f32>> =
            (0..12).map(|at| kinds[at % 4].iter().map(|value| value * (1.0 + at as f32)).collect()).collect();
        for k in [1, 5, 300] {
            check(&bank, &questions(&bank, queries.clone()), k);
        }
    }
}

#[test]
fn rows_of_any_length_without_a_value_or_of_zeros_are_as_in_one_search() {
    let mut rng = Pcg64Mcg::seed_from_u64(33);
    let counts = [40, 30, 50];
    let mut bank = MemoryBank::new(spec(Dtype::F32, 3), entries(&counts)).unwrap();
    let mut rows = random(&mut rng, 40 * 3);
    for (at, row) in rows.chunks_exact_mut(3).enumerate() {
        let scale = [1.0, 1e-20, 1e37, 0.0, 7e37, f32::NAN][at % 6];
        row.iter_mut().for_each(|value| *value *= scale);
    }
    bank.push_image(0, &[("h", &rows)]).unwrap();
    bank.push_skipped(1, "broken").unwrap();
    bank.push_image(2, &[("h", &random(&mut rng, 150))]).unwrap();
    let bank = bank.snapshot();
    let queries = (0..12).map(|at| random(&mut rng, 3).iter().map(|v| v * 10f32.powi(3 * at - 20)).collect());
    let queries: Vec<Vec<f32>> = queries.collect();
    for k in [1, 10, 200] {
        check(&bank, &questions(&bank, queries.clone()), k);
    }
}

#[test]
fn wrong_questions_and_a_wish_to_stop_end_them_all() {
    let bank = bank_of(Dtype::F32, 2, &[9], &random(&mut Pcg64Mcg::seed_from_u64(34), 18));
    let mut questions = vec![Question { query: vec![1.0, 0.0], ..Question::default() }; 8];
    assert!(top_k_many(&bank, "h", &[], 3).unwrap().is_empty());
    let cancel = CancelToken::default();
    questions[5].options.cancel = cancel.clone();
    assert_eq!(top_k_many(&bank, "h", &questions, 3).unwrap().len(), 8);
    cancel.cancel();
    assert!(top_k_many(&bank, "h", &questions, 3).unwrap_err().is::<Cancelled>());
    questions[5] = Question { query: vec![f32::NAN, 0.0], ..Question::default() };
    assert!(top_k_many(&bank, "h", &questions, 3).is_err());
    questions[5] = Question { query: vec![1.0], ..Question::default() };
    assert!(top_k_many(&bank, "h", &questions, 3).unwrap_err().to_string().contains("1 values"));
}

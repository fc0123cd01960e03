//! Our side of `search.py` and `codes.py`.
//!
//!     search exact ROWS.f32 QUERIES.f32 WIDTH K REPEATS f16|f32 FOLDER
//!
//! makes a bank of given rows and times exact searches in it. Both files hold little-endian float32, row-major.
//! Prints JSON: milliseconds of each search, the rows found for each query, and the read bandwidth that all threads
//! reach together on a copy of the same rows (bytes per second, a pass before each search): the median and the best of
//! the passes.
//!
//!     search make IMAGES WIDTH QUERIES FOLDER
//!
//! makes a bank of vectors like those of the 361 patches of so many small images ([`PatchVectors`]), in float16, its codes
//! (timed) and queries beside it (`queries.f32`).
//!
//!     search codes FOLDER K REPEATS
//!
//! times searches by those codes and exact ones, by turns.

#![expect(clippy::disallowed_methods, reason = "reads what its own script wrote")]
#![expect(clippy::print_stdout, reason = "it is read by its own script")]

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, ensure};
use bagssl::bank::{
    Bank, BankSink, BankSpec, BankWriter, DataFacts, Dtype, ImageEntry, ModelFacts, SpaceSpec,
};
use bagssl::patch::PatchGrid;
use bagssl::progress::CancelToken;
use bagssl::search::{Options, Quantised, Question, RowCodes, build, read_pass, top_k, top_k_many};
use rand::{Rng, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64Mcg;
use rayon::prelude::*;
use serde_json::json;

/// Rows that count as one image.
const IMAGE: usize = 1000;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["exact", rows, queries, width, k, repeats, dtype, folder] => {
            exact(rows, queries, [width, k, repeats], dtype, folder)
        }
        ["make", images, width, queries, folder] => {
            make(images.parse()?, width.parse()?, queries.parse()?, Path::new(folder))
        }
        ["codes", folder, k, repeats] => codes(Path::new(folder), k.parse()?, repeats.parse()?),
        _ => anyhow::bail!("expected what the head of this file says"),
    }
}

fn exact(
    rows: &str,
    queries: &str,
    [width, k, repeats]: [&str; 3],
    dtype: &str,
    folder: &str,
) -> anyhow::Result<()> {
    let (width, k, repeats): (usize, usize, usize) = (width.parse()?, k.parse()?, repeats.parse()?);
    let dtype = if dtype == "f16" { Dtype::F16 } else { Dtype::F32 };
    let bank = bank_of(Path::new(rows), width, dtype, Path::new(folder))?;
    let queries: Vec<f32> = bytemuck::pod_collect_to_vec(&std::fs::read(queries)?);
    let search = |query: &[f32]| top_k(&bank, "h", query, k, &Options::default());
    let bytes = bytes_of_rows(Path::new(folder))?;
    search(&queries[..width])?;
    read_pass(&bytes);
    let (mut milliseconds, mut found, mut reads) = (vec![], vec![], vec![]);
    for query in queries.chunks_exact(width) {
        for _ in 0..repeats {
            // By turns, so that whatever else the machine does slows both alike.
            reads.push(read_pass(&bytes));
            let clock = Instant::now();
            let hits = search(query)?;
            milliseconds.push(clock.elapsed().as_secs_f64() * 1e3);
            found.push(hits.iter().map(|hit| hit.row).collect::<Vec<_>>());
        }
    }
    let found: Vec<_> = found.into_iter().step_by(repeats).collect();
    reads.sort_by(f64::total_cmp);
    let median = bytes.len() as f64 / reads[reads.len() / 2];
    let best = bytes.len() as f64 / reads[0];
    let threads = rayon::current_num_threads();
    println!(
        "{}",
        json!({ "threads": threads, "milliseconds": milliseconds, "found": found, "bandwidth": median, "best_bandwidth": best })
    );
    Ok(())
}

fn bank_of(rows: &Path, width: usize, dtype: Dtype, folder: &Path) -> anyhow::Result<Bank> {
    let count = std::fs::metadata(rows)?.len() as usize / (4 * width);
    ensure!(count.is_multiple_of(IMAGE), "{count} rows; expected a multiple of {IMAGE}");
    let images = entries(count / IMAGE, IMAGE as u32, 1);
    let spec = spec_of(width, dtype, PatchGrid::new(1, 1)?);
    let (mut writer, _) = BankWriter::create_or_resume(folder, &spec, &images, &CancelToken::default())?;
    let mut file = BufReader::with_capacity(1 << 20, File::open(rows)?);
    let mut values = vec![0.0f32; IMAGE * width];
    for index in 0..images.len() {
        file.read_exact(bytemuck::cast_slice_mut(&mut values)).context("rows")?;
        writer.push_image(index, &[("h", &values)])?;
    }
    writer.finish()
}

fn entries(count: usize, height: u32, width: u32) -> Vec<ImageEntry> {
    let entry = |index: usize| ImageEntry {
        index: index as u32,
        height,
        width,
        label: None,
        name: index.to_string(),
    };
    (0..count).map(entry).collect()
}

fn spec_of(width: usize, dtype: Dtype, grid: PatchGrid) -> BankSpec {
    BankSpec {
        program: "peer".into(),
        model: ModelFacts { name: "peer".into(), hash: "peer".into(), arch: "peer".into() },
        data: DataFacts {
            kind: "peer".into(),
            name: "peer".into(),
            fingerprint: "peer".into(),
            split: None,
            mix: None,
            limit: None,
            decoding: None,
            order: None,
            part: None,
        },
        grid,
        input: 32,
        resize: "bilinear".into(),
        resolution: None,
        tiles: None,
        mean: [0.0; 3],
        std: [1.0; 3],
        dtype,
        spaces: vec![SpaceSpec { name: "h".into(), width: width as u32 }],
        classes: vec![],
    }
}

/// Patches along a side of an image: 14 x 14 pixels of 32 x 32, one pixel apart.
const SIDE: usize = 19;
/// Directions in which vectors of patches differ.
const LATENT: usize = 48;

/// Vectors that lie as those of patches do: what differs from image to image and, smoothly, within one takes few directions,
/// the first ones most; a little noise takes all.
struct PatchVectors {
    width: usize,
    /// `[LATENT, width]`.
    directions: Vec<f32>,
}

impl PatchVectors {
    fn new(width: usize) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(0);
        let scale = |place: usize| 1.0 / ((place / width + 1) as f32).sqrt();
        let values = (0..LATENT * width).map(|place| scale(place) * rng.sample::<f32, _>(StandardNormal));
        Self { width, directions: values.collect() }
    }

    /// Of one image, `[SIDE * SIDE, width]`.
    fn image(&self, index: usize) -> Vec<f32> {
        let mut rng = Pcg64Mcg::seed_from_u64(1 + index as u64);
        let mut draw = || -> Vec<f32> { (0..LATENT).map(|_| rng.sample(StandardNormal)).collect() };
        let (whole, corners) = (draw(), [draw(), draw(), draw(), draw()]);
        let mut rows = vec![0.0f32; SIDE * SIDE * self.width];
        for (place, row) in rows.chunks_exact_mut(self.width).enumerate() {
            let (down, right) = ((place / SIDE) as f32 / 18.0, (place % SIDE) as f32 / 18.0);
            let shares =
                [(1.0 - down) * (1.0 - right), (1.0 - down) * right, down * (1.0 - right), down * right];
            for (direction, values) in self.directions.chunks_exact(self.width).enumerate() {
                let local: f32 =
                    corners.iter().zip(shares).map(|(corner, share)| corner[direction] * share).sum();
                let amount = whole[direction] + local;
                row.iter_mut().zip(values).for_each(|(out, value)| *out += amount * value);
            }
            row.iter_mut().for_each(|value| *value += rng.random_range(-0.5..0.5));
        }
        rows
    }
}

fn make(images: usize, width: usize, queries: usize, folder: &Path) -> anyhow::Result<()> {
    let vectors = PatchVectors::new(width);
    let spec = spec_of(width, Dtype::F16, PatchGrid::new(14, 1)?);
    let entries = entries(images, 32, 32);
    let cancel = CancelToken::default();
    let (mut writer, _) = BankWriter::create_or_resume(folder, &spec, &entries, &cancel)?;
    for first in (0..images).step_by(256) {
        let some: Vec<Vec<f32>> =
            (first..images.min(first + 256)).into_par_iter().map(|index| vectors.image(index)).collect();
        for (index, values) in (first..).zip(&some) {
            writer.push_image(index, &[("h", values)])?;
        }
    }
    let bank = writer.finish()?;
    // Patches of images that are not in it.
    let asked = (0..queries).flat_map(|query| {
        let (place, values) = (query * 97 % (SIDE * SIDE), vectors.image(images + query));
        values[place * width..(place + 1) * width].to_vec()
    });
    let asked: Vec<f32> = asked.collect();
    std::fs::write(folder.join("queries.f32"), bytemuck::cast_slice::<f32, u8>(&asked))?;
    let clock = Instant::now();
    build(&bank, "h", (None, None), &cancel, &mut |_| {})?;
    let coding = clock.elapsed().as_secs_f64();
    let clock = Instant::now();
    let codes = RowCodes::open(&bank, "h", None)?.context("no codes")?;
    let bytes = codes.bytes();
    let measured = Quantised::measure(&bank, "h", codes, &cancel)?.measured();
    let measuring = clock.elapsed().as_secs_f64();
    println!(
        "{}",
        json!({ "rows": bank.patches(), "coding_seconds": coding, "measuring_seconds": measuring, "code_bytes": bytes, "measured": measured })
    );
    Ok(())
}

fn codes(folder: &Path, k: usize, repeats: usize) -> anyhow::Result<()> {
    let bank = Bank::open(folder)?;
    let quantised = Quantised::open(&bank, "h", None)?.context("no codes")?;
    let queries: Vec<f32> = bytemuck::pod_collect_to_vec(&std::fs::read(folder.join("queries.f32"))?);
    let options = Options::default();
    let (mut by_codes, mut exact, mut compared) = (vec![], vec![], vec![]);
    let (mut found, mut truths) = (vec![], vec![]);
    let queries: Vec<&[f32]> = queries.chunks_exact(bank.width("h")?).collect();
    quantised.codes().check_all(&bank)?;
    for query in &queries {
        // What a first look at an image's rows costs is not part of it.
        quantised.top_k(&bank, query, k, &options)?;
    }
    for query in &queries {
        for repeat in 0..repeats {
            let clock = Instant::now();
            let hits = quantised.top_k(&bank, query, k, &options)?;
            by_codes.push(clock.elapsed().as_secs_f64() * 1e3);
            if repeat == 0 {
                compared.push(hits.compared);
                found.push(hits.hits.iter().map(|hit| hit.row).collect::<Vec<_>>());
            }
        }
    }
    let question = |query: &&[f32]| Question { query: query.to_vec(), options: options.clone() };
    let questions: Vec<Question> = queries.iter().map(question).collect();
    let (mut together, mut exact_together) = (vec![], vec![]);
    for _ in 0..repeats {
        let each = |clock: Instant| clock.elapsed().as_secs_f64() * 1e3 / questions.len().max(1) as f64;
        let clock = Instant::now();
        let all = quantised.top_k_many(&bank, &questions, k)?;
        together.push(each(clock));
        let rows = all.iter().map(|found| found.hits.iter().map(|hit| hit.row).collect::<Vec<_>>());
        ensure!(rows.eq(found.iter().cloned()), "queries together found something else than one by one");
        let clock = Instant::now();
        top_k_many(&bank, "h", &questions, k)?;
        exact_together.push(each(clock));
    }
    for query in &queries {
        let clock = Instant::now();
        let hits = top_k(&bank, "h", query, k, &options)?;
        exact.push(clock.elapsed().as_secs_f64() * 1e3);
        truths.push(hits.iter().map(|hit| json!([hit.row, hit.cosine])).collect::<Vec<_>>());
    }
    println!(
        "{}",
        json!({ "threads": rayon::current_num_threads(), "by_codes": by_codes, "exact": exact, "compared": compared,
            "by_codes_together": together, "exact_together": exact_together,
            "found": found, "truths": truths, "measured": quantised.measured() })
    );
    Ok(())
}

/// The file of rows, in memory.
fn bytes_of_rows(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let file = ["h.f16", "h.f32"].iter().map(|name| folder.join(name)).find(|path| path.is_file());
    Ok(std::fs::read(file.context("no file of rows")?)?)
}

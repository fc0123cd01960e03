//! Our side of `search.py`: makes a bank of given rows and times exact searches in it.
//!
//!     search ROWS.f32 QUERIES.f32 WIDTH K REPEATS f16|f32 FOLDER
//!
//! Both files hold little-endian float32, row-major. Prints JSON: milliseconds of each search, the rows
//! found for each query, and the read bandwidth that all threads reach together on a copy of the same rows
//! (bytes per second, a pass before each search): the median and the best of the passes.

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
use bagssl::search::{Options, read_pass, top_k};
use serde_json::json;

/// Rows that count as one image.
const IMAGE: usize = 1000;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [rows, queries, width, k, repeats, dtype, folder] = &arguments[..] else {
        anyhow::bail!("expected ROWS.f32 QUERIES.f32 WIDTH K REPEATS f16|f32 FOLDER");
    };
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
    let entry = |index: usize| ImageEntry {
        index: index as u32,
        height: IMAGE as u32,
        width: 1,
        label: None,
        name: index.to_string(),
    };
    let spec = BankSpec {
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
        },
        grid: PatchGrid::new(1, 1)?,
        input: 32,
        resize: "bilinear".into(),
        resolution: None,
        mean: [0.0; 3],
        std: [1.0; 3],
        dtype,
        spaces: vec![SpaceSpec { name: "h".into(), width: width as u32 }],
        classes: vec![],
    };
    let images: Vec<ImageEntry> = (0..count / IMAGE).map(entry).collect();
    let (mut writer, _) = BankWriter::create_or_resume(folder, &spec, &images, &CancelToken::default())?;
    let mut file = BufReader::with_capacity(1 << 20, File::open(rows)?);
    let mut values = vec![0.0f32; IMAGE * width];
    for index in 0..images.len() {
        file.read_exact(bytemuck::cast_slice_mut(&mut values)).context("rows")?;
        writer.push_image(index, &[("h", &values)])?;
    }
    writer.finish()
}

/// The file of rows, in memory.
fn bytes_of_rows(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let file = ["h.f16", "h.f32"].iter().map(|name| folder.join(name)).find(|path| path.is_file());
    Ok(std::fs::read(file.context("no file of rows")?)?)
}

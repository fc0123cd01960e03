//! What a bank promises over several files: kill and resume, refusal with reasons, damage, growth, export.

use super::*;
use crate::files;
use crate::patch::{PatchGrid, PatchRef};
use crate::progress::CancelToken;
use half::f16;
use rand::{Rng, SeedableRng};
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

mod cache;
mod copies;
mod damage;
mod exporting;
mod growth;
mod merging;
mod refusals;
mod writing;

fn spec(dtype: Dtype) -> BankSpec {
    let space = |name: &str, width| SpaceSpec { name: name.into(), width };
    BankSpec {
        program: "bagssl 0.1.0".into(),
        model: ModelFacts { name: "demo".into(), hash: "aaaa".into(), arch: "resnet18".into() },
        data: DataFacts {
            kind: "folder".into(),
            name: "cats".into(),
            fingerprint: "ffff".into(),
            split: None,
            mix: None,
            limit: None,
            decoding: None,
            order: None,
            part: None,
        },
        grid: PatchGrid::new(4, 2).unwrap(),
        input: 32,
        resize: "bilinear".into(),
        resolution: None,
        tiles: None,
        mean: [0.5; 3],
        std: [0.25, 0.1, 0.3],
        dtype,
        spaces: vec![space("h", 5), space("z", 3)],
        classes: vec!["cat".into(), "dog".into()],
    }
}

fn writer_in(folder: &Path, spec: &BankSpec, images: &[ImageEntry]) -> anyhow::Result<(BankWriter, usize)> {
    BankWriter::create_or_resume(folder, spec, images, &CancelToken::default())
}

/// 9, 0, 8, 9, 1 patches.
fn images() -> Vec<ImageEntry> {
    let sizes = [(8, 8), (3, 9), (10, 6), (8, 8), (4, 5)];
    let entry = |(i, (height, width)): (usize, &(u32, u32))| ImageEntry {
        index: i as u32,
        height: *height,
        width: *width,
        label: (i != 4).then_some(i as u32 % 2),
        name: format!("cat {i}"),
    };
    sizes.iter().enumerate().map(entry).collect()
}

/// The values of an image: a function of its index, as those of a model are.
fn values(image: usize, width: usize) -> Vec<f32> {
    let count = [9, 0, 8, 9, 1][image] * width;
    let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64((image * 10 + width) as u64);
    (0..count).map(|_| rng.random_range(-3.0..3.0)).collect()
}

fn push(sink: &mut dyn BankSink, image: usize) {
    sink.push_image(image, &[("z", &values(image, 3)), ("h", &values(image, 5))]).unwrap();
}

/// Fills the rest of a bank; image 2 cannot be read.
fn fill(sink: &mut dyn BankSink, until: usize) {
    for image in sink.next_image()..until {
        if image == 2 { sink.push_skipped(2, "cut off JPEG").unwrap() } else { push(sink, image) }
    }
}

fn whole(folder: &Path) -> Bank {
    let (mut writer, _) = writer_in(folder, &spec(Dtype::F16), &images()).unwrap();
    fill(&mut writer, 5);
    writer.finish().unwrap()
}

/// All files of a bank.
fn content(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .iter()
        .map(|path| (path.file_name().unwrap().display().to_string(), fs::read(path).unwrap()))
        .collect()
}

fn error_of<T>(result: anyhow::Result<T>) -> String {
    format!("{:#}", result.err().expect("an error"))
}

fn check_rows(bank: &Bank) {
    let mut row = [0.0; 5];
    for at in 0..bank.patches() {
        let patch = bank.patch_ref(at);
        bank.row_f32("h", at, &mut row).unwrap();
        if patch.image == 2 {
            assert!(row.iter().all(|v| v.is_nan()));
            continue;
        }
        let first = bank.rows_of_image(patch.image as usize).unwrap().start;
        let expected = &values(patch.image as usize, 5)[(at - first) * 5..][..5];
        let rounded: Vec<f32> = match bank.spec().dtype {
            Dtype::F16 => expected.iter().map(|v| f16::from_f32(*v).to_f32()).collect(),
            Dtype::F32 => expected.to_vec(),
        };
        assert_eq!(row[..], rounded, "row {at}");
        assert_eq!(bank.row_of(patch.image as usize, patch.y, patch.x).unwrap(), at);
    }
}

const WITH_HOLES: Exported = Exported {
    rows: 18,
    patches: 27,
    patches_of_skipped_images: 8,
    skipped_images: 1,
    not_finite: 1,
    without_vector: 0,
};

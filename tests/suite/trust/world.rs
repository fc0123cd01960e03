//! What commands and readers are given: a small set of images, a run, its model, a bank, figures, a cache, an archive.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bagssl::augment::Crop;
use bagssl::train::TrainConfig;
use flate2::{Compression, write::GzEncoder};

use super::program::{run, typed};
use crate::run::tiny;
use crate::support::text;

/// A folder with all of it; it goes when nobody uses it any more.
pub struct World {
    folder: tempfile::TempDir,
}

impl World {
    /// The one that other tests use at this time, or a new one.
    pub fn shared() -> Arc<Self> {
        static WORLD: Mutex<Weak<World>> = Mutex::new(Weak::new());
        let mut shared = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let world = Arc::new(Self::new());
            *shared = Arc::downgrade(&world);
            world
        })
    }

    fn new() -> Self {
        let world = Self { folder: tempfile::Builder::new().prefix("bagssl-trust-").tempdir().unwrap() };
        let made = |line: String| drop(run(&typed(&line)).expect_well(&line));
        let [parts, config, run_folder, model, bank, picture] =
            ["parts", "config.toml", "run", "model.safetensors", "bank", "picture.png"]
                .map(|name| world.text(name));
        for (split, count) in [("train", 16), ("test", 8)] {
            made(format!("data synth --out {parts} --images {count} --size 32 --split {split}"));
        }
        fs::write(&config, tiny_config().to_toml().unwrap()).unwrap();
        made(format!(
            "train --data {parts} --split train --log-every 1 --config {config} --out {run_folder}"
        ));
        let latest = fs::read_to_string(world.path("run/latest")).unwrap();
        fs::copy(world.path("run").join(latest).join("model.safetensors"), &model).unwrap();
        let patches = "--patch 16 --stride 16";
        made(format!("embed --data {parts} --split train {patches} --model {model} --out {bank}"));
        for number in [1, 2] {
            let part = world.text(&format!("part-{number}"));
            made(format!(
                "embed --data {parts} --split train {patches} --model {model} --shard {number}/2 --out {part}"
            ));
        }
        made(format!("bank export {bank} --space h --out {}", world.text("h.parquet")));
        fs::copy(world.a_picture(), &picture).unwrap();
        let [map, near, curve] = ["map.svg", "near.svg", "curve.svg"].map(|name| world.text(name));
        made(format!("heatmap --patch 16 --stride 8 --at 8,8 --image {picture} --model {model} --out {map}"));
        made(format!("gallery --bank {bank} --query 0:0:0 --k 5 --out {near}"));
        made(format!("figure {run_folder} --out {curve}"));
        fs::write(world.path("cifar.tar.gz"), packed(&small_cifar())).unwrap();
        world
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The path as text.
    pub fn text(&self, name: &str) -> String {
        text(&self.path(name)).to_owned()
    }

    /// A new folder for results.
    pub fn out(&self, name: &str) -> PathBuf {
        let out = self.path("out").join(name);
        fs::create_dir_all(&out).unwrap();
        out
    }

    fn a_picture(&self) -> PathBuf {
        let class = fs::read_dir(self.path("parts/train")).unwrap().next().unwrap().unwrap().path();
        fs::read_dir(class).unwrap().next().unwrap().unwrap().path()
    }
}

/// A run of 4 steps on the images of the world.
fn tiny_config() -> TrainConfig {
    let mut config = tiny();
    config.views.iter_mut().for_each(|view| view.crop = Crop::Fixed { size: 16 });
    config.set(&["images=16", "epochs=2", "probe.every=2"]).unwrap();
    config
}

/// Three images to train on and two to test.
pub fn small_cifar() -> Vec<(&'static str, Vec<u8>)> {
    let records = |labels: &[u8]| labels.iter().flat_map(|&l| [&[l][..], &[l * 3; 3072]].concat()).collect();
    vec![
        ("cifar-10-batches-bin/data_batch_1.bin", records(&[1, 2, 3])),
        ("cifar-10-batches-bin/test_batch.bin", records(&[4, 5])),
    ]
}

/// A tar archive in gzip.
pub fn packed(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// Copies a folder with all that lies in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

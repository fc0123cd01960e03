//! Every reader of the library, with valid files to be spoilt and hostile ones.

use std::fs;
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};

use anyhow::{Context, ensure};
use bagssl::bank::Bank;
use bagssl::dataset::cifar::Variant;
use bagssl::dataset::decode::{decode, looks_like_image, probe};
use bagssl::dataset::download::{self, Request};
use bagssl::dataset::{self, DataSpec, Decoding, Split};
use bagssl::device::DeviceChoice;
use bagssl::engine::NamedFilter;
use bagssl::engine::jobs::Job;
use bagssl::engine::jobs::embed::{bank_info, data_of_bank};
use bagssl::engine::jobs::evaluate::{EvalRequest, evaluate};
use bagssl::engine::jobs::figures::FileLook;
use bagssl::engine::jobs::search::{SearchRequest, knn};
use bagssl::engine::jobs::train::{Start, TrainRequest, loss_curve, train};
use bagssl::eval::{Classifier, EvalConfig, aggregate::Aggregate};
use bagssl::figure::Sidecar;
use bagssl::gui::Link;
use bagssl::model::{ModelSpec, store};
use bagssl::progress::CancelToken;
use bagssl::train::{RunFolder, TrainConfig, recipes, settings};
use burn::tensor::Device;
use flate2::{Compression, write::GzEncoder};
use md5::Md5;
use sha2::{Digest, Sha256};

use super::world::{copy, packed, small_cifar};
use crate::support::fixture;

/// Something that reads files which others may have written.
pub struct Reader {
    pub name: &'static str,
    /// Spoilt inputs, by default.
    pub inputs: usize,
    /// Lays files in place, given the world's folder.
    pub lay: fn(&Path, &Path),
    /// Which of them are spoilt; the others are read as they are.
    pub is_spoilt: fn(&str) -> bool,
    /// Reads what lies there, of which one file was spoilt.
    pub read: fn(&Path, &str) -> anyhow::Result<()>,
    /// Whether an error names the file, or its folder.
    pub names_file: bool,
    /// Whether what is read is written, too: then the files are laid anew each time.
    pub is_written: bool,
}

const PLAIN: Reader = Reader {
    name: "",
    inputs: 0,
    lay: |_, _| (),
    is_spoilt: |_| true,
    read: |_, _| Ok(()),
    names_file: true,
    is_written: false,
};

/// All of them.
pub const READERS: [Reader; 13] = [
    Reader {
        name: "pictures",
        inputs: 3000,
        lay: lay_pictures,
        is_spoilt: |file| !file.starts_with("bad/"),
        read: read_picture,
        ..PLAIN
    },
    Reader { name: "cifar", inputs: 800, lay: lay_cifar, read: read_set, ..PLAIN },
    Reader { name: "archives", inputs: 800, lay: lay_archives, read: read_set, ..PLAIN },
    Reader { name: "sidecars", inputs: 1000, lay: lay_sidecars, read: read_sidecar, ..PLAIN },
    Reader { name: "configurations", inputs: 1500, lay: lay_configs, read: read_config, ..PLAIN },
    Reader {
        name: "settings",
        inputs: 60,
        lay: lay_settings,
        read: read_settings,
        names_file: false,
        ..PLAIN
    },
    Reader { name: "links", inputs: 2000, lay: lay_links, read: read_links, names_file: false, ..PLAIN },
    Reader { name: "models", inputs: 400, lay: lay_models, read: read_model, ..PLAIN },
    Reader { name: "banks", inputs: 1000, lay: lay_bank, read: read_bank, ..PLAIN },
    Reader { name: "runs", inputs: 600, lay: lay_run, is_spoilt: is_of_run, read: read_run, ..PLAIN },
    Reader {
        name: "resumed runs",
        inputs: 24,
        lay: lay_half_run,
        is_spoilt: is_of_run,
        read: resume,
        is_written: true,
        ..PLAIN
    },
    Reader {
        name: "caches",
        inputs: 12,
        lay: lay_cache,
        is_spoilt: |file| file.starts_with("cache/"),
        read: read_cache,
        is_written: true,
        ..PLAIN
    },
    Reader {
        name: "downloads",
        inputs: 60,
        lay: lay_download,
        read: read_download,
        names_file: false,
        ..PLAIN
    },
];

fn lay_pictures(_: &Path, place: &Path) {
    copy(&fixture("images"), place);
    for name in ["index.json", "expected.rgb"] {
        fs::remove_file(place.join(name)).unwrap();
    }
    // Few bytes that are many pixels.
    let bomb = image::GrayImage::new(2048, 2048);
    bomb.save(place.join("bad/bomb.png")).unwrap();
}

fn read_picture(place: &Path, file: &str) -> anyhow::Result<()> {
    let path = place.join(file);
    looks_like_image(&path);
    let facts = probe(&path)?;
    let decoded = decode(&path, Decoding::default())?;
    let size = (decoded.image.height(), decoded.image.width());
    ensure!(size == facts.size(Decoding::default().exif), "{}: {size:?} were not foretold", path.display());
    Ok(())
}

fn lay_cifar(_: &Path, place: &Path) {
    copy(&fixture("cifar"), place);
    let folder = place.join("cifar-10-batches-bin");
    fs::create_dir(&folder).unwrap();
    small_cifar().iter().for_each(|(name, bytes)| fs::write(place.join(name), bytes).unwrap());
    fs::write(
        folder.join("batches.meta.txt"),
        "plane\ncar\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n",
    )
    .unwrap();
}

fn lay_archives(_: &Path, place: &Path) {
    let archive = packed(&small_cifar());
    let mut plain = vec![];
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&archive[..]), &mut plain).unwrap();
    fs::write(place.join("a.tar.gz"), archive).unwrap();
    fs::write(place.join("b.tar"), plain).unwrap();
}

/// Opens the data set that the file is, or is of, and reads all of it.
fn read_set(place: &Path, file: &str) -> anyhow::Result<()> {
    let path = place.join(file);
    if file.ends_with(".tar") {
        fs::write(&path, with_sums_of_tar(fs::read(&path)?))?;
    }
    let folder = if file.contains('/') { path.parent().context("a folder")?.into() } else { path };
    for split in [None, Some(Split::Train), Some(Split::All)] {
        let set = match dataset::open(&*folder, split) {
            // Some of these sets have one split only.
            Err(error) if split.is_some() && format!("{error:#}").contains("has no") => continue,
            other => other?,
        };
        set.fingerprint()?;
        for index in 0..set.len().min(40) {
            ensure!(
                set.label(index).is_none_or(|label| (label as usize) < set.classes().len()),
                "a label beyond"
            );
            set.image(index)?;
            set.image_name(index);
        }
    }
    Ok(())
}

/// With the sums of its headers made right again, so that what they say is believed.
fn with_sums_of_tar(mut bytes: Vec<u8>) -> Vec<u8> {
    for block in bytes.chunks_exact_mut(512).filter(|block| &block[257..262] == b"ustar") {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    bytes
}

fn lay_sidecars(world: &Path, place: &Path) {
    for name in ["map.svg.json", "near.svg.json", "curve.svg.json"] {
        fs::copy(world.join(name), place.join(name)).unwrap();
    }
}

fn read_sidecar(place: &Path, file: &str) -> anyhow::Result<()> {
    let path = place.join(file);
    let figure = Sidecar::load(&path)?.figure;
    figure.caption();
    figure.svg().with_context(|| path.display().to_string())?;
    Ok(())
}

fn lay_configs(world: &Path, place: &Path) {
    fs::copy(world.join("config.toml"), place.join("config.toml")).unwrap();
    for recipe in recipes::all() {
        fs::write(place.join(format!("{}.toml", recipe.name)), recipe.config.to_toml().unwrap()).unwrap();
    }
}

fn read_config(place: &Path, file: &str) -> anyhow::Result<()> {
    let path = place.join(file);
    let text = bagssl::files::read_to_string(&path, bagssl::files::MOST_WORDS)
        .with_context(|| path.display().to_string())?;
    let config = TrainConfig::from_toml(&text).with_context(|| path.display().to_string())?;
    config.validate().with_context(|| path.display().to_string())?;
    let again = TrainConfig::from_toml(&config.to_toml()?)?;
    ensure!(again == config, "{}: it is another once it is written and read", path.display());
    Ok(())
}

fn lay_settings(_: &Path, place: &Path) {
    let lines = settings::settings().iter().map(|setting| format!("{}=1\n", setting.path.replace('N', "0")));
    fs::write(place.join("lines"), lines.collect::<String>()).unwrap();
}

fn read_settings(place: &Path, file: &str) -> anyhow::Result<()> {
    let text = fs::read(place.join(file))?;
    let mut config = recipes::all()[0].config.clone();
    for line in String::from_utf8_lossy(&text).lines() {
        // Each is taken or refused by itself.
        match config.set(&[line]) {
            Ok(()) => config.validate()?,
            Err(error) => ensure!(!error.to_string().is_empty(), "without a word"),
        }
    }
    Ok(())
}

fn lay_links(_: &Path, place: &Path) {
    let links = [
        "bagssl:1?model=demo&data=demo&split=test&image=3&query=3:8:12&patch=16&stride=2&spaces=z,h&mode=cosine",
        "bagssl:1?data=x&split=test&exif=ignore&value-window=0,4095&neighbours=24&range=-1,1&opacity=60&contour=0.5",
        "bagssl:1?model=/a%20b&mean=0.485,0.456,0.406&std=0.2,0.2,0.2&input=32&resize=bicubic&leave-out=nothing",
    ];
    links
        .iter()
        .enumerate()
        .for_each(|(index, link)| fs::write(place.join(index.to_string()), link).unwrap());
}

fn read_links(place: &Path, file: &str) -> anyhow::Result<()> {
    let bytes = fs::read(place.join(file))?;
    let text = String::from_utf8_lossy(&bytes);
    // What a path is: any words.
    bagssl::paths::to_words(&bagssl::paths::from_words(&*text));
    bagssl::paths::typed(&text);
    DataSpec::from(&*text).words();
    let link: Link = text.parse()?;
    let again: Link = link.to_string().parse().context("a link that was written is not read")?;
    ensure!(again == link, "a link is another once it is written and read");
    Ok(())
}

fn lay_models(world: &Path, place: &Path) {
    fs::copy(world.join("model.safetensors"), place.join("model.safetensors")).unwrap();
}

fn read_model(place: &Path, file: &str) -> anyhow::Result<()> {
    let model = store::open(&ModelSpec::from(place.join(file)), &Device::flex())?;
    ensure!(!model.info.spaces().is_empty(), "{file}: no space");
    Ok(())
}

fn lay_bank(world: &Path, place: &Path) {
    copy(&world.join("bank"), place);
}

fn read_bank(place: &Path, file: &str) -> anyhow::Result<()> {
    let manifest = place.join("bank.json");
    let kept = fs::read(&manifest)?;
    if file == "images.bin" {
        // Signed again, so that what it says is believed.
        let mut signed: serde_json::Value = serde_json::from_slice(&kept)?;
        signed["images_sha256"] = bagssl::files::hex(&Sha256::digest(fs::read(place.join(file))?)).into();
        fs::write(&manifest, signed.to_string())?;
    }
    let read = read_bank_at(place);
    fs::write(manifest, kept)?;
    read
}

fn read_bank_at(place: &Path) -> anyhow::Result<()> {
    let bank = Bank::open(place)?;
    bank_info(place)?;
    let Some(first) = (bank.patches() > 0).then(|| bank.patch_ref(0)) else { return Ok(()) };
    let query = (first.image as usize, first.y, first.x);
    let request = SearchRequest { bank: place.into(), query, k: 5, filter: NamedFilter::default() };
    for space in bank.spaces() {
        let found = knn(&request, space)?;
        ensure!(
            (found.neighbours.len() as u64) < found.searched,
            "{}: more neighbours than rows",
            place.display()
        );
    }
    data_of_bank(place, &bank, None)?;
    Ok(())
}

fn is_of_run(file: &str) -> bool {
    !file.contains("events.out") && file != "environment.json"
}

fn lay_run(world: &Path, place: &Path) {
    copy(&world.join("run"), &place.join("run"));
}

fn read_run(place: &Path, _: &str) -> anyhow::Result<()> {
    let (run, _) = RunFolder::open(&place.join("run"))?;
    run.metrics()?;
    run.probes()?;
    run.notices()?;
    run.probe_patches()?;
    for step in run.probe_steps()? {
        run.probe_vectors(step)?;
    }
    loss_curve(&place.join("run"), &place.join("curve.svg"), &FileLook::default(), None)?;
    run.load()?;
    store::open(&ModelSpec::from(place.join("run")), &Device::flex())?;
    Ok(())
}

/// A run of which the second half is to come.
fn lay_half_run(world: &Path, place: &Path) {
    lay_run(world, place);
    fs::write(place.join("run/latest"), "step-000002").unwrap();
    fs::remove_dir_all(place.join("run/step-000004")).unwrap();
    fs::write(place.join("data"), world.join("parts").display().to_string()).unwrap();
}

fn resume(place: &Path, _: &str) -> anyhow::Result<()> {
    let data = fs::read_to_string(place.join("data"))?;
    let request = TrainRequest {
        data: DataSpec::from(&*data),
        split: Some(Split::Train),
        out: place.join("run"),
        start: Start::Resume,
        log_every: 1,
    };
    let (cancel, mut progress) = (CancelToken::default(), |_| ());
    let job = Job { device: DeviceChoice::Cpu, seed: 0, cancel: &cancel, progress: &mut progress };
    train(&request, job, &mut |_| ()).map(drop)
}

fn evaluation(place: &Path) -> anyhow::Result<String> {
    let data = fs::read_to_string(place.join("data"))?;
    let config = EvalConfig {
        crop: None,
        fit: None,
        patches: vec![Aggregate::Central],
        classifiers: vec![Classifier::Knn],
        knn: bagssl::eval::knn::KnnConfig { k: 3, ..Default::default() },
        linear: Default::default(),
        limit_train: None,
        limit_test: None,
        seed: 0,
        cache: Some(place.join("cache")),
    };
    let model = ModelSpec::from(place.join("model.safetensors"));
    let request = EvalRequest { model, data: DataSpec::from(&*data), holdout: None, config };
    let (cancel, mut progress) = (CancelToken::default(), |_| ());
    let job = Job { device: DeviceChoice::Cpu, seed: 0, cancel: &cancel, progress: &mut progress };
    let report = evaluate(&request, job)?;
    Ok(format!("{:?}", report.found.rows.iter().map(|row| (row.accuracy, row.images)).collect::<Vec<_>>()))
}

fn lay_cache(world: &Path, place: &Path) {
    fs::copy(world.join("model.safetensors"), place.join("model.safetensors")).unwrap();
    fs::write(place.join("data"), world.join("parts").display().to_string()).unwrap();
    fs::write(place.join("expected"), evaluation(place).unwrap()).unwrap();
}

/// What is damaged is computed again: the result is the same.
fn read_cache(place: &Path, _: &str) -> anyhow::Result<()> {
    let (found, expected) = (evaluation(place)?, fs::read_to_string(place.join("expected"))?);
    assert_eq!(found, expected, "damage changed the result");
    Ok(())
}

fn lay_download(_: &Path, place: &Path) {
    fs::write(place.join("archive.tar.gz"), packed(&small_cifar())).unwrap();
    let mut plain = vec![];
    let archive = packed(&small_cifar());
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&archive[..]), &mut plain).unwrap();
    fs::write(place.join("plain.tar"), plain).unwrap();
}

/// What the server of this process sends.
static SERVED: Mutex<Vec<u8>> = Mutex::new(vec![]);
static URL: LazyLock<String> = LazyLock::new(|| {
    let server = tiny_http::Server::http("127.0.0.1:0").unwrap();
    let url = format!("http://{}/cifar.tar.gz", server.server_addr().to_ip().unwrap());
    std::thread::spawn(move || {
        for call in server.incoming_requests() {
            let bytes = SERVED.lock().unwrap_or_else(PoisonError::into_inner).clone();
            // A client that has seen enough is no fault of the server.
            let _ = call.respond(tiny_http::Response::from_data(bytes));
        }
    });
    url
});

fn read_download(place: &Path, file: &str) -> anyhow::Result<()> {
    let mut bytes = fs::read(place.join(file))?;
    if file.ends_with(".tar") {
        let mut packed = GzEncoder::new(vec![], Compression::fast());
        std::io::Write::write_all(&mut packed, &with_sums_of_tar(bytes))?;
        bytes = packed.finish()?;
    }
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("out");
    let md5 = bagssl::files::hex(&Md5::digest(&bytes));
    *SERVED.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
    let mut request = Request::new(Variant::Cifar10, out.clone());
    (request.url, request.md5) = (Some(URL.clone()), Some(md5));
    let got = download::get(&request, &CancelToken::default(), &mut |_| ());
    let left: Vec<_> =
        fs::read_dir(&out).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
    // Nothing half: the set, or at most what goes on from where it is.
    let is_known = |name: &std::ffi::OsString| {
        ["cifar-10-batches-bin", "cifar-10-batches-bin.tar.gz.part"].contains(&&*name.to_string_lossy())
    };
    assert!(left.iter().all(is_known), "{left:?} is left over");
    got.map(drop)
}

#[test]
fn hostile_bytes_do_not_hide_behind_sums() {
    let mut plain = vec![];
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed(&small_cifar())[..]), &mut plain)
        .unwrap();
    plain[0] = b'x';
    assert!(tar::Archive::new(&plain[..]).entries().unwrap().next().unwrap().is_err());
    let mended = with_sums_of_tar(plain);
    let mut archive = tar::Archive::new(&mended[..]);
    let entry = archive.entries().unwrap().next().unwrap().unwrap();
    assert!(entry.path().unwrap().starts_with("xifar-10-batches-bin"));
}

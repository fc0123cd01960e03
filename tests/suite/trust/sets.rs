//! Readers of pictures and data sets, and of what a server sends.

use std::fs;
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};

use anyhow::Context;
use bagssl::dataset::cifar::Variant;
use bagssl::dataset::decode::{decode, looks_like_image, probe};
use bagssl::dataset::download::{self, Request};
use bagssl::dataset::{self, Decoding, Split};
use bagssl::progress::CancelToken;
use flate2::{Compression, write::GzEncoder};
use md5::{Digest, Md5};

use super::world::{copy, packed, small_cifar};
use crate::support::fixture;

pub fn lay_pictures(_: &Path, place: &Path) {
    copy(&fixture("images"), place);
    for name in ["index.json", "expected.rgb"] {
        fs::remove_file(place.join(name)).unwrap();
    }
    // Few bytes that are many pixels.
    let bomb = image::GrayImage::new(2048, 2048);
    bomb.save(place.join("bad/bomb.png")).unwrap();
}

pub fn read_picture(place: &Path, file: &str) -> anyhow::Result<()> {
    let path = place.join(file);
    looks_like_image(&path);
    let facts = probe(&path)?;
    let decoded = decode(&path, Decoding::default())?;
    let size = (decoded.image.height(), decoded.image.width());
    assert_eq!(size, facts.size(Decoding::default().exif), "as foretold");
    Ok(())
}

pub fn lay_cifar(_: &Path, place: &Path) {
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

pub fn lay_archives(_: &Path, place: &Path) {
    let archive = packed(&small_cifar());
    let mut plain = vec![];
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&archive[..]), &mut plain).unwrap();
    fs::write(place.join("a.tar.gz"), archive).unwrap();
    fs::write(place.join("b.tar"), plain).unwrap();
}

/// Opens the data set that the file is, or is of, and reads all of it.
pub fn read_set(place: &Path, file: &str) -> anyhow::Result<()> {
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
            assert!(set.label(index).is_none_or(|label| (label as usize) < set.classes().len()));
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

pub fn lay_download(_: &Path, place: &Path) {
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

pub fn read_download(place: &Path, file: &str) -> anyhow::Result<()> {
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

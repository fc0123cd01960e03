//! What the program fills of main memory, against --memory: measured by the system, on the program itself.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::support::{bagssl, failure, json, program, text};

/// What the program takes beside what it counts: its code and libraries, threads with their blocks of work, and what
/// the allocator keeps. A command on one small image takes about 60 MiB of it.
const BESIDE: u64 = 160 << 20;
const MIB: u64 = 1 << 20;

/// What one run of the program came to.
struct Measured {
    is_done: bool,
    said: String,
    /// The most main memory that it filled at once, bytes.
    peak: u64,
}

/// Runs the program and looks at what the system has counted of it, until it ends. (What `wait4` tells counts from
/// before the program was loaded, when the memory was that of the tests.)
fn measured(args: &[&str]) -> Measured {
    let mut command = program();
    let command = command.args(args).args(["--device", "cpu", "--threads", "2", "--json"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut stderr = child.stderr.take().unwrap();
    let hearing = std::thread::spawn(move || {
        let mut said = String::new();
        stderr.read_to_string(&mut said).unwrap();
        said
    });
    let mut peak = 0;
    let status = loop {
        peak = high_water(child.id()).map_or(peak, |bytes| bytes.max(peak));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    assert!(peak > 0, "the system tells nothing of a process");
    Measured { is_done: status.success(), said: hearing.join().unwrap(), peak }
}

/// The most main memory that a process has filled so far, bytes; none where it has ended.
fn high_water(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let kibibytes =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"))?;
    Some(1024 * kibibytes.trim().parse::<u64>().ok()?)
}

/// Runs the program within `mib` MiB; it must succeed and stay there.
fn stays_within(mib: u64, args: &[&str]) {
    let memory = format!("{}", mib as f64 / 1024.0);
    let Measured { is_done, said, peak } = measured(&[args, &["--memory", &memory]].concat());
    assert!(is_done, "{args:?}: {said}");
    println!("{:>5} MiB of {mib}: {args:?}", peak / MIB);
    assert!(peak <= mib * MIB + BESIDE, "{} MiB of {mib} for {args:?}", peak / MIB);
}

/// A folder of `count` pictures of a side.
fn pictures(folder: &Path, count: u32, side: u32) -> PathBuf {
    let out = folder.join(format!("{count} of {side}"));
    fs::create_dir(&out).unwrap();
    for index in 0..count {
        let at = |x: u32, y: u32| image::Rgb([(x / 9 + index) as u8, (y / 7) as u8, ((x ^ y) / 50) as u8]);
        image::RgbImage::from_fn(side, side, at).save(out.join(format!("{index}.png"))).unwrap();
    }
    out
}

fn embed<'a>(data: &'a str, out: &'a str, patch: &'a str) -> Vec<&'a str> {
    vec!["embed", "--data", data, "--patch", patch, "--stride", patch, "--out", out]
}

/// Six pictures took 4.8 GiB of a budget of 64 MiB.
#[test]
#[cfg(target_os = "linux")]
fn large_pictures_come_one_after_the_other_where_all_do_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 6, 3000);
    let banks = ["narrow", "wide"].map(|name| folder.path().join(name));
    // 27 MB each once decoded, and 54 MB while they are.
    stays_within(192, &embed(text(&data), text(&banks[0]), "1000"));
    stays_within(4096, &embed(text(&data), text(&banks[1]), "1000"));
    let rows = banks.each_ref().map(|bank| fs::read(bank.join("h.f16")).unwrap());
    assert!(rows[0] == rows[1] && !rows[0].is_empty(), "the budget changes what is computed");

    let out = folder.path().join("none");
    let said = failure(&[&embed(text(&data), text(&out), "1000")[..], &["--memory", "0.0625"]].concat());
    assert!(said.contains(".png could not be read: decoding its 3000 x 3000 pixels"), "{said}");
    assert!(
        said.contains("needs about 0.05 GiB; the budget of 0.06 GiB has 0.02 GiB for it: give --memory 0.1"),
        "{said}"
    );
}

/// 32 kB or so that are 16,384 x 16,384 pixels.
#[test]
#[cfg(target_os = "linux")]
fn a_small_file_counts_as_what_it_decodes_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.png");
    bomb(&path, 16_384);
    let out = folder.path().join("bank");
    let args = embed(text(&path), text(&out), "16384");
    let Measured { is_done, said, peak } = measured(&[&args[..], &["--memory", "1"]].concat());
    assert!(
        !is_done && said.contains("needs about 1.00 GiB; the budget of 1.00 GiB has 0.31 GiB for it"),
        "{said}"
    );
    assert!(peak <= BESIDE, "{} MiB", peak / MIB);
}

/// A black grey picture of a side as PNG, made without its pixels.
fn bomb(path: &Path, side: u32) {
    let chunk = |kind: &[u8], data: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(kind);
        crc.update(data);
        [&(data.len() as u32).to_be_bytes(), kind, data, &crc.sum().to_be_bytes()].concat()
    };
    let header = [&side.to_be_bytes()[..], &side.to_be_bytes(), &[8, 0, 0, 0, 0]].concat();
    let mut packed = flate2::write::ZlibEncoder::new(vec![], flate2::Compression::best());
    let row = vec![0; side as usize + 1];
    (0..side).for_each(|_| std::io::Write::write_all(&mut packed, &row).unwrap());
    let data = packed.finish().unwrap();
    let parts =
        [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &header), chunk(b"IDAT", &data), chunk(b"IEND", &[])];
    fs::write(path, parts.concat()).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn batches_are_as_large_as_the_budget_allows_and_an_input_that_never_fits_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 1, 1200);
    for (index, (input, mib)) in [("32", 64), ("256", 96), ("256", 320)].into_iter().enumerate() {
        let out = folder.path().join(format!("bank {index}"));
        stays_within(mib, &[&embed(text(&data), text(&out), "300")[..], &["--input", input]].concat());
    }
    let out = folder.path().join("none");
    let args =
        [&embed(text(&data), text(&out), "300")[..], &["--input", "1024", "--memory", "0.0625"]].concat();
    let said = failure(&args);
    assert!(said.contains("embedding one 1024 x 1024 patch with demo needs about"), "{said}");
    assert!(said.contains("the budget of 0.06 GiB has 0.02 GiB for it: give --memory"), "{said}");
    assert!(said.contains("or a smaller --input"), "{said}");
}

fn places<'a>(data: &'a str, out: &'a str) -> Vec<&'a str> {
    [&embed(data, out, "100")[..], &["--space", "token-last", "--resolution", "512", "--dtype", "f32"]]
        .concat()
}

/// A quarter of a mebipixel through the demo network takes a few times the budget at once.
#[test]
#[cfg(target_os = "linux")]
fn a_whole_image_without_room_for_one_pass_goes_through_in_tiles() {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 1, 600);
    let banks = ["narrow", "wide", "told"].map(|name| folder.path().join(name));
    let with = |bank: &Path, more: &[&str]| json(&[&places(text(&data), text(bank))[..], more].concat());
    let narrow = with(&banks[0], &["--memory", "0.0625"])["tiles"].clone();
    assert!(narrow["is_told"] == false && narrow["side"].as_u64().unwrap() < 512, "{narrow}");
    assert!(with(&banks[1], &["--memory", "2"]).get("tiles").is_none(), "there is room for one pass");
    // Whoever has room for more says the same tiles to have the same vectors.
    let said = format!("{}:{}", narrow["side"], narrow["overlap"]);
    with(&banks[2], &["--memory", "2", "--tiles", &said]);
    let rows = banks.each_ref().map(|bank| fs::read(bank.join("token-last.f32")).unwrap());
    assert!(rows[0] == rows[2] && rows[0] != rows[1]);
    let again = folder.path().join("again");
    stays_within(64, &places(text(&data), text(&again)));
}

/// A folder of 64 images, opened in no time.
fn few(folder: &Path) -> String {
    let out = text(&folder.join("few")).to_owned();
    assert!(bagssl(&["data", "synth", "--out", &out, "--images", "64"]).status.success());
    out
}

/// A projector of 65,536 squared, and others that were an abort.
#[test]
fn a_run_that_does_not_fit_is_refused_with_what_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let data = few(folder.path());
    for (index, settings) in [
        "model.projector=[65536, 65536]",
        "model.projector=[65536]",
        "batch=2048",
        "model.input=1024",
        "model.backbone.width=1024",
    ]
    .into_iter()
    .enumerate()
    {
        let out = folder.path().join(format!("{index}"));
        // So large a batch needs as many images.
        let data = if settings.starts_with("batch") { "demo" } else { &data };
        let base = ["train", "--data", data, "--recipe", "quick-parts", "--out", text(&out)];
        let said = failure(&[&base[..], &["--set", settings, "--memory", "1"]].concat());
        assert!(said.contains("training ResNet-18") && said.contains("GiB for it: give --memory"), "{said}");
        assert!(!out.exists(), "{settings} left a folder behind");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn runs_stay_within_what_they_are_given() {
    let folder = tempfile::tempdir().unwrap();
    let data = few(folder.path());
    for (index, (settings, mib)) in [
        (&["batch=32", "model.projector=[64]"][..], 384),
        (&["batch=64", "accumulate=4", "model.projector=[64]"], 384),
        (&["batch=8", "model.projector=[2048, 2048]", "optimizer.rule=adamw"], 2048),
    ]
    .into_iter()
    .enumerate()
    {
        let out = folder.path().join(format!("{index}"));
        let base = ["train", "--data", &data, "--recipe", "quick-parts", "--out", text(&out)];
        let small = ["epochs=1", "images=64", "probe.every=0", "warmup_epochs=0"];
        let settings = small.iter().chain(settings).flat_map(|set| ["--set", set]);
        stays_within(mib, &base.into_iter().chain(settings).collect::<Vec<_>>());
    }
}

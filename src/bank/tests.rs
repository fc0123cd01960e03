//! What a bank promises over several files: kill and resume, refusal with reasons, damage, growth, export.

use super::*;
use crate::patch::{PatchGrid, PatchRef};
use crate::progress::CancelToken;
use half::f16;
use rand::{Rng, SeedableRng};
use std::fs::{self, OpenOptions};
use std::path::Path;

mod copies;

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
        },
        grid: PatchGrid::new(4, 2).unwrap(),
        input: 32,
        resize: "bilinear".into(),
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

#[test]
fn a_finished_bank_gives_back_what_was_pushed() {
    let temp = tempfile::tempdir().unwrap();
    for (name, dtype) in [("half", Dtype::F16), ("single", Dtype::F32)] {
        let folder = temp.path().join(name);
        let (mut writer, resumed) = writer_in(&folder, &spec(dtype), &images()).unwrap();
        assert_eq!((resumed, writer.total_images()), (0, 5));
        fill(&mut writer, 5);
        let bank = writer.finish().unwrap();
        assert_eq!((bank.patches(), bank.total_patches(), bank.is_complete()), (27, 27, true));
        assert_eq!(bank.spaces().collect::<Vec<_>>(), ["h", "z"]);
        assert_eq!((bank.width("z").unwrap(), bank.space("h").unwrap().searchable()), (3, 19));
        assert_eq!(bank.skipped(), [SkippedImage { image: 2, reason: "cut off JPEG".into() }]);
        assert_eq!(bank.patch_ref(26), PatchRef { image: 4, y: 0, x: 0, size: 4 });
        assert_eq!(
            (bank.label_of_row(0), bank.label_of_row(17), bank.label_of_row(26)),
            (Some(0), Some(1), None)
        );
        assert_eq!(bank.image_entry(3).unwrap(), &images()[3]);
        check_rows(&bank);
        let on_disk: u64 =
            ["h", "z"].iter().map(|s| fs::metadata(folder.join(format!("{s}.inv"))).unwrap().len()).sum();
        let rows: u64 = ["h", "z"]
            .iter()
            .map(|s| fs::metadata(folder.join(format!("{s}.{}", dtype.as_str()))).unwrap().len())
            .sum();
        assert_eq!(spec(dtype).bytes(&images()).unwrap(), on_disk + rows);
        assert_eq!(bank.bytes(), on_disk + rows);
    }
}

#[test]
fn a_killed_writer_resumes_at_its_last_commit_to_the_same_bytes() {
    let temp = tempfile::tempdir().unwrap();
    let expected = temp.path().join("expected");
    whole(&expected);
    for committed in 0..=5 {
        for lost in 0..=5 - committed {
            let folder = temp.path().join(format!("{committed} and {lost}"));
            let (mut writer, _) = writer_in(&folder, &spec(Dtype::F16), &images()).unwrap();
            fill(&mut writer, committed);
            writer.commit().unwrap();
            fill(&mut writer, committed + lost);
            drop(writer); // as a kill does: nothing is committed
            fs::write(folder.join(".bagssl-Ab12.part"), "{").unwrap();
            // What was being written may be torn.
            let from = Bank::open(&folder).unwrap().patches() * 5 * 2;
            let mut bytes = fs::read(folder.join("h.f16")).unwrap();
            bytes[from..].fill(0xab);
            fs::write(folder.join("h.f16"), bytes).unwrap();

            let seen = Bank::open(&folder).unwrap();
            assert_eq!(seen.complete_images(), committed);
            check_rows(&seen);
            let (mut writer, resumed) = writer_in(&folder, &spec(Dtype::F16), &images()).unwrap();
            assert_eq!((resumed, writer.next_image()), (committed, committed));
            fill(&mut writer, 5);
            check_rows(&writer.finish().unwrap());
            assert_eq!(content(&folder), content(&expected));
        }
    }
}

#[test]
fn a_start_that_was_killed_before_the_manifest_resumes() {
    let temp = tempfile::tempdir().unwrap();
    let (folder, expected) = (temp.path().join("bank"), temp.path().join("expected"));
    whole(&expected);
    let orders = ["writer.lock", ".bagssl-images.part", "images.bin", "h.f16", ".bagssl-manifest.part"];
    for count in 0..=orders.len() {
        fs::create_dir_all(&folder).unwrap();
        orders[..count].iter().for_each(|name| fs::write(folder.join(name), "part").unwrap());
        whole(&folder);
        assert_eq!(content(&folder), content(&expected));
        fs::remove_dir_all(&folder).unwrap();
    }
}

#[test]
fn an_incomplete_bank_shows_what_is_committed_and_says_so() {
    let temp = tempfile::tempdir().unwrap();
    let (mut writer, _) = writer_in(temp.path(), &spec(Dtype::F16), &images()).unwrap();
    fill(&mut writer, 3);
    writer.commit().unwrap();
    fill(&mut writer, 4);
    let bank = Bank::open(temp.path()).unwrap(); // while it is written
    assert_eq!((bank.complete_images(), bank.total_images(), bank.is_complete()), (3, 5, false));
    assert_eq!((bank.patches(), bank.total_patches()), (17, 27));
    assert!(error_of(bank.row_of(3, 0, 0)).contains("3 of 5 images are"));
    assert!(error_of(bank.row_of(2, 0, 0)).contains("skipped: cut off JPEG"));
    assert!(error_of(bank.row_of(5, 0, 0)).contains("the bank has 5 (0 to 4)"));
    assert!(error_of(bank.row_of(0, 1, 0)).contains("nearest is at 0:0"));
    assert!(error_of(bank.row_f32("h", 17, &mut [0.0; 5])).contains("17 patches"));
    assert!(error_of(bank.row_f32("y", 0, &mut [0.0; 5])).contains("it has h, z"));
    assert!(error_of(writer.finish()).contains("4 of 5 images"));
}

#[test]
fn another_model_data_or_grid_is_refused_with_every_reason() {
    let temp = tempfile::tempdir().unwrap();
    whole(temp.path());
    let before = content(temp.path());
    let mut asked = spec(Dtype::F32);
    asked.model = ModelFacts { name: "mine".into(), hash: "bbbb".into(), arch: "resnet50".into() };
    asked.data.fingerprint = "eeee".into();
    asked.grid.stride = 3;
    asked.spaces.pop();
    asked.program = "bagssl 0.2.0".into();
    let error = error_of(writer_in(temp.path(), &asked, &images()));
    for reason in [
        "model: the bank has demo (resnet18, hash aaaa), asked for is mine (resnet50, hash bbbb)",
        "fingerprint ffff",
        "patch 4 stride 2, asked for is patch 4 stride 3",
        "f16, asked for is f32",
        "h (5), z (3), asked for is h (5)",
        "bagssl 0.1.0",
    ] {
        assert!(error.contains(reason), "{reason:?} is not in: {error}");
    }
    let mut others = images();
    others[3].label = None;
    let error = error_of(writer_in(temp.path(), &spec(Dtype::F16), &others));
    assert!(error.contains("image 3: the bank has cat 3"), "{error}");
    let error = error_of(writer_in(temp.path(), &spec(Dtype::F16), &others[..2]));
    assert!(error.contains("images: the bank has 5, asked for are 2"), "{error}");
    assert_eq!(content(temp.path()), before);

    let mut renamed = spec(Dtype::F16);
    renamed.model.name = "demo, moved".into();
    assert_eq!(writer_in(temp.path(), &renamed, &images()).unwrap().1, 5);
}

#[test]
fn every_field_of_the_spec_counts() {
    let base = spec(Dtype::F16);
    let changes: [fn(&mut BankSpec); 14] = [
        |s| s.program.push('1'),
        |s| s.model.hash.push('1'),
        |s| s.data.fingerprint.push('1'),
        |s| s.data.split = Some(crate::dataset::Split::Test),
        |s| s.data.limit = Some(3),
        |s| s.data.order = Some(crate::dataset::ImageOrder::Spread { seed: 0, of: 9 }),
        |s| s.grid.patch = 5,
        |s| s.input = 33,
        |s| s.resize.push('1'),
        |s| s.mean[1] = 0.1,
        |s| s.std[2] = 0.1,
        |s| s.dtype = Dtype::F32,
        |s| s.spaces[0].width = 6,
        |s| s.classes[0].push('1'),
    ];
    for (i, change) in changes.iter().enumerate() {
        let mut asked = base.clone();
        change(&mut asked);
        assert_eq!(base.differences(&asked).len(), 1, "change {i}");
    }
    assert!(base.differences(&base).is_empty());
}

#[test]
fn folders_of_others_and_second_writers_are_refused() {
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join("thesis.tex"), "years").unwrap();
    let error = error_of(writer_in(temp.path(), &spec(Dtype::F16), &images()));
    assert!(error.contains("thesis.tex, but no bank"), "{error}");
    assert!(error_of(Bank::open(temp.path())).contains("no bank.json"));
    let folder = temp.path().join("bank");
    let first = writer_in(&folder, &spec(Dtype::F16), &images()).unwrap();
    let error = error_of(writer_in(&folder, &spec(Dtype::F16), &images()));
    let who = format!("is being written by process {}", std::process::id());
    assert!(error.contains(&who), "{error}");
    drop(first);
    assert!(writer_in(&folder, &spec(Dtype::F16), &images()).is_ok());
}

#[test]
fn wrong_pushes_are_refused_and_change_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let (mut writer, _) = writer_in(temp.path(), &spec(Dtype::F16), &images()).unwrap();
    let mut memory = MemoryBank::new(spec(Dtype::F16), images()).unwrap();
    let (h, z) = (values(0, 5), values(0, 3));
    let mut large = h.clone();
    large[6] = 1e6;
    for sink in [&mut writer as &mut dyn BankSink, &mut memory] {
        let mut refused = |index, rows: &[(&str, &[f32])], reason: &str| {
            let error = error_of(sink.push_image(index, rows));
            assert!(error.contains(reason), "{error}");
        };
        refused(1, &[("h", &h), ("z", &z)], "image 0 of 5 comes next");
        refused(0, &[("h", &h)], "\"z\" must be given once");
        refused(0, &[("h", &h), ("h", &h), ("z", &z)], "\"h\" must be given once");
        refused(0, &[("h", &h), ("z", &z), ("y", &z)], "\"y\" is not one");
        refused(0, &[("h", &h), ("z", &z[1..])], "26 values; expected 9 patches x 3");
        refused(0, &[("h", &large), ("z", &z)], "1000000 in row 1, column 1 is too large for float16");
        fill(sink, 5);
        assert!(error_of(sink.push_image(5, &[])).contains("image 5 of 5"));
    }
    check_rows(&writer.finish().unwrap());
    check_rows(&memory.snapshot());
}

#[test]
fn damage_is_named_with_file_expected_and_found() {
    let temp = tempfile::tempdir().unwrap();
    whole(temp.path());
    let cut = |name: &str, length: u64| {
        let path = temp.path().join(name);
        let before = fs::read(&path).unwrap();
        OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap();
        let errors = [
            error_of(Bank::open(temp.path())),
            error_of(writer_in(temp.path(), &spec(Dtype::F16), &images())),
        ];
        fs::write(&path, before).unwrap();
        errors.into_iter().inspect(|e| assert!(e.contains(name), "{name} is not in: {e}")).next().unwrap()
    };
    assert!(cut("h.f16", 269).contains("269 bytes; expected 270"));
    assert!(cut("h.f16", 300).contains("300 bytes; expected 270"));
    assert!(cut("z.inv", 0).contains("0 bytes; expected 108"));
    assert!(cut("images.bin", 50).contains("cut off"));
    cut("bank.json", 100);
    let replaced = |name: &str, from: &str, to: &str| {
        let path = temp.path().join(name);
        let before = fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&before).replacen(from, to, 1);
        fs::write(&path, text.as_bytes()).unwrap();
        let error = error_of(Bank::open(temp.path()));
        fs::write(&path, before).unwrap();
        error
    };
    assert!(replaced("bank.json", "\"version\": 1", "\"version\": 2").contains("reads version 1"));
    assert!(replaced("bank.json", "\"complete_images\": 5", "\"complete_images\": 6").contains("6 of 5"));
    assert!(replaced("bank.json", "\"stride\": 2", "\"stride\": 0").contains("stride is 0"));
    assert!(
        replaced("bank.json", "\"stride\": 2", "\"stride\": 1").contains("counts 27 patches, the grid gives")
    );
    assert!(replaced("bank.json", "\"h\": 19", "\"h\": 28").contains("28 of 27 rows of h"));
    assert!(replaced("bank.json", "\"image\": 2", "\"image\": 9").contains("skips image 9"));
    assert!(replaced("bank.json", "\"name\": \"h\"", "\"name\": \"../h\"").contains("cannot name a space"));
    assert!(replaced("bank.json", "\"width\": 5", "\"width\": 16777216").contains("h.f16"));
    let table = temp.path().join("images.bin");
    let before = fs::read(&table).unwrap();
    let mut changed = before.clone();
    *changed.last_mut().unwrap() ^= 1; // another name, of the same length
    fs::write(&table, changed).unwrap();
    assert!(error_of(Bank::open(temp.path())).contains("SHA-256"));
    fs::write(&table, before).unwrap();
    fs::remove_file(temp.path().join("z.f16")).unwrap();
    assert!(error_of(Bank::open(temp.path())).contains("z.f16"));
}

#[test]
fn a_bank_in_memory_grows_under_its_snapshots() {
    let mut grown = spec(Dtype::F16);
    grown.grid = PatchGrid::new(1, 1).unwrap();
    grown.spaces = vec![SpaceSpec { name: "h".into(), width: 2 }];
    let sides = [3, 70, 1, 50, 9]; // 9, 4900, 1, 2500, 81: chunks of 2048 end within images
    let entry = |(i, side): (usize, &u32)| ImageEntry {
        index: i as u32,
        height: *side,
        width: *side,
        label: None,
        name: String::new(),
    };
    let mut bank = MemoryBank::new(grown, sides.iter().enumerate().map(entry).collect()).unwrap();
    let mut snapshots = vec![bank.snapshot()];
    let mut next = 0;
    for (image, side) in sides.iter().enumerate() {
        let rows: Vec<f32> = (next..next + side * side).flat_map(|row| [(row % 1000) as f32, 1.0]).collect();
        bank.push_image(image, &[("h", &rows)]).unwrap();
        next += side * side;
        snapshots.push(bank.snapshot());
    }
    for (images, snapshot) in snapshots.iter().enumerate() {
        let rows: usize = sides[..images].iter().map(|side| (side * side) as usize).sum();
        assert_eq!(
            (snapshot.complete_images(), snapshot.patches(), snapshot.total_patches()),
            (images, rows, 7491)
        );
        let mut values = vec![0.0; rows * 2];
        snapshot.space("h").unwrap().read_rows(0..rows, &mut values).unwrap();
        assert!(values.chunks(2).enumerate().all(|(row, pair)| pair == [(row % 1000) as f32, 1.0]));
    }
}

#[test]
fn the_first_images_of_a_bank_are_a_bank_without_the_others() {
    let temp = tempfile::tempdir().unwrap();
    let bank = whole(temp.path());
    let first = bank.first_images(3);
    assert_eq!((first.complete_images(), first.patches(), first.total_patches()), (3, 17, 27));
    assert_eq!((first.space("h").unwrap().searchable(), first.skipped().len()), (9, 1));
    assert!(bank.row_of(3, 0, 0).is_ok() && error_of(first.row_of(3, 0, 0)).contains("not in the bank yet"));
    assert!(bank.first_images(2).skipped().is_empty());
    let all = bank.first_images(99);
    assert_eq!((all.patches(), all.space("z").unwrap().searchable()), (27, 19));
}

/// As [`whole`], with a row that holds a NaN in h, and what an export of h must hold of it: the rows of images 0, 3
/// and 4 but that one.
fn with_holes(folder: &Path) -> (Bank, Vec<usize>) {
    let mut spec = spec(Dtype::F16);
    spec.data.split = Some(crate::dataset::Split::Test);
    let mut images = images();
    images[3].name = "a \"b\", c.png".into();
    let (mut writer, _) = writer_in(folder, &spec, &images).unwrap();
    fill(&mut writer, 3);
    let mut h = values(3, 5);
    h[2 * 5] = f32::NAN;
    writer.push_image(3, &[("z", &values(3, 3)), ("h", &h)]).unwrap();
    fill(&mut writer, 5);
    let rows = (0..27).filter(|row| !(9..17).contains(row) && *row != 19).collect();
    (writer.finish().unwrap(), rows)
}

const WITH_HOLES: Exported =
    Exported { rows: 18, patches: 27, patches_of_skipped_images: 8, skipped_images: 1, not_finite: 1 };

fn bits(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()).to_bits()).collect()
}

/// The bits of the vectors of `rows` in h.
fn bits_of_rows(bank: &Bank, rows: &[usize]) -> Vec<u32> {
    let mut vector = [0.0; 5];
    let row = |row: &usize| {
        bank.row_f32("h", *row, &mut vector).unwrap();
        vector.map(f32::to_bits)
    };
    rows.iter().flat_map(row).collect()
}

#[test]
fn exports_are_float32_in_bank_order_without_rows_that_have_no_vector() {
    let temp = tempfile::tempdir().unwrap();
    let (bank, rows) = with_holes(&temp.path().join("bank"));
    let expected = bits_of_rows(&bank, &rows);
    assert!(expected.iter().all(|bits| f32::from_bits(*bits).is_finite()));
    let export =
        |path: &Path, format| export_vectors(&bank, "h", path, format, &CancelToken::default()).unwrap();

    let path = temp.path().join("h.npy");
    assert_eq!(export(&path, VectorFormat::Npy), WITH_HOLES);
    let bytes = fs::read(&path).unwrap();
    let start = 10 + u16::from_le_bytes([bytes[8], bytes[9]]) as usize;
    let header = std::str::from_utf8(&bytes[10..start]).unwrap();
    assert!(start.is_multiple_of(64) && header.ends_with('\n'));
    assert!(header.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (18, 5), }"), "{header}");
    assert_eq!(bits(&bytes[start..]), expected);

    let path = temp.path().join("h.safetensors");
    assert_eq!(export(&path, VectorFormat::Safetensors), WITH_HOLES);
    let bytes = fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensor = tensors.tensor("h").unwrap();
    assert_eq!((tensor.shape(), tensor.dtype()), (&[18, 5][..], safetensors::Dtype::F32));
    assert_eq!(bits(tensor.data()), expected);
    let facts = safetensors::SafeTensors::read_metadata(&bytes).unwrap().1.metadata().clone().unwrap();
    assert_eq!(&serde_json::from_str::<BankSpec>(&facts["bank"]).unwrap(), bank.spec());
}

#[test]
fn the_index_says_of_each_exported_row_what_it_is_of() {
    let temp = tempfile::tempdir().unwrap();
    let (bank, rows) = with_holes(&temp.path().join("bank"));
    let path = temp.path().join("index.csv");
    export_index(&bank, "h", &path, IndexFormat::Csv, &CancelToken::default()).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (1 + rows.len(), "image,path,y,x,size,label,class,split"));
    assert_eq!(lines[1], "0,cat 0,0,0,4,0,cat,test");
    assert_eq!(lines[10], "3,\"a \"\"b\"\", c.png\",0,0,4,1,dog,test");
    assert_eq!(lines[18], "4,cat 4,0,0,4,,,test");
    for (line, row) in lines[1..].iter().zip(&rows) {
        let PatchRef { image, y, x, size } = bank.patch_ref(*row);
        assert!(
            line.starts_with(&format!("{image},")) && line.contains(&format!(",{y},{x},{size},")),
            "{line}"
        );
    }
}

#[test]
fn parquet_holds_the_vectors_with_their_index() {
    let temp = tempfile::tempdir().unwrap();
    let (bank, rows) = with_holes(&temp.path().join("bank"));
    let path = temp.path().join("h.parquet");
    let none = CancelToken::default();
    assert_eq!(export_vectors(&bank, "h", &path, VectorFormat::Parquet, &none).unwrap(), WITH_HOLES);
    // To the byte the file that `tests/peer/export.py` has read with pyarrow and held against its description.
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/export");
    let written = fs::read(&path).unwrap();
    if std::env::var_os("UPDATE_EXPORT").is_some() {
        fs::create_dir_all(&fixture).unwrap();
        fs::write(fixture.join("h.parquet"), &written).unwrap();
        export_index(&bank, "h", &fixture.join("h.csv"), IndexFormat::Csv, &none).unwrap();
        export_vectors(&bank, "h", &fixture.join("h.npy"), VectorFormat::Npy, &none).unwrap();
    }
    assert!(
        fs::read(fixture.join("h.parquet")).unwrap() == written,
        "other bytes than those that were checked"
    );
    // And the values stand in it as they are.
    let vectors: Vec<u8> = bits_of_rows(&bank, &rows).into_iter().flat_map(u32::to_le_bytes).collect();
    assert!(written.windows(vectors.len()).any(|window| window == vectors));
}

#[test]
fn a_failed_export_leaves_the_old_file() {
    let temp = tempfile::tempdir().unwrap();
    let bank = whole(&temp.path().join("bank"));
    let path = temp.path().join("h.npy");
    fs::write(&path, "old").unwrap();
    let cancel = CancelToken::default();
    cancel.cancel();
    let error =
        |space, format, cancel: &CancelToken| error_of(export_vectors(&bank, space, &path, format, cancel));
    for format in [VectorFormat::Npy, VectorFormat::Safetensors, VectorFormat::Parquet] {
        assert!(error("h", format, &cancel).contains("cancelled"));
        let there_is_none = error("y", format, &CancelToken::default());
        assert!(there_is_none.contains("no space \"y\""), "{there_is_none}");
    }
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 2);
}

#[test]
fn a_bank_that_can_hold_nothing_is_refused_up_front() {
    let mut large = spec(Dtype::F16);
    large.grid.patch = 100;
    assert!(error_of(large.bytes(&images())).contains("no patch of 100 x 100 pixels fits on any of the 5"));
    let mut twice = spec(Dtype::F16);
    twice.spaces[1].name = "H".into();
    assert!(error_of(MemoryBank::new(twice, images())).contains("named twice"));
}

#[test]
fn a_flipped_bit_is_named_before_it_counts_and_pushed_again() {
    let temp = tempfile::tempdir().unwrap();
    whole(temp.path());
    let before = content(temp.path());
    // File, byte of image 3 or 2 (skipped) in it, and what holds the damage.
    for (file, byte, image, space) in [
        ("h.f16", 17 * 10 + 1, 3, "h"),
        ("z.f16", 17 * 6, 3, "z"),
        ("h.inv", 17 * 4, 3, "h"),
        ("h.f16", 12 * 10, 2, "h"),
        ("sums.crc32c", 2 * 8 + 4, 3, "z"),
    ] {
        let path = temp.path().join(file);
        let mut bytes = fs::read(&path).unwrap();
        bytes[byte] ^= 1;
        fs::write(&path, bytes).unwrap();
        let bank = Bank::open(temp.path()).unwrap();
        let rows = bank.rows_of_image(image).unwrap();
        let mut row = vec![0.0; bank.width(space).unwrap()];
        let error = error_of(bank.row_f32(space, rows.start, &mut row));
        let words =
            format!("{space}.f16 is damaged in rows {} to {} (image {image})", rows.start, rows.end - 1);
        assert!(error.contains(&words) && error.contains("bagssl embed"), "{file}: {error}");
        bank.row_f32(space, 0, &mut row).unwrap();
        let out = temp.path().join("out.npy");
        let export = export_vectors(&bank, space, &out, VectorFormat::Npy, &CancelToken::default());
        assert!(error_of(export).contains(&words));

        let (mut writer, resumed) = writer_in(temp.path(), &spec(Dtype::F16), &images()).unwrap();
        assert_eq!((resumed, writer.damaged().collect::<Vec<_>>()), (5, vec![image]));
        if image == 2 {
            writer.push_skipped(2, "cut off JPEG").unwrap();
        } else {
            assert!(error_of(writer.push_skipped(image, "gone")).contains("cannot be computed again: gone"));
            push(&mut writer, image);
        }
        check_rows(&writer.finish().unwrap());
        assert_eq!(content(temp.path()), before, "{file}");
    }
    // A picture that was left out stays out, also where it can be read by now.
    let path = temp.path().join("h.f16");
    let mut bytes = fs::read(&path).unwrap();
    bytes[12 * 10] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (mut writer, _) = writer_in(temp.path(), &spec(Dtype::F16), &images()).unwrap();
    push(&mut writer, 2);
    check_rows(&writer.finish().unwrap());
    assert_eq!(content(temp.path()), before);
}

#[test]
fn what_an_earlier_run_could_not_read_is_pushed_again() {
    let [bank, expected] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let gone = "cat.png: No such file or directory (os error 2)";
    let at_first = |folder: &Path, until: usize| {
        let (mut writer, _) = writer_in(folder, &spec(Dtype::F16), &images()).unwrap();
        push(&mut writer, 0);
        push(&mut writer, 1);
        writer.push_skipped(2, "cut off JPEG").unwrap();
        writer.push_skipped(3, gone).unwrap();
        if until == 5 {
            push(&mut writer, 4);
        }
        writer.commit().unwrap();
    };
    whole(expected.path());
    for until in [4, 5] {
        at_first(bank.path(), until);
        let (mut writer, resumed) = writer_in(bank.path(), &spec(Dtype::F16), &images()).unwrap();
        assert_eq!(
            (resumed, writer.unread().collect::<Vec<_>>(), writer.damaged().len()),
            (until, vec![3], 0)
        );
        assert!(error_of(writer.push_image(4, &[])).contains("image 3 of 5 comes next"));
        // By now it is seen to be broken: that is kept, and not asked again.
        writer.push_skipped(3, "not a picture").unwrap();
        writer.commit().unwrap();
        drop(writer);
        let (mut writer, _) = writer_in(bank.path(), &spec(Dtype::F16), &images()).unwrap();
        assert_eq!(writer.unread().len(), 0);
        fill(&mut writer, 5);
        let skipped = writer.finish().unwrap().skipped().to_vec();
        assert_eq!(skipped.iter().map(|s| s.image).collect::<Vec<_>>(), [2, 3]);
        fs::remove_dir_all(bank.path()).unwrap();

        at_first(bank.path(), until);
        let (mut writer, _) = writer_in(bank.path(), &spec(Dtype::F16), &images()).unwrap();
        push(&mut writer, 3);
        fill(&mut writer, 5);
        check_rows(&writer.finish().unwrap());
        assert_eq!(content(bank.path()), content(expected.path()));
        fs::remove_dir_all(bank.path()).unwrap();
    }
}

#[test]
fn looking_at_all_rows_of_a_bank_ends_when_it_is_told_to() {
    let temp = tempfile::tempdir().unwrap();
    whole(temp.path());
    let cancel = CancelToken::default();
    cancel.cancel();
    let error =
        BankWriter::create_or_resume(temp.path(), &spec(Dtype::F16), &images(), &cancel).err().unwrap();
    assert!(error.is::<crate::progress::Cancelled>(), "{error:#}");
    check_rows(&whole(temp.path()));
}

#[test]
fn a_file_that_is_cut_while_a_bank_is_made_is_not_filled_up_with_zeros() {
    for (file, was) in [("h.f16", 270), ("z.inv", 108), ("sums.crc32c", 32)] {
        let temp = tempfile::tempdir().unwrap();
        let (mut writer, _) = writer_in(temp.path(), &spec(Dtype::F16), &images()).unwrap();
        fill(&mut writer, 3);
        let path = temp.path().join(file);
        OpenOptions::new().write(true).open(&path).unwrap().set_len(7).unwrap();
        let error = error_of(writer.push_image(3, &[("z", &values(3, 3)), ("h", &values(3, 5))]));
        let words = format!("{file} has 7 bytes, and had {was} when it was opened");
        assert!(error.contains(&words), "{error}");
        assert!(error_of(writer.commit()).contains(&words));
        assert!(error_of(writer.finish()).contains(&words));
    }
}

#[test]
fn a_bank_of_an_earlier_version_has_no_sums_and_is_read_and_continued() {
    let temp = tempfile::tempdir().unwrap();
    let (mut writer, _) = writer_in(temp.path(), &spec(Dtype::F16), &images()).unwrap();
    fill(&mut writer, 3);
    writer.commit().unwrap();
    drop(writer);
    let manifest = temp.path().join("bank.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace(",\n  \"sums\": true", "")).unwrap();
    fs::remove_file(temp.path().join("sums.crc32c")).unwrap();
    let earlier = Bank::open(temp.path()).unwrap();
    check_rows(&earlier);
    assert!(!earlier.has_sums());
    let bank = whole(temp.path());
    check_rows(&bank);
    assert!(!bank.has_sums() && bank.is_complete() && !temp.path().join("sums.crc32c").exists());
}

#[test]
#[cfg(unix)]
fn a_bank_that_is_cut_while_it_is_open_says_so() {
    let temp = tempfile::tempdir().unwrap();
    let bank = whole(temp.path());
    let mut row = [0.0; 5];
    bank.row_f32("h", 20, &mut row).unwrap();
    let path = temp.path().join("h.f16");
    OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
    for row_of in [0, 20] {
        let error = bank.row_f32("h", row_of, &mut row).unwrap_err();
        let crate::files::Shrunk { path: cut, was, now } = error.downcast_ref().unwrap();
        assert_eq!((cut, *was, *now), (&path, 270, 0));
    }
}

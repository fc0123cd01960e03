//! Vectors on their way into a bank.

use std::fs;

use super::*;
use crate::analysis::plane::PlaneWay;
use crate::bank::Bank;
use crate::colormap::Colormap;
use crate::dataset::{DataSpec, Decoding, Exif};
use crate::device::DeviceChoice;
use crate::engine::ask::PointColor;
use crate::engine::jobs::embed::{bank_info, data_of_bank};
use crate::engine::jobs::export::{ExportRequest, export};
use crate::engine::jobs::scatter::{ScatterRequest, scatter};
use crate::files::npy_header;
use crate::patch::PatchGrid;
use crate::progress::CancelToken;

/// Two pictures of 4 x 3 (width x height: 3 x 4) pixels and one of 2 x 2, and a place for all else.
fn world() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    for (name, width, height) in [("a.png", 3, 4), ("b.png", 3, 4), ("c.png", 2, 2)] {
        image::RgbImage::new(width, height).save(folder.path().join("data").join(name)).unwrap();
    }
    folder
}

fn write_npy(path: &Path, rows: usize, width: usize, value: impl Fn(usize) -> f32) {
    let values: Vec<u8> = (0..rows * width).flat_map(|at| value(at).to_le_bytes()).collect();
    fs::write(path, [npy_header(&[rows, width]), values].concat()).unwrap();
}

fn run(request: &ImportRequest) -> anyhow::Result<ImportReport> {
    let cancel = CancelToken::default();
    import(request, Job { device: DeviceChoice::Cpu, seed: 0, cancel: &cancel, progress: &mut |_| () })
}

fn said(result: anyhow::Result<ImportReport>) -> String {
    format!("{:#}", result.err().unwrap())
}

fn grid_request(world: &Path) -> ImportRequest {
    ImportRequest {
        vectors: ["h.npy", "z.npy"].map(|name| VectorPlace::parse(&world.join(name))).to_vec(),
        spaces: vec!["h".into(), "tokens".into()],
        rows: ImportRows::Grid {
            data: DataSpec::Path(world.join("data")),
            split: None,
            grid: PatchGrid { patch: 2, stride: 1 },
        },
        dtype: None,
        out: world.join("bank"),
    }
}

fn table_request(world: &Path, vectors: &str, table: &str, out: &str) -> ImportRequest {
    ImportRequest {
        vectors: vec![VectorPlace::parse(&world.join(vectors))],
        spaces: vec!["h".into()],
        rows: ImportRows::Table {
            table: world.join(table),
            data: None,
            split: None,
            decoding: Decoding::default(),
        },
        dtype: None,
        out: world.join(out),
    }
}

#[test]
fn vectors_on_a_grid_become_a_bank_of_it() {
    let world = world();
    let request = grid_request(world.path());
    write_npy(&world.path().join("h.npy"), 13, 5, |at| at as f32 + 0.1);
    write_npy(&world.path().join("z.npy"), 13, 2, |at| -(at as f32));
    let report = run(&request).unwrap();
    assert_eq!((report.images, report.patches, report.without_vector, report.dtype), (3, 13, 0, "f32"));
    let bank = Bank::open(&request.out).unwrap();
    let mut row = [0.0; 5];
    // The second picture's first patch is the seventh row; its last column is the fourth at y 1.
    bank.row_f32("h", bank.row_of(1, 1, 1).unwrap(), &mut row).unwrap();
    assert_eq!(row, [45.1, 46.1, 47.1, 48.1, 49.1]);
    assert!(bank.has_sums() && !bank.knows_copies() && bank.spec().model.is_imported());
    let info = bank_info(&request.out, None).unwrap();
    assert!(info.complete && info.imported && info.copies.is_none());
    assert_eq!(data_of_bank(&request.out, &bank, None).unwrap().len(), 3);
    // Again: nothing is left to do. Other vectors: they are not mixed.
    assert_eq!(run(&request).unwrap().resumed_images, 3);
    write_npy(&world.path().join("z.npy"), 13, 2, |at| at as f32);
    assert!(said(run(&request)).contains("model: the bank has imported"));
}

#[test]
fn counts_that_do_not_agree_are_refused_with_the_numbers() {
    let world = world();
    let mut request = grid_request(world.path());
    write_npy(&world.path().join("h.npy"), 14, 5, |_| 1.0);
    write_npy(&world.path().join("z.npy"), 13, 2, |_| 1.0);
    let words = said(run(&request));
    assert!(words.contains("h.npy has 14 vectors; expected 13: 3 images of data"), "{words}");
    request.spaces.pop();
    assert!(said(run(&request)).contains("2 files of vectors and 1 names of spaces (h)"));
    assert!(!request.out.exists());
    write_npy(&world.path().join("h.npy"), 13, 5, |at| if at == 57 { f32::NAN } else { 1.0 });
    request.spaces.push("z".into());
    let words = said(run(&request));
    assert!(words.contains("row 11, column 2 is NaN") && !request.out.exists(), "{words}");
    write_npy(&world.path().join("h.npy"), 13, 5, |_| 70_000.0);
    request.dtype = Some(Dtype::F16);
    request.out = world.path().join("other");
    assert!(said(run(&request)).contains("--dtype f32"));
}

#[test]
fn a_table_says_what_each_vector_is_of_in_any_order() {
    let world = world();
    write_npy(&world.path().join("h.npy"), 4, 2, |at| at as f32 + 1.0);
    let table = "path,y,x,size,label\ndata/b.png,2,0,2,cow\ndata/a.png,0,0,2,ant\ndata/b.png,0,0,2,cow\ndata/a.png,2,0,2,ant\n";
    fs::write(world.path().join("t.csv"), table).unwrap();
    let request = table_request(world.path(), "h.npy", "t.csv", "bank");
    let report = run(&request).unwrap();
    assert_eq!((report.images, report.of, report.patches, report.without_vector), (2, 3, 4, 0));
    assert_eq!((report.patch, report.stride), (2, 2));
    let bank = Bank::open(&request.out).unwrap();
    let of = |image, y| {
        let (row, mut values) = (bank.row_of(image, y, 0).unwrap(), [0.0; 2]);
        bank.row_f32("h", row, &mut values).unwrap();
        (values, bank.label_of_row(row))
    };
    assert_eq!([of(0, 0), of(0, 2)], [([3.0, 4.0], Some(0)), ([7.0, 8.0], Some(0))]);
    assert_eq!([of(1, 0), of(1, 2)], [([5.0, 6.0], Some(1)), ([1.0, 2.0], Some(1))]);
    assert_eq!(bank.spec().classes, ["ant", "cow"]);
}

/// The folder that its images lie in knows no classes.
#[test]
fn classes_of_a_table_are_those_of_the_points_of_its_bank() {
    let world = world();
    write_npy(&world.path().join("h.npy"), 4, 2, |at| at as f32 + 1.0);
    let table = "path,y,x,size,class\ndata/b.png,2,0,2,cow\ndata/a.png,0,0,2,ant\ndata/b.png,0,0,2,cow\ndata/a.png,2,0,2,ant\n";
    fs::write(world.path().join("t.csv"), table).unwrap();
    let request = table_request(world.path(), "h.npy", "t.csv", "bank");
    run(&request).unwrap();
    let csv = world.path().join("points.csv");
    let points = ScatterRequest {
        bank: request.out,
        data: None,
        space: "h".into(),
        way: PlaneWay::Pca,
        color: PointColor::Class,
        colormap: Colormap::default(),
        query: None,
        most: None,
        plot: None,
        csv: Some(csv.clone()),
    };
    let cancel = CancelToken::default();
    scatter(&points, Job { device: DeviceChoice::Cpu, seed: 0, cancel: &cancel, progress: &mut |_| () })
        .unwrap();
    let written = fs::read_to_string(csv).unwrap();
    let count = |start: &str, end: &str| {
        written.lines().filter(|line| line.starts_with(start) && line.contains(end)).count()
    };
    assert_eq!((count("0,a.png,", ",0,ant,"), count("1,b.png,", ",1,cow,")), (2, 2), "{written}");
}

/// A folder of splits calls its images without that of the split, and both together with the split's name.
#[test]
fn images_are_found_by_paths_through_splits_and_folders_above() {
    let world = world();
    let at = |name: &str| world.path().join(name);
    for place in ["train/cat", "train/dog", "val/cat", "val/dog"] {
        fs::create_dir_all(at("set").join(place)).unwrap();
        image::RgbImage::new(2, 2).save(at("set").join(place).join("1.png")).unwrap();
    }
    fs::create_dir(at("tables")).unwrap();
    write_npy(&at("h.npy"), 2, 2, |_| 1.0);
    let both = ["train cat/1.png", "test dog/1.png"];
    let one = ["cat/1.png", "dog/1.png"];
    for (number, (folder, splits, paths, is_named, names)) in [
        ("set", ["", ""], ["train/cat/1.png", "train/dog/1.png"], true, one),
        ("set", ["train", "train"], ["train/cat/1.png", "train/dog/1.png"], true, one),
        ("set", ["train", "train"], ["train/cat/1.png", "train/dog/1.png"], false, one),
        ("set", ["test", "test"], ["val/cat/1.png", "val/dog/1.png"], true, one),
        ("set", ["", ""], ["val/cat/1.png", "val/dog/1.png"], true, one),
        ("set", ["", ""], ["train/cat/1.png", "val/dog/1.png"], true, both),
        ("set", ["train", "test"], ["train/cat/1.png", "val/dog/1.png"], false, both),
        ("tables", ["", ""], ["train/cat/1.png", "val/dog/1.png"], true, both),
        ("tables", ["", ""], ["../set/train/cat/1.png", "../set/val/dog/1.png"], true, both),
        ("tables", ["", ""], ["../set/train/cat/1.png", "../set/train/dog/1.png"], false, one),
        ("tables", ["", ""], ["../data/a.png", "../data/b.png"], false, ["a.png", "b.png"]),
    ]
    .into_iter()
    .enumerate()
    {
        let rows = [0, 1].map(|row| format!("{},0,0,2,{}\n", paths[row], splits[row]));
        fs::write(at(folder).join("t.csv"), format!("path,y,x,size,split\n{}", rows.concat())).unwrap();
        let table = format!("{folder}/t.csv");
        let mut request = table_request(world.path(), "h.npy", &table, &format!("bank-{number}"));
        if let ImportRows::Table { data, .. } = &mut request.rows {
            *data = is_named.then(|| DataSpec::Path(at("set")));
        }
        run(&request).unwrap();
        let bank = Bank::open(&request.out).unwrap();
        let data = data_of_bank(&request.out, &bank, None).unwrap();
        let mut found: Vec<&str> = bank.images().iter().map(|image| image.name.as_str()).collect();
        found.sort_unstable_by_key(|name| names.iter().position(|known| known == name));
        assert_eq!(found, names, "case {number} of {}", data.name());
    }
}

/// The picture is stored 18 pixels wide and 11 high, and turned it is the other way round.
#[test]
fn the_folder_of_a_table_is_decoded_as_was_said() {
    let world = world();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images/exif6.jpg");
    fs::copy(fixture, world.path().join("data/d.jpg")).unwrap();
    write_npy(&world.path().join("h.npy"), 1, 2, |_| 1.0);
    fs::write(world.path().join("t.csv"), "path,y,x,size\ndata/d.jpg,0,0,4\n").unwrap();
    for (exif, size) in [(Exif::Apply, (18, 11)), (Exif::Ignore, (11, 18))] {
        let mut request = table_request(world.path(), "h.npy", "t.csv", &format!("{exif:?}"));
        if let ImportRows::Table { decoding, .. } = &mut request.rows {
            decoding.exif = exif;
        }
        run(&request).unwrap();
        let bank = Bank::open(&request.out).unwrap();
        let data = data_of_bank(&request.out, &bank, None).unwrap();
        assert_eq!((data.image_name(3).as_str(), data.dimensions(3)), ("d.jpg", size));
    }
}

#[test]
fn a_table_that_does_not_fit_is_refused_with_its_row() {
    let world = world();
    write_npy(&world.path().join("h.npy"), 2, 2, |_| 1.0);
    let refused = |rows: &str| {
        fs::write(world.path().join("t.csv"), format!("path,y,x,size\n{rows}")).unwrap();
        said(run(&table_request(world.path(), "h.npy", "t.csv", "bank")))
    };
    for (rows, words) in [
        ("data/a.png,0,0,2\n", "h.npy has 2 vectors; expected 1, one for each row of the table"),
        (
            "data/a.png,0,0,2\ndata/x.png,0,0,2\n",
            "row 1: data has no image \"data/x.png\"; it has 3 images, such as a.png",
        ),
        (
            "data/a.png,0,0,2\ndata/b.png,3,0,2\n",
            "row 1: a patch of 2 pixels at y 3, x 0 reaches beyond b.png",
        ),
        ("data/a.png,2,0,2\ndata/a.png,2,0,2\n", "rows 0 and 1 are of the same patch of a.png"),
    ] {
        let said = refused(rows);
        assert!(said.contains(words) && (said.contains("t.csv") || words.contains("h.npy")), "{said}");
    }
}

/// Rows with and without a vector, in every form of export.
#[test]
fn what_is_exported_comes_back_bit_for_bit() {
    let world = world();
    let at = |name: &str| world.path().join(name);
    write_npy(&at("h.npy"), 11, 3, |at| (at as f32).sin());
    let all = [("a.png", 3, 2), ("b.png", 3, 2)];
    let mut table = "path,y,x,size\n".to_owned();
    for (name, y, x) in all
        .iter()
        .flat_map(|(name, rows, cols)| (0..*rows).flat_map(move |y| (0..*cols).map(move |x| (name, y, x))))
    {
        if (*name, y, x) != ("b.png", 1, 0) {
            table += &format!("data/{name},{y},{x},2\n");
        }
    }
    fs::write(at("t.csv"), table).unwrap();
    for dtype in [Dtype::F16, Dtype::F32] {
        let bank = format!("bank-{}", dtype.as_str());
        let made =
            ImportRequest { dtype: Some(dtype), ..table_request(world.path(), "h.npy", "t.csv", &bank) };
        assert_eq!(run(&made).unwrap().without_vector, 1);
        for (out, index) in
            [("e.npy", Some("e.csv")), ("e.safetensors", Some("i.parquet")), ("e.parquet", None)]
        {
            let index = index.map(at);
            let export_of = |bank: PathBuf, out: PathBuf, index: Option<PathBuf>| {
                let request = ExportRequest { bank, space: "h".into(), out, index };
                let exported = export(request, &CancelToken::default()).unwrap().exported;
                let counts = (exported.rows, exported.without_vector, exported.not_finite);
                assert_eq!(counts, (11, 1, 0));
            };
            export_of(at(&bank), at(out), index.clone());
            let back = ImportRequest {
                vectors: vec![VectorPlace::parse(&at(out))],
                spaces: vec!["h".into()],
                rows: ImportRows::Table {
                    table: index.unwrap_or(at(out)),
                    data: Some(DataSpec::Path(at("data"))),
                    split: None,
                    decoding: Decoding::default(),
                },
                dtype: Some(dtype),
                out: at(&format!("back-{}-{out}", dtype.as_str())),
            };
            run(&back).unwrap();
            let file = format!("h.{}", dtype.as_str());
            for name in [file.as_str(), "h.inv", "images.bin", "sums.crc32c"] {
                let same = fs::read(at(&bank).join(name)).unwrap() == fs::read(back.out.join(name)).unwrap();
                assert!(same, "{name} of {out} as {dtype:?}");
            }
        }
    }
}

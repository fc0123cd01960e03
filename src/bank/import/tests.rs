//! Files that NumPy, pandas, pyarrow, DuckDB and Polars wrote (`tests/fixtures/make_import.py`), and spoilt ones.

use super::*;
use crate::patch::PatchGrid;
use crate::progress::CancelToken;
use std::fs;
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/import").join(name)
}

fn open(path: &Path, space: &str) -> anyhow::Result<VectorFile> {
    VectorFile::open(&VectorPlace::parse(path), space, &std::env::temp_dir(), &CancelToken::default())
}

fn error_of<T>(result: anyhow::Result<T>) -> String {
    format!("{:#}", result.err().unwrap())
}

#[test]
fn vectors_are_those_that_other_programs_wrote() {
    let files = [
        ("f2.npy", true),
        ("f4.npy", false),
        ("f8.npy", false),
        ("cube.npy", false),
        ("stored.npz", false),
        ("deflated.npz", false),
        ("two.safetensors", false),
        ("pandas.parquet", false),
        ("gzip.parquet", false),
        ("v2.parquet", false),
        ("half.parquet", true),
        ("duckdb.parquet", false),
        ("polars.parquet", false),
    ];
    for (name, is_half) in files {
        let mut file = open(&fixture(name), "h").unwrap();
        assert_eq!((file.rows(), file.width(), file.is_half()), (12, 3, is_half), "{name}");
        let mut values = vec![-1.0];
        file.read(7..12, &mut values).unwrap();
        let expected = (7..12).flat_map(|row| [0.0, 0.25, 0.5].map(|column| row as f32 + column));
        assert!(values[1..].iter().copied().eq(expected), "{name}: {values:?}");
    }
    let mut other = vec![];
    open(&fixture("two.safetensors"), "z").unwrap().read(3..4, &mut other).unwrap();
    assert_eq!(other, [6.0, 6.5, 7.0]);
}

#[test]
fn an_array_is_named_behind_its_file() {
    let third = |name: &str, space: &str| {
        let mut values = vec![];
        open(&fixture(name), space).unwrap().read(3..4, &mut values).unwrap();
        values
    };
    for name in ["two.safetensors#z", "deflated.npz#z"] {
        assert_eq!(third(name, "h"), [6.0, 6.5, 7.0], "{name}");
    }
    assert_eq!(third("pandas.parquet#vector", "h"), [3.0, 3.25, 3.5]);
    for (name, words) in [
        ("two.safetensors#y", "no array called \"y\"; it has h, z"),
        ("stored.npz#y", "no array called \"y\"; it has h"),
        ("f4.npy#h", "one array without a name"),
        ("pandas.parquet#y", "its column y holds no"),
        ("pandas.parquet#other", "it has no column other"),
    ] {
        let said = error_of(open(&fixture(name), "h"));
        assert!(said.contains(words), "{said}");
    }
    let folder = tempfile::tempdir().unwrap();
    let called = folder.path().join("a#1.npy");
    fs::copy(fixture("f4.npy"), &called).unwrap();
    assert_eq!(open(&called, "h").unwrap().rows(), 12, "a file that is called so");
}

#[test]
fn brain_floats_keep_their_value() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("h.safetensors");
    let bytes: Vec<u8> =
        [1.5f32, -3.0e38].iter().flat_map(|v| half::bf16::from_f32(*v).to_le_bytes()).collect();
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::BF16, vec![1, 2], &bytes).unwrap();
    fs::write(&path, safetensors::serialize([("x", view)], None).unwrap()).unwrap();
    let mut values = vec![];
    open(&path, "h").unwrap().read(0..1, &mut values).unwrap();
    assert_eq!(values, [1.5, half::bf16::from_f32(-3.0e38).to_f32()]);
}

#[test]
fn a_list_of_numbers_is_no_array_of_vectors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("h.safetensors");
    for (shape, words) in
        [(vec![2], "its shape is [2]; expected [rows, width]"), (vec![0, 3], "it holds nothing")]
    {
        let bytes = vec![0; 4 * shape.iter().product::<usize>()];
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, &bytes).unwrap();
        fs::write(&path, safetensors::serialize([("x", view)], None).unwrap()).unwrap();
        let said = error_of(open(&path, "h"));
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn what_is_no_array_of_vectors_is_refused_in_words() {
    for (name, words) in [
        ("fortran.npy", "ascontiguousarray"),
        ("big.npy", ">f4"),
        ("missing.parquet", "row 7 has no vector"),
        ("table.csv", ".npy, .npz, .safetensors or .parquet"),
    ] {
        let said = error_of(open(&fixture(name), "h"));
        assert!(said.contains(words) && said.contains(name), "{said}");
    }
    let said = error_of(open(&fixture("two.safetensors"), "x"));
    assert!(said.contains("2 arrays (h, z)") && said.contains("--space"), "{said}");
}

#[test]
fn a_value_that_is_not_finite_is_named_with_row_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("h.npy");
    let mut bytes = fs::read(fixture("f8.npy")).unwrap();
    let place = bytes.len() - 8;
    bytes[place..].copy_from_slice(&1e300f64.to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    let said = error_of(open(&path, "h").unwrap().read(10..12, &mut vec![]));
    assert!(said.contains("row 11, column 2 is inf"), "{said}");
}

#[test]
fn tables_are_those_that_other_programs_wrote() {
    for name in
        ["table.csv", "pandas.parquet", "gzip.parquet", "v2.parquet", "duckdb.parquet", "polars.parquet"]
    {
        let table = PatchTable::read(&fixture(name), &CancelToken::default()).unwrap();
        assert_eq!((table.size, table.rows.len(), table.images.len()), (2, 12, 2), "{name}");
        assert_eq!(table.rows[9], TableRow { image: 1, y: 1, x: 1 }, "{name}");
        assert_eq!((table.images[1].path.as_str(), table.images[1].first_row), ("b.png", 6), "{name}");
        assert_eq!(table.grid().unwrap(), PatchGrid { patch: 2, stride: 1 });
        let (labels, classes) = table.labels().unwrap();
        assert_eq!((labels, classes.len()), (vec![Some(3), None], 4), "{name}");
    }
}

#[test]
fn a_table_that_says_too_little_or_two_things_is_refused_with_its_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let read = |text: &str| {
        fs::write(&path, text).unwrap();
        PatchTable::read(&path, &CancelToken::default())
    };
    for (text, words) in [
        ("path,y,x\na,0,0\n", "it has the columns path, y, x; expected path (or image), y, x and size"),
        ("path,y,x,size\n", "no rows"),
        ("path,y,x,size\na,0,0,8\na,0,8,9\n", "row 1 is of a patch of 9 pixels, row 0 of one of 8"),
        ("path,y,x,size\na,0,-1,8\n", "row 0: x is \"-1\""),
        ("path,y,x,size\na,0,,8\n", "row 0 has no x"),
        ("path,y,x,size\n,0,0,8\n", "row 0 has neither path nor image"),
        ("path,y,x,size\na,0,0\n", "row 0 has 3 fields"),
        (
            "path,y,x,size,label\na,0,0,8,1\nb,0,0,8,1\na,0,8,8,2\n",
            "row 2 says of a what row 0 does not: label 2, there 1",
        ),
    ] {
        let said = error_of(read(text));
        assert!(said.contains(words) && said.contains("t.csv"), "{said}");
    }
    let named = read("size,x,y,path,label\n4,8,0,a,dog\n4,0,12,b,cat\n").unwrap();
    assert_eq!(named.labels().unwrap(), (vec![Some(1), Some(0)], vec!["cat".into(), "dog".into()]));
    assert_eq!(named.grid().unwrap(), PatchGrid { patch: 4, stride: 4 });
}

#[test]
fn classes_stand_for_labels_where_a_table_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    fs::write(&path, "path,y,x,size,class\na,0,0,4,dog\nb,0,0,4,\nc,0,0,4,cat\na,4,0,4,dog\n").unwrap();
    let table = PatchTable::read(&path, &CancelToken::default()).unwrap();
    let expected = (vec![Some(1), None, Some(0)], vec!["cat".to_owned(), "dog".to_owned()]);
    assert_eq!(table.labels().unwrap(), expected);
}

/// Whatever is cut or changed is an error, or other numbers, and never a panic or a bill of gigabytes.
#[test]
fn spoilt_files_are_errors_or_other_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let mut dice = 7u64;
    let mut roll = |below: usize| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) as usize % below
    };
    for name in [
        "f4.npy",
        "deflated.npz",
        "two.safetensors",
        "pandas.parquet",
        "gzip.parquet",
        "v2.parquet",
        "table.csv",
    ] {
        let whole = fs::read(fixture(name)).unwrap();
        let path = folder.path().join(name);
        for _ in 0..60 {
            let mut bytes = whole.clone();
            match roll(3) {
                0 => bytes.truncate(roll(whole.len())),
                1 => (0..4).for_each(|_| bytes[roll(whole.len())] = roll(256) as u8),
                _ => bytes[roll(whole.len())] = 0xff,
            }
            fs::write(&path, &bytes).unwrap();
            if let Ok(mut file) = open(&path, "h") {
                let _ = file.read(0..1, &mut vec![]);
            }
            let _ = PatchTable::read(&path, &CancelToken::default());
        }
    }
}

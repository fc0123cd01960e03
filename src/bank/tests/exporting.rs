//! Vectors and their index for other tools.

use super::*;

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

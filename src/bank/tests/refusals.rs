//! What is refused, with every reason.

use super::*;

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
    let changes: [fn(&mut BankSpec); 15] = [
        |s| s.program.push('1'),
        |s| s.model.hash.push('1'),
        |s| s.data.fingerprint.push('1'),
        |s| s.data.split = Some(crate::dataset::Split::Test),
        |s| s.data.limit = Some(3),
        |s| s.data.order = Some(crate::dataset::ImageOrder::Spread { seed: 0, of: 9 }),
        |s| {
            let part = PartNumber { number: 1, of: 2 }.take(s.grid, images()).unwrap().1;
            s.data.part = Some(part);
        },
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
fn a_bank_that_can_hold_nothing_is_refused_up_front() {
    let mut large = spec(Dtype::F16);
    large.grid.patch = 100;
    assert!(error_of(large.bytes(&images())).contains("no patch of 100 x 100 pixels fits on any of the 5"));
    let mut twice = spec(Dtype::F16);
    twice.spaces[1].name = "H".into();
    assert!(error_of(MemoryBank::new(twice, images())).contains("named twice"));
}

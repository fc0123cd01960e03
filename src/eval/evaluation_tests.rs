//! An evaluation as a whole, on the built-in model and data.

use super::*;
use crate::dataset::{self, Split};
use crate::device::{self, DeviceChoice};
use crate::eval::knn::KnnConfig;
use crate::eval::linear::LinearConfig;
use crate::model::{Space, store};

#[test]
fn vectors_for_which_memory_has_no_room_are_classified_from_files() {
    let device = device::open(DeviceChoice::Cpu).unwrap().device;
    let embedder = Embedder::new(store::open(&"demo".into(), &device).unwrap(), &device);
    let [train, test] = [Split::Train, Split::Test].map(|split| dataset::open("demo", Some(split)).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let config = EvalConfig {
        crop: Some(Crop::Fixed { size: 20 }),
        fit: None,
        patches: vec![Aggregate::Central, Aggregate::Mean(2)],
        classifiers: vec![Classifier::Linear, Classifier::Knn],
        knn: KnnConfig::default(),
        linear: LinearConfig { epochs: 5, ..LinearConfig::default() },
        limit_train: Some(40),
        limit_test: Some(20),
        seed: 0,
        space: Space::H,
        augmented: false,
        cache: Some(folder.path().into()),
    };
    let begin = |config: &EvalConfig, is_room: bool| {
        EvalWork::begin_where(&embedder, [&train, &test], config, |_, _, _| match is_room {
            true => Ok(()),
            false => Err(NoRoom { what: "vectors".into(), bytes: 2, most: 1, budget: 1, remedy: "less" }),
        })
    };
    let evaluated = |is_room| {
        let mut work = begin(&config, is_room).unwrap();
        let mut heard = vec![];
        let mut hear = |at: Progress| heard.push((at.what, at.done, at.total));
        while !work.advance(&embedder, 64, &CancelToken::default(), &mut hear).unwrap() {}
        let all = work.splits.iter().flat_map(|split| &split.tables);
        let filed = all.filter(|table| table.values.is_filed()).count();
        let rows: Vec<EvalRow> =
            work.finish().rows.into_iter().map(|row| EvalRow { seconds: 0.0, ..row }).collect();
        (filed, rows, heard.pop())
    };
    let (filed, rows, last) = evaluated(false);
    assert_eq!((filed, rows.len(), last), (4, 4, Some(("comparing", 40, 40))));
    assert_eq!(evaluated(true), (0, rows, last), "vectors in memory give the same");
    let error = begin(&EvalConfig { cache: None, ..config.clone() }, false).err().unwrap();
    assert!(error.is::<NoRoom>(), "{error:#}");
    let crops = EvalConfig { crop: Some(Crop::Scale { min: 0.1, max: 1.0 }), ..config.clone() };
    assert_eq!([config.unit(), crops.unit()], ["patches", "crops"]);
}

//! Readers of what the program writes itself: figures, configurations, links, models, banks, runs, caches, settings.

use std::fs;
use std::path::Path;

use anyhow::Context;
use bagssl::bank::{Bank, BankWriter, PartBanks, PatchTable, VectorFile, VectorPlace};
use bagssl::dataset::{DataSpec, Split};
use bagssl::device::DeviceChoice;
use bagssl::engine::jobs::Job;
use bagssl::engine::jobs::accuracy::{AccuracyRequest, accuracy_bars};
use bagssl::engine::jobs::embed::{bank_info, data_of_bank};
use bagssl::engine::jobs::evaluate::evaluate;
use bagssl::engine::jobs::figures::FileLook;
use bagssl::engine::jobs::index::index;
use bagssl::engine::jobs::plot::PlotFile;
use bagssl::engine::jobs::results::{PageRequest, results_page};
use bagssl::engine::jobs::search::{SearchRequest, knn};
use bagssl::engine::jobs::train::{Start, TrainRequest, loss_curve, train};
use bagssl::engine::{EvalPlan, EvalRequest, NamedFilter, SearchWay, line};
use bagssl::eval::{Classifier, EvalConfig, aggregate::Aggregate};
use bagssl::figure::{
    CurveAxis, CurveBand, CurveData, CurveSeries, CurvesPanel, Figure, Format, MatrixPanel, Panel,
    PanelsData, PanelsFigure, PanelsSpec, Sidecar,
};
use bagssl::gui::{App, GuiOptions, Link};
use bagssl::model::{ModelSpec, store};
use bagssl::progress::CancelToken;
use bagssl::search::{Options, Quantised, top_k};
use bagssl::train::{RunFolder, TrainConfig, recipes, settings};
use burn::tensor::Device;
use eframe::egui::vec2;
use egui_kittest::Harness;
use sha2::{Digest, Sha256};

use super::world::copy;

pub fn lay_sidecars(world: &Path, place: &Path) {
    for name in ["map.svg.json", "near.svg.json", "curve.svg.json"] {
        fs::copy(world.join(name), place.join(name)).unwrap();
    }
    let series = |name: &str| CurveSeries {
        name: name.into(),
        space: "h".into(),
        run: 1,
        x: vec![0.0, 1.0],
        y: vec![0.5, 0.25],
        band: Some(CurveBand { low: vec![0.25; 2], high: vec![0.75; 2] }),
    };
    let axes = (CurveAxis::of_names("space", vec!["h".into(), "z".into()]), CurveAxis::of("cosine", "nats"));
    let (x, y) = axes;
    let curves = CurveData { title: "by space".into(), x, y, series: vec![series("h")], notes: vec![] };
    let matrix = MatrixPanel {
        title: "likeness".into(),
        rows: 2,
        cols: 2,
        values: vec![1.0, 0.5, 0.5, 1.0],
        range: [0.0, 1.0],
        colormap: bagssl::colormap::Colormap::Magma,
        row_label: "space".into(),
        col_label: "space".into(),
        names: vec![],
    };
    let curves = CurvesPanel { log_x: false, log_y: true, curves };
    let panels = vec![Panel::Curves(curves), Panel::Matrix(matrix)];
    let data = PanelsData { title: "Two".into(), panels, notes: vec!["a note".into()] };
    let figure = Figure::Panels(PanelsFigure { spec: PanelsSpec::default(), data });
    let sidecar = Sidecar { figure, format: Format::Svg, source: serde_json::Value::Null };
    fs::write(place.join("panels.svg.json"), sidecar.to_json().unwrap()).unwrap();
}

/// A plan of evaluations.
pub fn lay_plan(_: &Path, place: &Path) {
    let plan = "title = \"Table 1\"\ndata = \"demo\"\nseeds = [0, 1]\nlimit_test = 20\n\
                [[model]]\nname = \"a\"\npath = \"demo\"\n\
                [[evaluation]]\nname = \"crops\"\ncrop_scale = [0.08, 1.0]\npatches = [\"central\", \"16\"]\n\
                paper = { a = [47.1, 90.9] }\n";
    fs::write(place.join("plan.toml"), plan).unwrap();
}

pub fn read_plan(place: &Path, file: &str) -> anyhow::Result<()> {
    EvalPlan::read(&place.join(file)).map(drop)
}

/// The tables of a results folder.
pub fn lay_results(_: &Path, place: &Path) {
    let row = |patches: &str| {
        serde_json::json!({
            "model": "a", "evaluation": "crops", "classifier": "linear", "patches": patches, "accuracy": 0.7,
            "low": 0.6, "high": 0.8, "seeds": 1, "deviation": null, "images": 20, "train_images": 30,
            "seconds": 0.5, "paper": 0.9, "difference": -0.2
        })
    };
    let plan = serde_json::json!({
        "data": "demo", "model": [{ "name": "a", "path": "demo" }],
        "evaluation": [{ "name": "crops", "crop_scale": [0.08, 1.0], "patches": ["central", "16"] }]
    });
    let all = serde_json::json!({ "title": "", "plan": plan, "rows": [row("central"), row("16")] });
    fs::write(place.join("results.json"), all.to_string()).unwrap();
}

pub fn read_results(place: &Path, _: &str) -> anyhow::Result<()> {
    let out = place.with_file_name("bars.svg");
    let plot = PlotFile { out, caption: None, width_in: 6.75, look: FileLook::default() };
    let (results, classifiers) = (vec![place.into()], vec!["linear", "knn"]);
    accuracy_bars(&AccuracyRequest { results, classifiers, plot }).map(drop)
}

/// What a page of results is made from: a run's words, a table, and what two measures printed.
pub fn lay_page(world: &Path, place: &Path) {
    for name in ["run", "table"] {
        fs::create_dir(place.join(name)).unwrap();
    }
    for file in ["config.toml", "environment.json", "metrics.jsonl", "probes.jsonl"] {
        fs::copy(world.join("run").join(file), place.join("run").join(file)).unwrap();
    }
    lay_results(world, &place.join("table"));
    let over =
        serde_json::json!({ "mean": 0.5, "low": 0.4, "high": 0.6, "deviation": 0.1, "p10": 0.3, "p90": 0.7 });
    let point =
        |count: &str| serde_json::json!({ "count": count, "patches": [4, 9], "whole": over, "mean": over });
    let curves = serde_json::json!({
        "model": "run", "model_hash": "00", "data": "parts", "images": 3, "of": 8, "patch": 16, "stride": 8,
        "spaces": [{ "space": "h", "points": [point("1"), point("all")] }]
    });
    let share = serde_json::json!({ "value": 0.5, "low": 0.4, "high": 0.6 });
    let space = |name: &str| {
        serde_json::json!({
            "space": name,
            "composition": { "same_image": [share], "same_class": [share], "other_class": [share], "other_image": [] },
            "displacement": { "points": [{ "pixels": 8.0, "cosine": share, "pairs": 5 }], "floor": share,
                "half_width": 4.0, "near_minus_far": share, "near_minus_far_share": share },
            "positions": { "neighbours": share, "shuffled": share, "difference": share, "queries": 7 }
        })
    };
    let shift = serde_json::json!({ "change": "shift", "unit": "px", "amounts": [1.0, 2.0], "patches": [4, 4],
        "cosines": [["h", [share, null]], ["z", [share, share]]] });
    let locality = serde_json::json!({
        "model": "run", "data": "parts", "split": "test", "patch": 16, "stride": 8, "of": 8, "images_order": "first",
        "config": { "queries": 7, "neighbours": 1, "changed": 4, "resamples": 10, "seed": 0 }, "images": 3,
        "patches": 40, "queries": 7, "parts_known": true, "purity": { "h": { "mean": 0.5, "low": 0.4, "high": 0.6 } },
        "spaces": [space("h"), space("z")], "changed": 4, "invariance": [shift]
    });
    for (name, document) in [("curves.json", curves), ("locality.json", locality)] {
        fs::write(place.join(name), document.to_string()).unwrap();
    }
}

pub fn read_page(place: &Path, _: &str) -> anyhow::Result<()> {
    let inputs = ["run", "table", "curves.json", "locality.json"].map(|name| place.join(name)).into();
    let out = place.with_file_name("page.md");
    results_page(&PageRequest { inputs, out }, &CancelToken::default()).map(drop)
}

pub fn read_sidecar(place: &Path, file: &str) -> anyhow::Result<()> {
    let path = place.join(file);
    let figure = Sidecar::load(&path)?.figure;
    figure.caption();
    figure.svg().with_context(|| path.display().to_string())?;
    Ok(())
}

pub fn lay_configs(world: &Path, place: &Path) {
    fs::copy(world.join("config.toml"), place.join("config.toml")).unwrap();
    for recipe in recipes::all() {
        fs::write(place.join(format!("{}.toml", recipe.name)), recipe.config.to_toml().unwrap()).unwrap();
    }
}

pub fn read_config(place: &Path, file: &str) -> anyhow::Result<()> {
    let path = place.join(file);
    let text = bagssl::files::read_to_string(&path, bagssl::files::MOST_WORDS)
        .with_context(|| path.display().to_string())?;
    let config = TrainConfig::from_toml(&text).with_context(|| path.display().to_string())?;
    config.validate().with_context(|| path.display().to_string())?;
    let again = TrainConfig::from_toml(&config.to_toml()?)?;
    assert_eq!(again, config, "it is another once it is written and read");
    Ok(())
}

pub fn lay_settings(_: &Path, place: &Path) {
    let lines = settings::settings().iter().map(|setting| format!("{}=1\n", setting.path.replace('N', "0")));
    fs::write(place.join("lines"), lines.collect::<String>()).unwrap();
}

pub fn read_settings(place: &Path, file: &str) -> anyhow::Result<()> {
    let text = fs::read(place.join(file))?;
    let mut config = recipes::all()[0].config.clone();
    for line in String::from_utf8_lossy(&text).lines() {
        // Each is taken or refused by itself.
        match config.set(&[line]) {
            Ok(()) => config.validate()?,
            Err(error) => assert!(!error.to_string().is_empty(), "without a word"),
        }
    }
    Ok(())
}

pub fn lay_links(_: &Path, place: &Path) {
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

pub fn read_links(place: &Path, file: &str) -> anyhow::Result<()> {
    let bytes = fs::read(place.join(file))?;
    let text = String::from_utf8_lossy(&bytes);
    // What a path is: any words.
    bagssl::paths::to_words(&bagssl::paths::from_words(&*text));
    bagssl::paths::typed(&text);
    DataSpec::from(&*text).words();
    let link: Link = text.parse()?;
    let again: Link = link.to_string().parse().context("a link that was written is not read")?;
    assert_eq!(again, link, "it is another once it is written and read");
    Ok(())
}

pub fn lay_models(world: &Path, place: &Path) {
    fs::copy(world.join("model.safetensors"), place.join("model.safetensors")).unwrap();
}

/// What PyTorch wrote: a plain pickle, in front of which no archive's sums stand, and an archive.
pub fn lay_checkpoints(_: &Path, place: &Path) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/checkpoints");
    for name in ["legacy.th", "torchvision.pth"] {
        fs::copy(fixtures.join(name), place.join(name)).unwrap();
    }
}

pub fn read_model(place: &Path, file: &str) -> anyhow::Result<()> {
    let model = store::open(&ModelSpec::from(place.join(file)), &Device::flex())?;
    assert!(!model.info.spaces().is_empty());
    Ok(())
}

pub fn lay_bank(world: &Path, place: &Path) {
    copy(&world.join("bank"), place);
}

/// A bank with the codes of one space.
pub fn lay_codes(world: &Path, place: &Path) {
    lay_bank(world, place);
    let (cancel, mut progress) = (CancelToken::default(), |_| ());
    let job = Job { device: DeviceChoice::Cpu, seed: 0, cancel: &cancel, progress: &mut progress };
    index(place, &["h".to_owned()], None, job).unwrap();
}

/// What is found by codes is there, with the cosine that it has.
pub fn read_codes(place: &Path, _: &str) -> anyhow::Result<()> {
    let bank = Bank::open(place)?;
    let mut query = vec![0.0; bank.width("h")?];
    bank.row_f32("h", 0, &mut query)?;
    let options = Options::default();
    let Some(codes) = Quantised::open(&bank, "h", None)? else { return Ok(()) };
    let found = codes.top_k(&bank, &query, 3, &options)?.hits;
    let all = top_k(&bank, "h", &query, bank.patches(), &options)?;
    assert!(found.iter().all(|hit| all.contains(hit)), "{found:?} are not among {all:?}");
    Ok(())
}

pub fn read_bank(place: &Path, file: &str) -> anyhow::Result<()> {
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

pub fn read_bank_at(place: &Path) -> anyhow::Result<()> {
    let bank = Bank::open(place)?;
    bank_info(place, None)?;
    let Some(first) = (bank.patches() > 0).then(|| bank.patch_ref(0)) else { return Ok(()) };
    let query = (first.image as usize, first.y, first.x);
    let (filter, way) = (NamedFilter::default(), SearchWay::Exact);
    let request = SearchRequest { bank: place.into(), query, k: 5, filter, way, cache: None };
    let cancel = CancelToken::default();
    for space in bank.spaces() {
        let mut progress = |_| ();
        let job = Job { device: DeviceChoice::Cpu, seed: 0, cancel: &cancel, progress: &mut progress };
        let found = knn(&request, space, job)?;
        assert!((found.neighbours.len() as u64) < found.searched, "more neighbours than rows");
    }
    data_of_bank(place, &bank, None)?;
    Ok(())
}

/// Two parts of a bank.
pub fn lay_parts(world: &Path, place: &Path) {
    ["part-1", "part-2"].into_iter().for_each(|part| copy(&world.join(part), &place.join(part)));
}

pub fn read_parts(place: &Path, _: &str) -> anyhow::Result<()> {
    let mut parts = PartBanks::open(&["part-2", "part-1"].map(|part| place.join(part)))?;
    anyhow::ensure!(parts.missing().is_empty(), "parts are missing");
    let out = tempfile::tempdir()?;
    let never = CancelToken::default();
    let (mut whole, _) = BankWriter::create_or_resume(out.path(), parts.spec(), parts.images(), &never)?;
    while parts.push_next(&mut whole)? {}
    whole.finish().map(drop)
}

/// Vectors and tables as other programs write them.
pub fn lay_imports(_: &Path, place: &Path) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/import");
    for name in [
        "f4.npy",
        "deflated.npz",
        "two.safetensors",
        "pandas.parquet",
        "v2.parquet",
        "polars.parquet",
        "table.csv",
    ] {
        fs::copy(fixtures.join(name), place.join(name)).unwrap();
    }
}

pub fn read_import(place: &Path, file: &str) -> anyhow::Result<()> {
    let (path, cancel) = (place.join(file), CancelToken::default());
    if file.ends_with(".csv") || file.ends_with(".parquet") {
        let table = PatchTable::read(&path, &cancel)?;
        table.grid()?;
        table.labels()?;
    }
    if !file.ends_with(".csv") {
        let mut vectors = VectorFile::open(&VectorPlace::parse(&path), "h", place, &cancel)?;
        let mut values = vec![];
        vectors.read(0..vectors.rows(), &mut values)?;
        assert!(
            values.len() == vectors.rows() * vectors.width() && values.iter().all(|value| value.is_finite())
        );
    }
    Ok(())
}

pub fn is_of_run(file: &str) -> bool {
    !file.contains("events.out") && file != "environment.json"
}

pub fn lay_run(world: &Path, place: &Path) {
    copy(&world.join("run"), &place.join("run"));
}

pub fn read_run(place: &Path, _: &str) -> anyhow::Result<()> {
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
pub fn lay_half_run(world: &Path, place: &Path) {
    lay_run(world, place);
    fs::write(place.join("run/latest"), "step-000002").unwrap();
    fs::remove_dir_all(place.join("run/step-000004")).unwrap();
    fs::write(place.join("data"), world.join("parts").display().to_string()).unwrap();
}

pub fn resume(place: &Path, _: &str) -> anyhow::Result<()> {
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
        space: bagssl::model::Space::H,
        augmented: false,
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

pub fn lay_cache(world: &Path, place: &Path) {
    fs::copy(world.join("model.safetensors"), place.join("model.safetensors")).unwrap();
    fs::write(place.join("data"), world.join("parts").display().to_string()).unwrap();
    fs::write(place.join("expected"), evaluation(place).unwrap()).unwrap();
}

/// What is damaged is computed again: the result is the same.
pub fn read_cache(place: &Path, _: &str) -> anyhow::Result<()> {
    let (found, expected) = (evaluation(place)?, fs::read_to_string(place.join("expected"))?);
    assert_eq!(found, expected, "damage changed the result");
    Ok(())
}

pub fn lay_window(_: &Path, place: &Path) {
    let text = r#"{
  "theme": "Dark",
  "range": [-0.5, 0.75],
  "difference": 0.5,
  "contour": 0.25,
  "opacity": 60,
  "grid": true,
  "microscope": [8, 16],
  "export_folder": "/tmp",
  "export": {"dpi": 300, "aliases": {"12ab": "ours"}},
  "hint": false,
  "pins": {"demo test 9": []},
  "window": {"zoom": 1.5, "size": [900.0, 700.0], "position": [10.0, 20.0], "panels": {"images": 200.0}}
}
"#;
    fs::write(place.join("settings.json"), text).unwrap();
}

/// Whatever its settings say, the window is drawn, at a size that can be read.
pub fn read_window(place: &Path, _: &str) -> anyhow::Result<()> {
    let (handle, _line) = line(|| {});
    let options = GuiOptions { settings: Some(place.join("settings.json")), ..GuiOptions::default() };
    let build = Harness::builder().with_size(vec2(900.0, 700.0));
    let mut harness = build.build_eframe(|cc| App::new(cc, handle, options));
    harness.run_steps(3);
    let zoom = harness.ctx.zoom_factor();
    assert!((0.2..=5.0).contains(&zoom), "a zoom of {zoom}");
    Ok(())
}

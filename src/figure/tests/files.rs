//! Figures, their sidecars and what is wrong with either.

use super::*;

#[test]
fn the_same_figure_gives_the_same_bytes() {
    for figure in all() {
        for format in FORMATS {
            assert!(figure.render(format).unwrap() == figure.clone().render(format).unwrap(), "{format:?}");
        }
    }
}

#[test]
fn a_sidecar_makes_the_same_bytes_again() {
    let folder = tempfile::tempdir().unwrap();
    for (i, figure) in all().into_iter().enumerate() {
        for extension in ["svg", "pdf", "png"] {
            let path = folder.path().join(format!("{i}.{extension}"));
            let saved = figure.save(&path, 96, json!({"model": "demo", "data": [1, 2.5]})).unwrap();
            assert_eq!(saved.sidecar, folder.path().join(format!("{i}.{extension}.json")));
            let sidecar = Sidecar::load(&saved.sidecar).unwrap();
            assert_eq!(sidecar.figure, figure);
            assert_eq!(sidecar.source["model"], "demo");
            let again = sidecar.figure.render(sidecar.format).unwrap();
            assert!(again == fs::read(&saved.out).unwrap(), "{}", path.display());
            let text = fs::read_to_string(&saved.sidecar).unwrap();
            assert_eq!(sidecar.to_json().unwrap(), text);
            assert!(!text.contains(&*folder.path().to_string_lossy()));
        }
    }
}

#[test]
fn scores_come_back_from_a_sidecar_bit_for_bit() {
    let mut figure = heatmap();
    let odd = [f32::NAN, f32::MIN_POSITIVE, -0.0, 0.1 + 0.2, 1.0 / 3.0, f32::INFINITY];
    figure.data.rows[0].spaces[0].scores[..6].copy_from_slice(&odd);
    let sidecar =
        Sidecar { figure: Figure::Heatmap(figure.clone()), format: Format::Svg, source: json!(null) };
    let back = Sidecar::from_json(&sidecar.to_json().unwrap()).unwrap();
    let Figure::Heatmap(back) = back.figure else { panic!("another figure came back") };
    let bits =
        |f: &HeatmapFigure| f.data.rows[0].spaces[0].scores.iter().map(|s| s.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&back), bits(&figure));
}

#[test]
fn data_that_do_not_fit_together_are_refused_in_words() {
    let with = |change: &dyn Fn(&mut HeatmapFigure)| {
        let mut figure = heatmap();
        change(&mut figure);
        error(Figure::Heatmap(figure))
    };
    assert!(
        with(&|f| f.data.rows[0].spaces[1].scores.truncate(99))
            .contains("\"h\": 99 scores; expected 10 rows")
    );
    assert!(with(&|f| f.spec.range = [1.0, 1.0]).contains("range is [1, 1]"));
    assert!(with(&|f| f.spec.range = [f32::NAN, 1.0]).contains("range"));
    assert!(with(&|f| f.data.rows[0].grid.stride = 0).contains("stride is 0"));
    assert!(with(&|f| f.data.rows[0].grid.patch = 33).contains("do not fit"));
    assert!(with(&|f| f.data.rows[0].query = [u32::MAX, 0]).contains("leaves the image"));
    assert!(with(&|f| f.data.rows[0].spaces.clear()).contains("spaces: 0"));
    assert!(with(&|f| f.spec.page.width_in = f32::NAN).contains("width_in"));
    assert!(with(&|f| f.spec.page.width_in = 1.0).contains("too narrow"));
    let mut figure = gallery(11);
    figure.data.k = 12;
    assert!(error(Figure::Gallery(figure)).contains("11 cells; expected k = 12"));
    let mut figure = gallery(11);
    figure.spec.columns = 1000;
    assert!(error(Figure::Gallery(figure)).contains("too narrow"));
}

#[test]
fn a_bad_sidecar_is_refused_by_file_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.json");
    let sidecar = Sidecar { figure: all()[0].clone(), format: Format::Pdf, source: json!(null) };
    let good: serde_json::Value = serde_json::from_str(&sidecar.to_json().unwrap()).unwrap();
    let load = |value: &serde_json::Value| {
        fs::write(&path, value.to_string()).unwrap();
        format!("{:#}", Sidecar::load(&path).unwrap_err())
    };
    for (pointer, key, value) in [
        ("/version", "\"version\"", json!(1)),
        ("/figure", "\"figure\"", json!("pie")),
        ("/format", "\"format\"", json!("gif")),
        ("/spec/colormap", "\"spec\"", json!("jet")),
        ("/data/rows/0/image", "\"data\"", json!("AAAA")),
        ("/data/rows/0/spaces/0/scores", "\"data\"", json!("AAAAAAA=")),
        ("/data/rows/0/grid", "\"data\"", json!({"patch": -1, "stride": 1})),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        let message = load(&bad);
        assert!(message.contains("bad.json") && message.contains(key), "{pointer}: {message}");
    }
    assert!(load(&json!([1])).contains("expected a JSON object"));
    assert!(format!("{:#}", Sidecar::load(Path::new("absent.json")).unwrap_err()).contains("absent.json"));
}

#[test]
fn saving_says_what_is_wrong_with_the_file_name() {
    let figure = &all()[2];
    let message = |path: &str| figure.save(Path::new(path), 300, json!(null)).unwrap_err().to_string();
    assert!(message("a.jpg").contains("expected .svg, .pdf or .png"));
    assert!(message("no-such-folder/a.svg").contains("there is no folder"));
    let zero = figure.render(Format::Png { dpi: 0 }).unwrap_err().to_string();
    assert!(zero.contains("expected 36 to 2400"));
}

#[test]
fn a_sidecar_of_before_gives_text_as_text() {
    let figure = Figure::Gallery(gallery(8));
    let sidecar = Sidecar { figure, format: Format::Svg, source: json!(null) }.to_json().unwrap();
    let old = sidecar.replace("\"text\": \"outlines\",", "");
    assert_ne!(old, sidecar);
    let svg = Sidecar::from_json(&old).unwrap().figure.render(Format::Svg).unwrap();
    assert!(String::from_utf8(svg).unwrap().contains("<text"));
}

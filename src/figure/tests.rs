use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;
use crate::image::Image;
use crate::patch::{BoxRef, PatchGrid, PatchRef};
use crate::search::{Relation, Sign};

mod copies;

/// A picture with a different colour in every pixel.
fn picture(width: u32, height: u32, seed: u32) -> Image {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    Image::new(width, height, (0..3 * width * height).map(|_| byte()).collect())
}

fn row(seed: u32, patch: u32, title: &str) -> HeatmapRow {
    let grid = PatchGrid { patch, stride: 2 };
    let (rows, cols) = grid.shape(32, 32);
    let scores = |shift: f32| (0..rows * cols).map(|i| ((i as f32 + shift) * 0.1).sin()).collect();
    let space = |name: &str, title: &str, shift| HeatmapSpace {
        name: name.to_owned(),
        title: title.to_owned(),
        scores: scores(shift),
    };
    HeatmapRow {
        image: picture(32, 32, seed),
        title: title.to_owned(),
        grid,
        query: [6, 8],
        composed: None,
        spaces: vec![space("z", "projection z", 0.0), space("h", "embedding h", 0.3)],
    }
}

/// A box on image 0 less one on image 5.
fn composed() -> ComposedQuery {
    let part = |sign, image| {
        let source = PartSource::Box(BoxRef { image, y: 3, x: 4, height: 9, width: 20 });
        ComposedPart { sign, source }
    };
    ComposedQuery { image: 0, parts: vec![part(Sign::Plus, 0), part(Sign::Minus, 5)] }
}

fn heatmap() -> HeatmapFigure {
    let data = HeatmapData { rows: vec![row(7, 14, "image")], notes: vec!["demo model <1>".to_owned()] };
    HeatmapFigure { spec: HeatmapSpec::default(), data }
}

/// Fig 4: one image at two patch sizes; Fig 6: several images at one.
fn heatmaps(patches: &[u32]) -> HeatmapFigure {
    let mut figure = heatmap();
    let rows = patches.iter().enumerate();
    figure.data.rows =
        rows.map(|(i, &patch)| row(7 + i as u32, patch, &format!("image {i} · horse"))).collect();
    figure
}

fn query(k: usize, image: u32, names: &[(&str, &str)]) -> GalleryQuery {
    let relations = [Relation::SameImage, Relation::SameClass, Relation::OtherClass, Relation::SameClass];
    let cell = |i: usize, shift: u32| GalleryCell {
        copies: 1,
        patch: picture(6, 6, i as u32 + shift),
        at: PatchRef { image: i as u32, y: 2, x: 3, size: 6 },
        cosine: 1.0 - i as f32 / 300.0,
        relation: relations[i % 4],
    };
    let space = |(at, (name, title)): (usize, &(&str, &str))| GallerySpace {
        name: (*name).to_owned(),
        title: (*title).to_owned(),
        searched: 1_204_000,
        total: 1_204_000,
        cells: (0..k).map(|i| cell(i, image * 100 + 1000 * at as u32)).collect(),
    };
    GalleryQuery {
        pixels: picture(6, 6, image + 1),
        at: PatchRef { image, y: image, x: 2 * image, size: 6 },
        composed: None,
        title: format!("image {image} · horse"),
        spaces: names.iter().enumerate().map(space).collect(),
    }
}

const Z_AND_H: [(&str, &str); 2] = [("z", "projection z"), ("h", "embedding h")];
const H: [(&str, &str); 1] = [("h", "embedding h")];

fn gallery(k: usize) -> GalleryFigure {
    let data = GalleryData { k, queries: vec![query(k, 0, &Z_AND_H)], left_out: vec![], notes: vec![] };
    GalleryFigure { spec: GallerySpec::default(), data }
}

fn galleries(k: usize, queries: u32) -> GalleryFigure {
    let mut figure = gallery(k);
    figure.data.queries = (0..queries).map(|image| query(k, image, &Z_AND_H)).collect();
    figure.spec.shares = true;
    figure
}

/// Fig 10 without an image, Fig 11 with one.
fn sheet(k: usize, queries: u32, instance: bool) -> SheetFigure {
    let instance =
        instance.then(|| Instance { image: picture(40, 32, 9), title: "image 12 · plane".to_owned() });
    let queries = (0..queries).map(|image| query(k, image, &H)).collect();
    let data = SheetData { instance, k, queries, left_out: vec![], notes: vec!["demo model".to_owned()] };
    SheetFigure { spec: SheetSpec::default(), data }
}

fn curve() -> CurveFigure {
    let series = |name: &str, scale: f64| CurveSeries {
        name: name.to_owned(),
        space: String::new(),
        run: 0,
        x: (1..200).map(f64::from).collect(),
        y: (1..200).map(|i| scale / f64::from(i).sqrt()).collect(),
    };
    let data = CurveData {
        title: String::new(),
        x: CurveAxis { label: "step".to_owned(), unit: String::new() },
        y: CurveAxis { label: "loss".to_owned(), unit: "nats".to_owned() },
        series: vec![series("train", 1.0), series("test", 1.0 / 3.0)],
        notes: vec![],
    };
    CurveFigure { spec: CurveSpec::default(), data }
}

fn all() -> [Figure; 7] {
    [
        Figure::Heatmap(heatmap()),
        Figure::Gallery(gallery(11)),
        Figure::Curve(curve()),
        Figure::Heatmap(heatmaps(&[14, 20])),
        Figure::Gallery(galleries(11, 3)),
        Figure::Sheet(sheet(8, 6, false)),
        Figure::Sheet(sheet(8, 5, true)),
    ]
}

const FORMATS: [Format; 3] = [Format::Svg, Format::Pdf, Format::Png { dpi: 72 }];

fn error(figure: Figure) -> String {
    format!("{:#}", figure.svg().unwrap_err())
}

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
fn a_heatmap_has_its_words_one_color_bar_and_red_dashes_in_every_panel() {
    let svg = Figure::Heatmap(heatmap()).svg().unwrap();
    for words in ["image", "projection z", "embedding h", "cosine similarity", "patch 14 × 14 px", "10 × 10"]
    {
        let line = svg.lines().find(|l| l.contains(words) && !l.contains('"'));
        assert!(line.is_some(), "no text \"{words}\"");
    }
    assert!(svg.contains("demo model &lt;1&gt;"));
    assert_eq!(svg.matches("id=\"color-bar\"").count(), 1);
    assert_eq!(svg.matches("class=\"query\"").count(), 3);
    assert_eq!(svg.matches("stroke=\"#e0102a\" stroke-width=\"18\" stroke-dasharray").count(), 3);
    // image, underlay and cells for each of two spaces, the bar; none smoothed
    assert_eq!(svg.matches("<image ").count(), 6);
    assert_eq!(svg.matches("image-rendering:pixelated").count(), 6);
}

#[test]
fn both_heatmaps_share_one_color_scale() {
    let mut figure = heatmap();
    figure.data.rows[0].spaces[0].scores = vec![0.25; 100];
    figure.data.rows[0].spaces[1].scores = vec![0.25; 100];
    figure.data.rows[0].spaces[1].scores[0] = 1.0;
    let png = Figure::Heatmap(figure).render(Format::Png { dpi: 100 }).unwrap();
    let pixels = ::image::load_from_memory(&png).unwrap().to_rgb8();
    let expected = crate::colormap::Colormap::Magma.color_on(0.25, [-1.0, 1.0]);
    let (left, right): (Vec<_>, Vec<_>) =
        pixels.enumerate_pixels().filter(|(_, _, p)| p.0 == expected).partition(|(x, _, _)| *x < 400);
    assert!(
        left.len() > 3000 && left.len().abs_diff(right.len()) < left.len() / 20,
        "{} {}",
        left.len(),
        right.len()
    );
}

#[test]
fn what_is_clipped_or_missing_is_said() {
    let mut figure = heatmap();
    figure.spec.range = [-1.0, 0.5];
    figure.data.rows[0].spaces[0].scores[3] = f32::NAN;
    let svg = Figure::Heatmap(figure).svg().unwrap();
    assert!(svg.contains("z: 1 of 100 patches not scored (grey)"));
    assert!(svg.contains("of 100 scores beyond the scale"));
}

#[test]
fn a_gallery_has_boxes_second_signs_and_counts() {
    let svg = Figure::Gallery(gallery(119)).svg().unwrap();
    assert_eq!(svg.matches("<image ").count(), 240, "cells");
    // 119 cells a grid: 60 of the same class, 30 of another; one of each in the legend
    assert_eq!(svg.matches("class=\"same-class\"").count(), 2 * 59 + 1);
    assert_eq!(svg.matches("class=\"other-class\"").count(), 2 * 30 + 1);
    assert_eq!(svg.matches("class=\"query\"").count(), 3);
    for words in [
        "projection z",
        "119 nearest of 1,204,000 patches",
        "same class: z 59, h 59",
        "other class: z 30, h 30",
        "same image: z 30, h 30",
    ] {
        assert!(svg.contains(words), "no text \"{words}\"");
    }
    assert!(!svg.contains("other image"), "a box that does not occur is not in the legend");
    assert!(svg.contains("<title>2: cosine 0.997, image 1 at y 2, x 3</title>"));
}

#[test]
fn a_partly_searched_bank_says_so() {
    let mut figure = gallery(11);
    figure.data.queries[0].spaces[1].searched = 4096;
    let svg = Figure::Gallery(figure.clone()).svg().unwrap();
    assert!(svg.contains("11 nearest of 4,096 patches searched (1,204,000 in all)"));
    figure.spec.page.width_in = 4.5; // two grids side by side, too narrow for the long form
    let svg = Figure::Gallery(figure).svg().unwrap();
    assert!(svg.contains("11 nearest, over 4,096 of 1,204,000"));
}

#[test]
fn a_page_has_the_width_asked_for_in_every_format() {
    for width_in in [3.25, 5.5, 6.75] {
        let mut figure = heatmap();
        figure.spec.page.width_in = width_in;
        let figure = Figure::Heatmap(figure);
        assert!(figure.svg().unwrap().contains(&format!("width=\"{width_in}in\"")));
        for dpi in [72, 300] {
            let png = figure.render(Format::Png { dpi }).unwrap();
            let width = ::image::load_from_memory(&png).unwrap().width();
            assert_eq!(width, (width_in * dpi as f32).round() as u32);
            let at = png.windows(4).position(|w| w == b"pHYs").unwrap() + 4;
            let per_metre = u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
            assert_eq!(per_metre, (f64::from(dpi) / 0.0254).round() as u32);
        }
        let pdf = figure.render(Format::Pdf).unwrap();
        let points = format!("/MediaBox [0 0 {}", width_in * 72.0);
        assert!(pdf.windows(points.len()).any(|w| w == points.as_bytes()), "{points}");
    }
}

#[test]
fn a_pdf_embeds_its_font_as_characters_not_shapes() {
    let pdf = Figure::Heatmap(heatmap()).render(Format::Pdf).unwrap();
    let has = |words: &str| pdf.windows(words.len()).any(|w| w == words.as_bytes());
    assert!(has("/FontFile2") && has("/ToUnicode") && has("Ubuntu-Light"));
    assert!(!has("/Type3") && !has("/CreationDate"));
}

#[test]
fn curves_draw_gaps_and_refuse_what_a_log_axis_cannot_show() {
    let mut figure = curve();
    figure.data.series[0].y[50] = f64::NAN;
    figure.data.series[0].y[52] = f64::NAN;
    let svg = Figure::Curve(figure.clone()).svg().unwrap();
    let lines = svg.lines().filter(|l| l.starts_with("<polyline") && l.contains("stroke-width=\"16\""));
    assert_eq!(lines.count(), 3, "two runs of one series, one of the other");
    // A value alone between two gaps would be a line of no length.
    assert_eq!(svg.lines().filter(|l| l.starts_with("<circle")).count(), 1);
    assert!(svg.contains("loss (nats)") && svg.contains("step"));
    figure.spec.log_y = true;
    assert!(Figure::Curve(figure.clone()).svg().is_ok());
    figure.data.series[1].y[3] = 0.0;
    let message = error(Figure::Curve(figure));
    assert!(message.contains("\"test\"") && message.contains("logarithmic"), "{message}");
}

#[test]
fn hues_say_spaces_and_strokes_say_runs() {
    let mut figure = curve();
    let series = figure.data.series[0].clone();
    let of = |name: &str, space: &str, run: usize| CurveSeries {
        name: name.to_owned(),
        space: space.to_owned(),
        run,
        ..series.clone()
    };
    let lines = |figure: &CurveFigure| -> Vec<(String, bool)> {
        let svg = Figure::Curve(figure.clone()).svg().unwrap();
        let legend = svg.lines().filter(|line| line.starts_with("<path") && line.contains('H'));
        let color = |line: &str| line.split("stroke=\"").nth(1).unwrap()[..7].to_owned();
        legend.map(|line| (color(line), line.contains("dasharray"))).collect()
    };
    let hue = |space: &str| super::canvas::hex(crate::colormap::space_color(space));
    // Two runs: the same space is the same hue, and every line of the second run is dashed.
    figure.data.series = vec![of("A z", "z", 0), of("A h", "h", 0), of("B z", "z", 1), of("B h", "h", 1)];
    let expected = [(hue("z"), false), (hue("h"), false), (hue("z"), true), (hue("h"), true)];
    assert_eq!(lines(&figure), expected);
    let dashed = Figure::Curve(figure.clone()).svg().unwrap();
    assert_eq!(dashed.lines().filter(|l| l.contains("dasharray") && l.contains('L')).count(), 2);
    // Losses of two runs, and terms of one, have none of the hues of spaces.
    figure.data.series = vec![of("A", "", 0), of("B", "", 1)];
    let found = lines(&figure);
    assert_eq!((found[0].0 == found[1].0, found[0].1, found[1].1), (true, false, true));
    figure.data.series = ["loss", "a", "b", "c"].map(|name| of(name, "", 0)).to_vec();
    let hues: std::collections::BTreeSet<String> = lines(&figure).into_iter().map(|(hue, _)| hue).collect();
    assert_eq!(hues.len(), 4);
    assert!(!hues.contains(&hue("z")) && !hues.contains(&hue("h")));
    // What was written before runs were told apart.
    let old = serde_json::to_value(of("h", "", 0)).unwrap();
    assert!(old.get("space").is_none() && old.get("run").is_none(), "{old}");
    figure.data.series = vec![serde_json::from_value(old).unwrap()];
    assert_eq!(lines(&figure), [(hue("h"), false)]);
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

/// Sizes of all text in units, as they stand on the page.
fn text_sizes(svg: &str) -> Vec<f64> {
    let sizes = svg.split("font-size=\"").skip(1);
    sizes.map(|rest| rest[..rest.find('"').unwrap()].parse().unwrap()).collect()
}

#[test]
fn no_text_is_smaller_than_six_points_on_paper() {
    for figure in all() {
        for width_in in [3.25, 5.5, 6.75] {
            let mut figure = figure.clone();
            match &mut figure {
                Figure::Heatmap(f) => (f.spec.page.width_in, f.spec.page.text_pt) = (width_in, 7.0),
                Figure::Gallery(f) => (f.spec.page.width_in, f.spec.page.text_pt) = (width_in, 7.0),
                Figure::Sheet(f) => (f.spec.page.width_in, f.spec.page.text_pt) = (width_in, 7.0),
                Figure::Curve(f) => (f.spec.width_in, f.spec.text_pt) = (width_in, 7.0),
            }
            let svg = figure.svg().unwrap();
            let sizes = text_sizes(&svg);
            assert!(!sizes.is_empty());
            // plotters rounds sizes to a tenth of a unit, 1/200 pt.
            let least = f64::from(LEAST_PT) * 20.0 - 0.1;
            assert!(sizes.iter().all(|&size| size >= least), "{width_in}: {sizes:?}");
        }
    }
    let mut figure = heatmap();
    figure.spec.page.text_pt = 6.0;
    assert!(error(Figure::Heatmap(figure)).contains("text_pt is 6; expected 7 to 24"));
}

#[test]
fn rasters_are_embedded_without_smoothing() {
    for figure in all() {
        let svg = figure.svg().unwrap();
        assert_eq!(svg.matches("<image ").count(), svg.matches("image-rendering:pixelated").count());
        let pdf = figure.render(Format::Pdf).unwrap();
        let has = |words: &str| pdf.windows(words.len()).any(|w| w == words.as_bytes());
        // PDF 32000-1, 8.9.5.3: an image is interpolated only where its dictionary asks for it.
        assert!(!has("/Interpolate true"));
    }
}

#[test]
fn rows_of_heatmaps_bear_letters_and_share_titles_and_the_color_bar() {
    let svg = Figure::Heatmap(heatmaps(&[14, 20])).svg().unwrap();
    for words in [
        "(a) 14 × 14 px patches",
        "(b) 20 × 20 px patches",
        "queries (red dashes) at y, x: (a) 6, 8; (b) 6, 8",
    ] {
        assert!(svg.contains(words), "no text \"{words}\"");
    }
    assert_eq!(svg.matches("projection z").count(), 1, "column titles stand once");
    assert_eq!(svg.matches("id=\"color-bar\"").count(), 1);
    assert_eq!(svg.matches("class=\"query\"").count(), 6);
    let six = Figure::Heatmap(heatmaps(&[14; 6])).svg().unwrap();
    assert!(six.contains("(f) image 5 · horse") && six.contains("patch 14 × 14 px · stride 2 px"));
    let mut figure = heatmaps(&[14, 14]);
    figure.data.rows[1].spaces.pop();
    assert!(error(Figure::Heatmap(figure)).contains("row 1: spaces [\"z\"]; expected [\"z\", \"h\"]"));
}

#[test]
fn letters_are_a_matter_of_style() {
    let mut figure = heatmap();
    assert!(!Figure::Heatmap(figure.clone()).svg().unwrap().contains("(a)"));
    figure.spec.page.letters = Letters::Panels;
    let svg = Figure::Heatmap(figure).svg().unwrap();
    assert!(svg.contains("(a)") && svg.contains("(c)"));
    let mut figure = galleries(11, 3);
    assert!(Figure::Gallery(figure.clone()).svg().unwrap().contains("(c)"));
    figure.spec.page.letters = Letters::Off;
    assert!(!Figure::Gallery(figure).svg().unwrap().contains("(a)"));
}

#[test]
fn a_safe_palette_changes_colors_and_words_but_no_sign() {
    let mut figure = gallery(11);
    let paper = Figure::Gallery(figure.clone()).svg().unwrap();
    figure.spec.page.palette = BoxPalette::Safe;
    let safe = Figure::Gallery(figure.clone()).svg().unwrap();
    for (sign, color) in [("same-class", "#0072b2"), ("other-class", "#d55e00"), ("query", "#000000")] {
        let class = format!("class=\"{sign}\"");
        assert_eq!(safe.matches(&class).count(), paper.matches(&class).count());
        assert!(safe.lines().filter(|line| line.contains(&class)).all(|line| line.contains(color)), "{sign}");
        assert!(!paper.contains(color));
    }
    let caption = Figure::Gallery(figure).caption();
    assert!(caption.contains("Blue, triangle: same class") || caption.contains("blue, triangle: same class"));
    assert!(caption.contains("black dashes") && !caption.contains("red"), "{caption}");
}

#[test]
fn shares_by_rank_fill_their_strip() {
    let cells = &gallery(119).data.queries[0].spaces[0].cells;
    let bins = cells::share_by_rank(cells);
    assert_eq!(bins.len(), 20);
    assert!(bins.iter().all(|shares| (shares.iter().sum::<f64>() - 1.0).abs() < 1e-12));
    // Ranks 1 to 5: same image, same class, other class, same class, same image.
    assert_eq!(bins[0], [0.4, 0.4, 0.2, 0.0]);
    assert_eq!(cells::share_by_rank(&cells[..3]).len(), 3);
    let svg = Figure::Gallery(galleries(119, 2)).svg().unwrap();
    assert_eq!(svg.matches("class=\"shares\"").count(), 4);
    assert!(svg.contains("rank 1") && svg.contains("share by rank"));
}

#[test]
fn a_sheet_names_parts_by_row_and_column_and_positions_by_number() {
    let svg = Figure::Sheet(sheet(8, 6, false)).svg().unwrap();
    for name in ["1a", "1d", "2a", "2b"] {
        assert!(svg.lines().any(|line| line == name), "no part {name}");
    }
    let mut figure = sheet(8, 5, true);
    figure.spec.across = 3;
    let svg = Figure::Sheet(figure.clone()).svg().unwrap();
    assert_eq!(svg.matches("class=\"number\"").count(), 5);
    assert!(svg.contains("image 12 · plane") && svg.contains("embedding h: 8 nearest of 1,204,000 patches"));
    // A box on the image and a first cell for each of five positions, and the legend's.
    assert_eq!(svg.matches("class=\"query\"").count(), 11);
    figure.data.queries[2].at.x = 38;
    assert!(
        error(Figure::Sheet(figure)).contains("query 2: a patch of 6 pixels at y 2, x 38 leaves the image")
    );
    let mut figure = sheet(8, 3, false);
    figure.data.queries[1].spaces[0].cells.pop();
    assert!(error(Figure::Sheet(figure)).contains("query 1, space \"h\": 7 cells; expected k = 8"));
    let mut figure = sheet(8, 3, false);
    figure.spec.across = 0;
    assert!(error(Figure::Sheet(figure)).contains("across is 0; expected 1 to 26"));
}

#[test]
fn captions_are_latex_that_closes_what_it_opens() {
    for figure in all() {
        let tex = figure.latex(Path::new("some/where/fig 5_b.svg"));
        let opened = tex.replace("\\{", "").replace("\\}", "");
        assert_eq!(opened.matches('{').count(), opened.matches('}').count(), "{tex}");
        assert_eq!(tex.matches('$').count() % 2, 0, "{tex}");
        assert!(
            tex.contains("{fig 5_b.pdf}") && tex.contains("\\label{fig:fig-5-b}") && !tex.contains("where"),
            "{tex}"
        );
        assert!(figure.caption().starts_with("\\textbf{") && figure.caption().ends_with('.'), "{tex}");
    }
    let tex = all()[0].latex(Path::new("50%_{a}#1.svg"));
    // pdfLaTeX of TeX Live 2022 includes the file of that name.
    assert!(tex.contains(r"{50\string\%_\string\{a\string\}\string\#1.pdf}"), "{tex}");
    let gallery = Figure::Gallery(galleries(119, 2)).caption();
    for words in [
        "119 nearest neighbours of query patches in projection $z$ and embedding $h$",
        "1,204,000 patches",
        "Green, triangle: same class",
        "$z$ 118",
        "(b) image 1 $\\cdot$ horse",
    ] {
        assert!(gallery.to_lowercase().contains(&words.to_lowercase()), "no \"{words}\": {gallery}");
    }
    let maps = Figure::Heatmap(heatmaps(&[14, 20])).caption();
    assert!(maps.contains("(a) image 0 $\\cdot$ horse, $14\\times14$ patches every 2\\,px; (b)"), "{maps}");
}

#[test]
fn a_composed_query_is_drawn_said_and_kept() {
    let words = "a box of 20 × 9 px at y 3, x 4 of image 0 minus a box of 20 × 9 px at y 3, x 4 of image 5 (unit vectors)";
    assert_eq!(composed().words(), words);
    let mut map = heatmap();
    map.data.rows[0].composed = Some(composed());
    let mut near = gallery(8);
    near.data.queries[0].composed = Some(composed());
    for figure in [Figure::Heatmap(map.clone()), Figure::Gallery(near)] {
        let svg = figure.svg().unwrap();
        assert!(svg.contains("a box of 20 × 9 px at y 3"), "{svg}");
        let caption = figure.caption();
        assert!(caption.contains("minus a box of 20 $\\times$ 9 px at y 3, x 4 of image 5"), "{caption}");
        let sidecar = Sidecar { figure: figure.clone(), format: Format::Svg, source: json!(null) };
        assert_eq!(Sidecar::from_json(&sidecar.to_json().unwrap()).unwrap().figure, figure);
    }
    // The part on the shown image is marked with its sign, in the image and in both maps; the other is elsewhere.
    let svg = Figure::Heatmap(map.clone()).svg().unwrap();
    assert_eq!((svg.matches("class=\"query\"").count(), svg.matches("class=\"sign\"").count()), (3, 3));
    map.data.rows[0].composed.as_mut().unwrap().parts[0].source =
        PartSource::Box(BoxRef { image: 0, y: 3, x: 20, height: 9, width: 20 });
    let error = format!("{:#}", Figure::Heatmap(map).svg().unwrap_err());
    assert!(error.contains("row 0") && error.contains("leaves the image of 32 x 32"), "{error}");
}

#[test]
fn text_as_outlines_looks_as_text_does_and_needs_no_font() {
    for mut figure in [Figure::Heatmap(heatmap()), Figure::Gallery(gallery(8))] {
        let outlined = String::from_utf8(figure.render(Format::Svg).unwrap()).unwrap();
        assert!(!outlined.contains("<text") && outlined.contains("aria-label=\"projection z\""));
        figure.set_text(TextAs::Font);
        let text = String::from_utf8(figure.render(Format::Svg).unwrap()).unwrap();
        assert!(text.contains("<text") && text.contains("projection z"));
        let [paths, letters] = [&outlined, &text].map(|svg| output::picture_from_svg(svg, 150.0).unwrap().0);
        // The renderer has four scan lines in a pixel: rounding to 1/200 pt moves an edge over at most one, seldom.
        let differences = paths.rgb().iter().zip(letters.rgb()).map(|(a, b)| a.abs_diff(*b));
        assert!(differences.clone().max() <= Some(64), "{:?}", differences.max());
        let moved = differences.filter(|difference| *difference > 4).count();
        assert!(moved * 500 < paths.rgb().len(), "{moved} of {} bytes differ", paths.rgb().len());
        assert!(paths.rgb().iter().any(|v| *v < 0x60), "there is ink");
    }
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

#[test]
fn nothing_is_left_to_clipping() {
    // Patches that are smaller than the stride: their cells would leave the image.
    let mut figure = heatmap();
    let row = &mut figure.data.rows[0];
    row.grid = PatchGrid { patch: 4, stride: 9 };
    row.query = [9, 18];
    row.spaces.iter_mut().for_each(|space| space.scores.truncate(16));
    let svg = Figure::Heatmap(figure).svg().unwrap();
    assert!(!svg.contains("clip"), "{svg}");
}

#[test]
fn a_contour_is_drawn_where_the_level_is_and_said() {
    let mut figure = heatmap();
    assert!(!Figure::Heatmap(figure.clone()).svg().unwrap().contains("contour"));
    figure.spec.contour = Some(0.25);
    let figure = Figure::Heatmap(figure);
    let svg = figure.svg().unwrap();
    assert_eq!(svg.matches("class=\"contour\"").count(), 2, "a line on each map");
    assert!(svg.contains("line at 0.25") && figure.caption().contains("The line on the maps is at $0.25$."));
}

/// A file of the font Hack, which is no font of figures unless chosen.
fn hack(folder: &Path) -> FontSource {
    let path = folder.join("hack.ttf");
    fs::write(&path, epaint_default_fonts::HACK_REGULAR).unwrap();
    FontSource::File(path)
}

#[test]
fn a_chosen_font_draws_all_text_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let font = hack(folder.path()).load().unwrap();
    assert_eq!(font.as_ref().unwrap().family, "Hack");
    for mut figure in all() {
        let own = figure.render(Format::Png { dpi: 72 }).unwrap();
        figure.set_font(font.clone());
        figure.set_text(TextAs::Font);
        let svg = String::from_utf8(figure.render(Format::Svg).unwrap()).unwrap();
        let families = svg.matches("font-family=\"Hack, sans-serif\"").count();
        assert!(families > 0 && families == svg.matches("font-family").count(), "{families}");
        assert!(svg.contains("font-weight=\"400\"") && !svg.contains("font-weight=\"300\""));
        let pdf = figure.render(Format::Pdf).unwrap();
        let has = |words: &str| pdf.windows(words.len()).any(|w| w == words.as_bytes());
        assert!(has("Hack-Regular") && !has("Ubuntu"));
        assert_ne!(figure.render(Format::Png { dpi: 72 }).unwrap(), own);
        // The sidecar tells the font, and gives the same bytes while its file is known.
        let sidecar = Sidecar { figure: figure.clone(), format: Format::Pdf, source: json!(null) };
        let again = Sidecar::from_json(&sidecar.to_json().unwrap()).unwrap().figure;
        assert_eq!(again, figure);
        assert_eq!(again.render(Format::Pdf).unwrap(), pdf);
    }
    // Every character of Hack is 1233 of 2048 units wide.
    let width = font::with(font.as_ref(), || Ok(canvas::text_width("iiMMM", 2048))).unwrap();
    assert!((width - 5 * 1233).abs() <= 1, "{width}");
}

#[test]
fn a_font_that_is_not_at_hand_is_named_with_what_to_do() {
    let mut figure = Figure::Heatmap(heatmap());
    figure.set_font(Some(FontChoice { family: "Inter".into(), sha256: "0123456789abcdef".into() }));
    let error = error(figure);
    assert!(error.contains("the font Inter (sha256 01234567)") && error.contains("--font FILE"), "{error}");
}

#[test]
fn what_a_font_lacks_is_drawn_in_the_programs_own_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("icons.ttf");
    fs::write(&path, epaint_default_fonts::EGUI_ICONS).unwrap();
    let mut map = heatmap();
    map.data.rows[0].title = "image 0 \u{b7} 猫".into();
    let mut figure = Figure::Heatmap(map);
    let own = figure.preview(Format::Pdf, 72.0).unwrap();
    assert!(own.lacking.unwrap().contains("no font here has \u{201c}猫\u{201d}"));
    let font = FontSource::File(path).load().unwrap();
    figure.set_font(font.clone());
    let shown = figure.preview(Format::Pdf, 72.0).unwrap();
    let lacking = shown.lacking.unwrap();
    assert!(lacking.starts_with("the font emoji lacks \u{201c}"), "{lacking}");
    assert!(lacking.contains("more characters: drawn in Ubuntu Light; no font here has \u{201c}猫\u{201d}"));
    // Letters are there all the same: shapes of as many commands as in the program's own font.
    let shape = |figure: &Figure| {
        let svg = String::from_utf8(figure.render(Format::Svg).unwrap()).unwrap();
        let at = svg.find("aria-label=\"projection z\"").unwrap();
        let path = svg[at..].split('"').nth(5).unwrap().to_owned();
        path.chars().filter(char::is_ascii_alphabetic).collect::<String>()
    };
    let substituted = shape(&figure);
    figure.set_font(None);
    assert_eq!(shape(&figure), substituted);
    figure.set_font(font);
    // The bytes do not depend on the order of two fonts.
    for _ in 0..8 {
        assert_eq!(figure.render(Format::Pdf).unwrap(), shown.file);
    }
}

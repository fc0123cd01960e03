//! Galleries and sheets: boxes, signs, counts, shares, composed queries.

use super::*;

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

//! Heatmaps: one scale, titles, letters, contours.

use super::*;

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
fn a_contour_is_drawn_where_the_level_is_and_said() {
    let mut figure = heatmap();
    assert!(!Figure::Heatmap(figure.clone()).svg().unwrap().contains("contour"));
    figure.spec.contour = Some(0.25);
    let figure = Figure::Heatmap(figure);
    let svg = figure.svg().unwrap();
    assert_eq!(svg.matches("class=\"contour\"").count(), 2, "a line on each map");
    assert!(svg.contains("line at 0.25") && figure.caption().contains("The line on the maps is at $0.25$."));
}

//! The page: its size, words, letters, captions.

use super::*;

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
                Figure::Panels(f) => (f.spec.width_in, f.spec.text_pt) = (width_in, 7.0),
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

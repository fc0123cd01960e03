//! Pages of panels: letters, names on axes, bands, and what cannot be drawn.

use super::*;

#[test]
fn panels_bear_letters_and_axes_bear_names() {
    let svg = Figure::Panels(panels()).svg().unwrap();
    for words in ["Three panels", "(a) by stage", "(b) counts", "(c) image 4", "pixels", "a note"] {
        assert!(svg.contains(words), "{words}");
    }
    // One band for each of two series; the colours of the matrix and of its bar, and the picture, are rasters.
    assert_eq!(svg.matches("<polygon").count(), 2);
    assert_eq!(svg.matches("<image ").count(), 3);
    let caption = Figure::Panels(panels()).caption();
    assert!(caption.contains("(a) by stage; (b) counts; (c) image 4."), "{caption}");
    let mut single = panels();
    single.data.panels.truncate(1);
    assert!(!Figure::Panels(single).svg().unwrap().contains("(a)"));
}

#[test]
fn a_band_has_the_gaps_of_its_edges_and_widens_the_axis() {
    let mut figure = curve();
    let y = figure.data.series[0].y.clone();
    let mut low: Vec<f64> = y.iter().map(|y| y - 5.0).collect();
    low[20] = f64::NAN;
    figure.data.series[0].band = Some(CurveBand { low, high: y });
    let svg = Figure::Curve(figure.clone()).svg().unwrap();
    assert_eq!(svg.matches("<polygon").count(), 2);
    assert!(svg.contains("\u{2212}4"), "the axis reaches down to the band");
    figure.spec.log_y = true;
    assert!(error(Figure::Curve(figure)).contains("logarithmic"));
}

#[test]
fn a_matrix_may_have_gaps() {
    let with = |value: f32| {
        let mut figure = panels();
        if let Panel::Matrix(matrix) = &mut figure.data.panels[1] {
            matrix.values[2] = value;
        }
        Figure::Panels(figure).svg().unwrap()
    };
    assert_ne!(with(f32::NAN), with(0.0));
}

#[test]
fn a_matrix_of_few_names_bears_them_and_its_numbers() {
    let with = |names: &[&str]| {
        let mut figure = panels();
        if let Panel::Matrix(matrix) = &mut figure.data.panels[1] {
            (matrix.rows, matrix.cols, matrix.values) = (2, 2, vec![1.0, 0.37, 0.37, 1.0]);
            matrix.names = names.iter().map(|name| (*name).to_owned()).collect();
        }
        Figure::Panels(figure)
    };
    let svg = with(&["stage3 A", "token-block11norm B"]).svg().unwrap();
    // Once beside its row, once below its column.
    assert_eq!((svg.matches("stage3 A").count(), svg.matches("0.37").count()), (2, 2), "{svg}");
    assert!(!with(&[]).svg().unwrap().contains("0.37"));
    assert!(error(with(&["h"])).contains("panel 1: 1 names for 2 rows and 2 columns"));
}

#[test]
fn what_does_not_fit_together_names_the_panel() {
    let mut figure = panels();
    if let Panel::Matrix(matrix) = &mut figure.data.panels[1] {
        matrix.cols = 4;
    }
    let told = error(Figure::Panels(figure));
    assert!(told.contains("panel 1: 6 values; expected 2 rows x 4 columns"), "{told}");
    let mut figure = panels();
    if let Panel::Curves(panel) = &mut figure.data.panels[0]
        && let Some(band) = &mut panel.curves.series[1].band
    {
        band.low.pop();
    }
    let told = error(Figure::Panels(figure));
    assert!(told.contains("panel 0: series \"test\": 3 positions but 2 and 3 edges of its band"), "{told}");
    let mut figure = panels();
    if let Panel::Curves(panel) = &mut figure.data.panels[0] {
        panel.curves.series[0].x[2] = 1e14;
    }
    let told = error(Figure::Panels(figure));
    assert!(told.contains("position 100000000000000 on an axis of 3 names"), "{told}");
    let mut figure = panels();
    figure.data.panels.clear();
    assert!(error(Figure::Panels(figure)).contains("0 given; expected 1 to 64"));
}

#[test]
fn as_many_panels_as_may_be_take_more_rows_and_one_more_is_refused() {
    let mut figure = panels();
    let panel = figure.data.panels[0].clone();
    figure.data.panels = vec![panel; MAX_PANELS];
    let svg = Figure::Panels(figure.clone()).svg().unwrap();
    assert!(svg.contains("(a) by stage") && svg.contains("(bl) by stage"));
    figure.data.panels.push(figure.data.panels[0].clone());
    assert!(error(Figure::Panels(figure)).contains("65 given"));
}

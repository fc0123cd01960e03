//! Curves: gaps, axes, hues and strokes.

use super::*;

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

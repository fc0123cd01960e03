//! Figure 3a in panels, and which patches carry the mean of an image.

use crate::analysis::carried::SpaceCarried;
use crate::analysis::convergence::{ConvergencePoint, OverDraws, SpaceConvergence};
use crate::colormap::Colormap;
use crate::engine::figures::plotted::{curves, line};
use crate::figure::{CurveAxis, MatrixPanel, Panel, PicturePanel};
use crate::image::Image;

/// What the maps of [`carried_panels`] show.
pub const CARRIED_NOTE: &str = "how far R, the mean of all patches, turns without each of them: 1 - cosine, as a multiple \
                                of its mean over the patches; one colour scale for all spaces";

/// What the lines and bands of [`convergence_panels`] are.
pub const CONVERGENCE_NOTE: &str = "lines: means over images; bands: from a tenth to nine tenths of them";

/// Two panels, the first where the vector of the whole image is known: with that, and with the mean over all.
pub fn convergence_panels(spaces: &[SpaceConvergence]) -> Vec<Panel> {
    let panel = |title: &str, of: fn(&ConvergencePoint) -> Option<OverDraws>| {
        let series = spaces.iter().map(|space| {
            let each = |value: fn(OverDraws) -> f64| {
                space.points.iter().map(|point| of(point).map_or(f64::NAN, value)).collect()
            };
            let x = space.points.iter().map(|point| point.patches.1 as f64).collect();
            line(&space.space, x, each(|o| o.mean), Some((each(|o| o.p10), each(|o| o.p90))))
        });
        let axes = (CurveAxis::of("patches in the mean", ""), CurveAxis::of("cosine", ""));
        let mut panel = curves(title, axes.0, axes.1, series.collect());
        panel.log_x = true;
        Panel::Curves(panel)
    };
    let has_whole = spaces.iter().flat_map(|space| &space.points).any(|point| point.whole.is_some());
    let whole = has_whole.then(|| panel("with the whole image's vector", |point| point.whole));
    let mean = panel("with the mean of all patches", |point| Some(point.mean));
    whole.into_iter().chain([mean]).collect()
}

/// The image, called `title`, and for each space a map of its patches, `(rows, cols)` of them.
pub fn carried_panels(
    title: &str,
    image: &Image,
    names: &[String],
    spaces: &[SpaceCarried],
    (rows, cols): (usize, usize),
) -> Vec<Panel> {
    let most = SpaceCarried::most(spaces);
    let picture = Panel::Picture(PicturePanel { title: title.to_owned(), image: image.clone() });
    let maps = names.iter().zip(spaces).map(|(name, space)| {
        Panel::Matrix(MatrixPanel {
            title: name.clone(),
            rows,
            cols,
            values: space.relative.iter().map(|v| *v as f32).collect(),
            range: [0.0, most],
            colormap: Colormap::default(),
            row_label: String::new(),
            col_label: String::new(),
            names: vec![],
        })
    });
    [picture].into_iter().chain(maps).collect()
}

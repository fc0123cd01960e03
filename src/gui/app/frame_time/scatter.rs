//! What many points on a plane cost: a frame that shows them while the view zooms, and drawing them anew, which a thread does.

use std::hint::black_box;
use std::time::Instant;

use anyhow::Context as _;
use eframe::egui::{
    Color32, Event, Modifiers, MouseWheelSource, MouseWheelUnit, Pos2, Rect, TouchPhase, pos2, vec2,
};

use super::stage::{SIZE, Stage};
use crate::engine::jobs::bench::{Measure, times};
use crate::engine::{Command, ExploreConfig};
use crate::gui::nouns::ExploreView;
use crate::gui::paint::dots::{PlaneView, raster};
use crate::patch::PatchGrid;
use crate::progress::CancelToken;
use crate::words::thousands;

/// 10 x 10 patches of each built-in image: 102,400 of the 1,024 that are searched.
const GRID: PatchGrid = PatchGrid { patch: 16, stride: 5 };
/// Points that are laid out for each repetition; so many repetitions have them all.
const POINTS: usize = 3_413;
/// Points that are drawn.
const DRAWN: [usize; 2] = [100_000, 1_000_000];
/// A turn of the wheel, points.
const WHEEL: f32 = 40.0;
/// Frames in which the view comes nearer, before it goes back as far.
const NEARER: usize = 40;

/// A frame with points laid out.
pub fn zoomed(stage: &mut Stage, count: usize, cancel: &CancelToken) -> anyhow::Result<Vec<Measure>> {
    let config = stage.app.desk.session.config().context("nothing to explore")?;
    stage.app.desk.session.send_config(ExploreConfig { grid: GRID, gallery_stride: GRID.stride, ..config });
    stage.app.desk.session.send(Command::PauseExtraction(false));
    stage.app.desk.view = ExploreView::Scatter;
    let (grid, wanted) = (GRID, POINTS * count);
    stage.wait("the points of a plane", |app| {
        let scatter = &app.desk.session.snapshot().views.scatter;
        let laid_out = scatter.plane.as_ref().filter(|shown| shown.spec.grid == grid);
        laid_out.is_some_and(|shown| {
            let count = shown.plane.rows.len();
            (count >= wanted || count == shown.total) && scatter.tints.is_some()
        })
    })?;
    cancel.check()?;
    stage.app.desk.session.send(Command::PauseExtraction(true));
    let laid_out = stage.app.desk.session.snapshot().views.scatter.plane.clone();
    let points = laid_out.context("no plane on show")?.plane.rows.len();
    let secs = zoom(stage, 20 * count);
    stage.app.desk.view = ExploreView::default();
    times(&format!("interface work per frame, scatter of {} points, zoomed", thousands(points)), &secs)
}

/// The wheel turns over the plane, a frame each, at a display's pace; what each frame took, seconds.
fn zoom(stage: &mut Stage, frames: usize) -> Vec<f64> {
    let middle = pos2(SIZE.x / 2.0, SIZE.y * 0.6);
    let wheel = |at: usize| Event::MouseWheel {
        unit: MouseWheelUnit::Point,
        delta: vec2(0.0, if (at / NEARER).is_multiple_of(2) { WHEEL } else { -WHEEL }),
        phase: TouchPhase::Move,
        modifiers: Modifiers::NONE,
        source: MouseWheelSource::Wheel,
    };
    stage.paced(frames, |at| vec![Event::PointerMoved(middle), wheel(at)])
}

/// Drawing points anew, without a window.
pub fn drawing(count: usize) -> anyhow::Result<Vec<Measure>> {
    let pane = Rect::from_min_size(Pos2::ZERO, vec2(1000.0, 700.0));
    let mut measures = vec![];
    for points in DRAWN {
        let place = |i: usize| [(i as f32 * 0.754_877_7).fract(), (i as f32 * 0.569_840_3).fract()];
        let at: Vec<[f32; 2]> = (0..points).map(place).collect();
        let (colors, view) =
            (vec![Color32::GRAY; points], PlaneView::whole([[0.0; 2], [1.0; 2]], pane.size()));
        let secs: Vec<f64> = (0..count)
            .map(|_| {
                let clock = Instant::now();
                black_box(raster(&at, &colors, &view, pane, 1.0));
                clock.elapsed().as_secs_f64()
            })
            .collect();
        measures.extend(times(&format!("{} points of a plane drawn anew", thousands(points)), &secs)?);
    }
    Ok(measures)
}

//! The thread that draws points: no frame waits for a million of them. What was drawn last is moved along until the next is
//! there.

use std::sync::{Arc, Mutex};
use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};
use eframe::egui::{Color32, Context, Rect, TextureHandle, TextureOptions};

use crate::colormap::Colormap;
use crate::engine::{PointTints, ShownPlane};
use crate::gui::paint::dots::{Dots, PlaneView, colors, raster, spread};

/// Patches take the place of points from so few on.
const FEW: usize = 1500;

/// What is to be drawn.
#[derive(Clone)]
pub struct DotsJob {
    /// The points.
    pub plane: Arc<ShownPlane>,
    /// Their values; of none all have one colour.
    pub tints: Option<Arc<PointTints>>,
    /// Colours of numbers.
    pub colormap: Colormap,
    /// Whether the background is dark.
    pub dark: bool,
    /// What is seen.
    pub view: PlaneView,
    /// Where.
    pub pane: Rect,
    /// Pixels for a point of the screen.
    pub pixels_per_point: f32,
    /// Whether patches are wanted however many points are seen.
    pub patches: bool,
    /// Side of a patch, points of the screen.
    pub patch_side: f32,
}

impl DotsJob {
    fn same_colors(&self, other: &Self) -> bool {
        let tints = |job: &Self| job.tints.as_ref().map(Arc::as_ptr);
        Arc::ptr_eq(&self.plane, &other.plane)
            && tints(self) == tints(other)
            && (self.colormap, self.dark) == (other.colormap, other.dark)
    }

    fn is_same(&self, other: &Self) -> bool {
        let place = |job: &Self| (job.view, job.pane, job.pixels_per_point, job.patches);
        self.same_colors(other) && place(self) == place(other)
    }
}

/// What was drawn.
pub struct DrawnDots {
    /// What was asked for.
    pub job: DotsJob,
    /// Points that are seen.
    pub seen: usize,
    /// Points whose patches stand for those around them; none where there are too many.
    pub chosen: Vec<u32>,
    /// The colour of each of the plane's points.
    pub colors: Arc<Vec<Color32>>,
    dots: Option<Dots>,
}

/// The window's end of the thread.
#[derive(Default)]
pub struct DotsPainter {
    jobs: Option<Sender<(DotsJob, Context)>>,
    drawn: Arc<Mutex<Option<DrawnDots>>>,
    asked: Option<DotsJob>,
    shown: Option<(DrawnDots, TextureHandle)>,
}

impl DotsPainter {
    /// Has `job` drawn, unless it is what was asked for last.
    pub fn ask(&mut self, ctx: &Context, job: DotsJob) {
        if self.asked.as_ref().is_some_and(|asked| asked.is_same(&job)) {
            return;
        }
        if self.jobs.is_none() {
            let (sender, receiver) = unbounded();
            let drawn = self.drawn.clone();
            // Without a thread nothing is drawn, and the next frame tries again.
            let started =
                thread::Builder::new().name("dots".into()).spawn(move || paint_all(&drawn, &receiver));
            self.jobs = started.ok().map(|_| sender);
        }
        if let Some(jobs) = &self.jobs
            && jobs.send((job.clone(), ctx.clone())).is_ok()
        {
            self.asked = Some(job);
        }
    }

    /// What was drawn last of plane `number`, on the GPU.
    pub fn shown(&mut self, ctx: &Context, number: u64) -> Option<(&DrawnDots, &TextureHandle)> {
        let newest = self.drawn.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        if let Some(mut newest) = newest
            && let Some(dots) = newest.dots.take()
        {
            let texture = match self.shown.take() {
                Some((_, mut texture)) => {
                    texture.set(dots.image, TextureOptions::LINEAR);
                    texture
                }
                None => ctx.load_texture("points of the plane", dots.image, TextureOptions::LINEAR),
            };
            self.shown = Some((newest, texture));
        }
        self.shown_last().filter(|(drawn, _)| drawn.job.plane.number == number)
    }

    /// What was on show last.
    pub fn shown_last(&self) -> Option<(&DrawnDots, &TextureHandle)> {
        self.shown.as_ref().map(|(drawn, texture)| (drawn, texture))
    }
}

fn paint_all(drawn: &Mutex<Option<DrawnDots>>, jobs: &Receiver<(DotsJob, Context)>) {
    let mut known: Option<(DotsJob, Arc<Vec<Color32>>)> = None;
    while let Ok(first) = jobs.recv() {
        let (job, ctx) = jobs.try_iter().last().unwrap_or(first);
        let points = &job.plane.plane.at;
        let colors = match known.take().filter(|(before, _)| before.same_colors(&job)) {
            Some((_, colors)) => colors,
            None => {
                let tints = job.tints.as_ref().map(|tints| &tints.tints);
                Arc::new(colors(points.len(), tints, job.colormap, job.dark))
            }
        };
        let dots = raster(points, &colors, &job.view, job.pane, job.pixels_per_point);
        let seen = dots.seen;
        let chosen = match job.patches || seen <= FEW {
            true => spread(points, &job.view, job.pane, job.patch_side),
            false => vec![],
        };
        known = Some((job.clone(), colors.clone()));
        let new = DrawnDots { job, seen, chosen, colors, dots: Some(dots) };
        *drawn.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(new);
        ctx.request_repaint();
    }
}

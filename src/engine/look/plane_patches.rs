//! The thread that cuts out the patches of points of a plane, and picks the points inside an outline. It holds no tensors.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::dataset::Dataset;
use crate::engine::ask::{
    ABOUT_PICKED, EngineLine, Event, MOST_PICKED, POINT_SIDE, PickedPatch, PickedPoints, PointPicture,
    PointPictures, ShownPlane,
};
use crate::engine::look::plane::PlaneBoard;
use crate::engine::look::plane_table::write_points;
use crate::engine::look::thumbnails::reduced;
use crate::image::Image;
use crate::patch::PatchRef;

/// What is read is shown this often at most.
const PERIOD: Duration = Duration::from_millis(120);
/// Patches that are kept for the next time, at most 7 kB each.
const KEPT: usize = 4096;

/// What is wanted of a plane.
pub struct PatchJob {
    pub plane: Arc<ShownPlane>,
    pub data: Arc<dyn Dataset>,
    pub data_id: u64,
    pub wants: PatchWants,
}

/// Which part of it.
pub enum PatchWants {
    /// The pixels of these points.
    Pictures(Vec<u32>),
    /// The points inside an outline.
    Pick(Vec<[f32; 2]>),
    /// None of them any more.
    Unpick,
    /// A table of what was picked last.
    Table(PathBuf),
}

/// The engine's end of the thread.
pub struct PlanePatches(Sender<PatchJob>);

impl PlanePatches {
    /// Starts the thread.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(line: Arc<EngineLine>, board: Arc<PlaneBoard>) -> anyhow::Result<Self> {
        let (jobs, receiver) = unbounded();
        let work = move || {
            let (cut, picked) = (CutPatches::default(), None);
            PatchThread { line, board, cut, picked }.run(&receiver);
        };
        thread::Builder::new().name("patches".into()).spawn(work).context("could not start a thread")?;
        Ok(Self(jobs))
    }

    /// Asks.
    pub fn request(&self, job: PatchJob) {
        // Fails only if the thread died; points then stay points.
        let _ = self.0.send(job);
    }
}

/// Patches that were cut out, and the last image that some were cut from.
#[derive(Default)]
struct CutPatches {
    data: u64,
    kept: HashMap<PatchRef, Arc<Image>>,
    image: Option<(u32, Image)>,
}

impl CutPatches {
    /// The pixels of a patch; grey if its image cannot be read any more.
    fn get(&mut self, data: &dyn Dataset, patch: PatchRef) -> Arc<Image> {
        if let Some(known) = self.kept.get(&patch) {
            return known.clone();
        }
        if self.image.as_ref().is_none_or(|(index, _)| *index != patch.image) {
            self.image = data.image(patch.image as usize).ok().map(|image| (patch.image, image));
        }
        let fits =
            |image: &Image| patch.y + patch.size <= image.height() && patch.x + patch.size <= image.width();
        let cut = match &self.image {
            Some((_, image)) if fits(image) => {
                reduced(&image.crop(patch.y, patch.x, patch.size, patch.size), POINT_SIDE)
            }
            _ => Image::filled(1, 1, [128; 3]),
        };
        if self.kept.len() >= KEPT {
            self.kept.clear();
        }
        let cut = Arc::new(cut);
        self.kept.insert(patch, cut.clone());
        cut
    }
}

struct PatchThread {
    line: Arc<EngineLine>,
    board: Arc<PlaneBoard>,
    cut: CutPatches,
    /// What was picked last.
    picked: Option<Arc<PickedPoints>>,
}

impl PatchThread {
    fn run(&mut self, jobs: &Receiver<PatchJob>) {
        let mut waiting: Vec<PatchJob> = vec![];
        loop {
            waiting.extend(jobs.try_iter());
            newest_pictures_only(&mut waiting);
            let job = match waiting.is_empty() {
                false => waiting.remove(0),
                true => match jobs.recv() {
                    Ok(job) => job,
                    Err(_) => return,
                },
            };
            if self.cut.data != job.data_id {
                self.cut = CutPatches { data: job.data_id, ..CutPatches::default() };
            }
            let PatchJob { plane, data, wants, .. } = job;
            match wants {
                PatchWants::Pictures(points) => self.pictures(&plane, data.as_ref(), &points, jobs),
                PatchWants::Pick(outline) => self.pick(&plane, data.as_ref(), outline),
                PatchWants::Unpick => {
                    self.picked = None;
                    self.board.show_of(plane.number, |shown| shown.picked = None);
                }
                PatchWants::Table(path) => self.table(&plane, data.as_ref(), path),
            }
        }
    }

    /// Shows the pixels of `points`, more by and by, until something else is wanted.
    fn pictures(
        &mut self,
        plane: &ShownPlane,
        data: &dyn Dataset,
        points: &[u32],
        newer: &Receiver<PatchJob>,
    ) {
        // Image by image, so that each is decoded once; what is known comes at once.
        let patch = |point: &u32| plane.plane.patches.get(*point as usize).copied();
        let mut wanted: Vec<(u32, PatchRef)> =
            points.iter().filter_map(|point| Some((*point, patch(point)?))).collect();
        wanted.sort_unstable_by_key(|(_, patch)| (!self.cut.kept.contains_key(patch), patch.image));
        let mut pictures = Vec::with_capacity(wanted.len());
        let mut told = Instant::now();
        for (index, (point, patch)) in wanted.iter().enumerate() {
            pictures.push(PointPicture { point: *point, pixels: self.cut.get(data, *patch) });
            let is_last = index + 1 == wanted.len();
            if is_last || told.elapsed() >= PERIOD {
                told = Instant::now();
                let known = PointPictures { plane: plane.number, pictures: pictures.clone() };
                self.board.show_of(plane.number, |shown| shown.pictures = Some(Arc::new(known)));
                if !newer.is_empty() {
                    return;
                }
            }
        }
    }

    /// Shows what is inside the outline, its count at once and its pixels by and by.
    fn pick(&mut self, plane: &ShownPlane, data: &dyn Dataset, outline: Vec<[f32; 2]>) {
        let points = plane.plane.inside(&outline);
        let board = self.board.clone();
        let shows = |picked: PickedPoints| {
            let picked = Arc::new(picked);
            board.show_of(plane.number, |shown| shown.picked = Some(picked.clone()));
            picked
        };
        // How many there are is told before any is read.
        let number = plane.number;
        let bare =
            PickedPoints { plane: number, outline: outline.clone(), points: points.clone(), patches: vec![] };
        shows(bare);
        let first: Vec<PatchRef> =
            points.iter().take(MOST_PICKED).map(|point| plane.plane.patches[*point as usize]).collect();
        let mut pixels: HashMap<PatchRef, Arc<Image>> = HashMap::new();
        let mut by_image = first.clone();
        by_image.sort_unstable_by_key(|patch| patch.image);
        for patch in by_image {
            let cut = self.cut.get(data, patch);
            pixels.insert(patch, cut);
        }
        let picked = |patch: &PatchRef| {
            let image = patch.image as usize;
            let class = data.label(image).and_then(|label| data.classes().get(label as usize).cloned());
            PickedPatch {
                patch: *patch,
                image_name: data.image_name(image),
                class,
                pixels: pixels[patch].clone(),
            }
        };
        let patches = first.iter().map(picked).collect();
        self.picked = Some(shows(PickedPoints { plane: number, outline, points, patches }));
    }

    fn table(&self, plane: &ShownPlane, data: &dyn Dataset, path: PathBuf) {
        let picked = self.picked.as_ref().filter(|picked| picked.plane == plane.number);
        let label = |point: usize| data.label(plane.plane.patches[point].image as usize);
        let done =
            picked.context("nothing is picked; draw an outline about some points first").and_then(|picked| {
                let points = picked.points.iter().map(|point| *point as usize);
                write_points(&path, &plane.plane, data, (&label, data.classes()), points)
            });
        self.line.emit(match done {
            Ok(()) => Event::TableSaved { path },
            Err(error) => Event::Failed { about: ABOUT_PICKED.into(), message: format!("{error:#}") },
        });
    }
}

/// Of several wishes for pictures only the last counts.
fn newest_pictures_only(waiting: &mut Vec<PatchJob>) {
    let is_of_pictures = |job: &PatchJob| matches!(job.wants, PatchWants::Pictures(_));
    let last = waiting.iter().rposition(is_of_pictures);
    let mut index = 0;
    waiting.retain(|job| {
        index += 1;
        !is_of_pictures(job) || Some(index - 1) == last
    });
}

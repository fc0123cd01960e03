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
        let first = &points[..points.len().min(MOST_PICKED)];
        let patch = |point: &u32| plane.plane.patches[*point as usize];
        let mut pixels: HashMap<PatchRef, Arc<Image>> = HashMap::new();
        let mut by_image: Vec<PatchRef> = first.iter().map(patch).collect();
        by_image.sort_unstable_by_key(|patch| patch.image);
        for patch in by_image {
            let cut = self.cut.get(data, patch);
            pixels.insert(patch, cut);
        }
        let picked = |point: &u32| {
            let patch = patch(point);
            PickedPatch {
                patch,
                image_name: data.image_name(patch.image as usize),
                class: plane.class(*point as usize).map(str::to_owned),
                pixels: pixels[&patch].clone(),
            }
        };
        let patches = first.iter().map(picked).collect();
        self.picked = Some(shows(PickedPoints { plane: number, outline, points, patches }));
    }

    fn table(&self, plane: &ShownPlane, data: &dyn Dataset, path: PathBuf) {
        let picked = self.picked.as_ref().filter(|picked| picked.plane == plane.number);
        let label = |point: usize| plane.labels.get(point).copied().flatten();
        let done =
            picked.context("nothing is picked; draw an outline about some points first").and_then(|picked| {
                let points = picked.points.iter().map(|point| *point as usize);
                write_points(&path, &plane.plane, data, (&label, &plane.spec.classes[..]), points)
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::analysis::pca::PrincipalAxes;
    use crate::analysis::plane::index::PlaneIndex;
    use crate::analysis::plane::{PatchPlane, PlaneWay};
    use crate::bank::BankSpec;
    use crate::dataset::{self, Split};
    use crate::engine::ask::line;
    use crate::patch::PatchGrid;

    /// A patch of each of three images that a table gives the labels 1, none and 0.
    fn plane() -> ShownPlane {
        let grid = PatchGrid { patch: 8, stride: 8 };
        let at = vec![[0.0, 0.5], [1.0, 0.0], [-1.0, -0.5]];
        let plane = PatchPlane {
            space: "h".into(),
            way: PlaneWay::Pca,
            grid,
            axes: PrincipalAxes { mean: vec![], axes: vec![], explained: vec![] },
            fitted: 3,
            of: 3,
            rows: vec![0, 1, 2],
            patches: (0..3).map(|image| PatchRef { image, y: 0, x: 8, size: 8 }).collect(),
            index: PlaneIndex::of(&at),
            at,
            norms: vec![1.0; 3],
        };
        let classes = vec!["ant".into(), "cow".into()];
        let spec = BankSpec { classes, ..BankSpec::of_test(grid, &[]) };
        ShownPlane { number: 1, plane, spec, labels: vec![Some(1), None, Some(0)], images: (3, 3), total: 3 }
    }

    #[test]
    fn what_is_picked_has_the_classes_of_the_bank_and_not_of_the_open_images() {
        let data = dataset::open("demo", Some(Split::Test)).unwrap();
        let (engine, line) = line(|| {});
        let line = Arc::new(line);
        let board = Arc::new(PlaneBoard::new(line.clone()));
        let mut thread = PatchThread { line, board, cut: CutPatches::default(), picked: None };
        let plane = plane();
        thread.pick(&plane, data.as_ref(), vec![[-2.0, -2.0], [2.0, -2.0], [2.0, 2.0], [-2.0, 2.0]]);
        let mut found: Vec<_> = thread.picked.as_ref().unwrap().patches.iter().collect();
        found.sort_by_key(|picked| picked.patch.image);
        let classes: Vec<_> = found.iter().map(|picked| picked.class.as_deref()).collect();
        assert_eq!(classes, [Some("cow"), None, Some("ant")]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picked.csv");
        thread.table(&plane, data.as_ref(), path.clone());
        assert!(matches!(&engine.drain_events()[..], [Event::TableSaved { .. }]));
        let written = fs::read_to_string(path).unwrap();
        let has = |start: &str, middle: &str| {
            written.lines().any(|line| line.starts_with(start) && line.contains(middle))
        };
        assert!(
            has("0,", ",0,8,8,1,cow,") && has("1,", ",0,8,8,,,") && has("2,", ",0,8,8,0,ant,"),
            "{written}"
        );
    }
}

//! The engine's thread: newest query first, then one batch of the shown image's map, then one
//! batch of extraction; after each it publishes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::compose::{self, Cell, GalleryContent, HeatmapContent, Style};
use super::gallery::{SearchJob, Searcher};
use super::handle::{EngineHandle, EngineLine, line};
use super::maps::{ImageMaps, shown_spaces};
use super::state::*;
use super::thumbnails::{ThumbnailJob, Thumbnails};
use crate::bank::{Dtype, MemoryBank};
use crate::dataset::{self, Dataset, Split};
use crate::device::OpenDevice;
use crate::embed::{self, BATCH, Embedder, ExtractPlan, PatchSource};
use crate::figure::Format;
use crate::image::Image;
use crate::model::{ModelSpec, Space, store};
use crate::patch::{PatchGrid, PatchRef};

/// How often the galleries follow a bank that grows.
const GALLERY_PERIOD: Duration = Duration::from_millis(700);
/// Cells of a map at most: beyond this it would take minutes and gigabytes.
const MOST_CELLS: usize = 60_000;
/// Cells of a map's first batch: few, so that something is seen at once.
const FIRST_BATCH: usize = 32;

/// Starts the engine's thread on a device. `wake` is called whenever there is something new.
pub fn start(device: OpenDevice, wake: impl Fn() + Send + Sync + 'static) -> anyhow::Result<EngineHandle> {
    let (handle, line) = line(wake);
    let line = Arc::new(line);
    let searcher = Searcher::start(line.clone())?;
    let thumbnails = Thumbnails::start(line.clone())?;
    let work = move || {
        let description = DeviceDescription {
            kind: if device.is_gpu { "GPU" } else { "CPU" },
            name: device.name.clone(),
            reason: device.reason.clone(),
        };
        line.update(|shown| shown.device = Some(Arc::new(description)));
        let mut explorer = Explorer::new(line.clone(), device, searcher, thumbnails);
        // A panic below (a driver that gives up, no memory) must not leave a window that waits for ever.
        if catch_unwind(AssertUnwindSafe(|| explorer.run())).is_err() {
            line.update(|shown| shown.busy = None);
            let message = "it stopped unexpectedly; the terminal says more. Start bagssl again, with --device \
                           cpu if a GPU was in use";
            line.emit(Event::Failed { about: "the engine".into(), message: message.into() });
        }
    };
    thread::Builder::new()
        .name("engine".into())
        .spawn(work)
        .context("could not start the engine's thread")?;
    Ok(handle)
}

struct OpenData {
    id: u64,
    set: Arc<dyn Dataset>,
}

/// The bank that the galleries search, as it grows.
struct Growing {
    extraction: embed::Extraction,
    bank: MemoryBank,
    paused: bool,
}

struct CurrentQuery {
    id: RequestId,
    patch: PatchRef,
    /// Its vector in each shown space.
    vectors: Vec<Vec<f32>>,
}

struct Explorer {
    line: Arc<EngineLine>,
    device: OpenDevice,
    searcher: Searcher,
    thumbnails: Thumbnails,
    embedder: Option<Embedder>,
    data: Option<OpenData>,
    config: Option<ExploreConfig>,
    maps: Option<ImageMaps>,
    query: Option<CurrentQuery>,
    growing: Option<Growing>,
    gallery_asked: Instant,
    /// Whether the last gallery was searched over all that there is.
    gallery_final: bool,
    /// Whether the next unit is the map's alone.
    map_has_turn: bool,
}

impl Explorer {
    fn new(line: Arc<EngineLine>, device: OpenDevice, searcher: Searcher, thumbnails: Thumbnails) -> Self {
        Self {
            line,
            device,
            searcher,
            thumbnails,
            embedder: None,
            data: None,
            config: None,
            maps: None,
            query: None,
            growing: None,
            gallery_asked: Instant::now(),
            gallery_final: false,
            map_has_turn: false,
        }
    }

    /// Until the window lets go of its end.
    fn run(&mut self) {
        let commands = self.line.commands.clone();
        loop {
            let mut waiting: Vec<Command> = commands.try_iter().collect();
            if waiting.is_empty() && !self.has_work() {
                match commands.recv() {
                    Ok(command) => waiting.push(command),
                    Err(_) => return,
                }
            }
            if waiting.is_empty() && self.line.is_abandoned() {
                return;
            }
            for command in newest_query_only(waiting) {
                let about = about(&command);
                if let Err(error) = self.handle(command) {
                    self.fail(about, &error);
                }
                self.line.update(|shown| shown.busy = None);
            }
            if let Err(error) = self.work() {
                self.growing = None;
                self.line.update(|shown| shown.extraction = None);
                self.fail("extracting patches", &error);
            }
        }
    }

    fn fail(&self, about: &str, error: &anyhow::Error) {
        self.line.emit(Event::Failed { about: about.into(), message: format!("{error:#}") });
    }

    fn handle(&mut self, command: Command) -> anyhow::Result<()> {
        match command {
            Command::OpenModel { spec } => self.open_model(&spec),
            Command::OpenData { spec, split } => self.open_data(&spec, split),
            Command::ShowImage { index } => self.show_image(index),
            Command::Query { id, patch } => self.ask(id, patch),
            Command::Configure(config) => self.configure(config),
            Command::PauseExtraction(paused) => {
                if let Some(growing) = &mut self.growing {
                    growing.paused = paused;
                }
                self.publish_extraction();
                Ok(())
            }
            Command::ExportFigure { kind, path, style } => self.export(kind, &path, &style),
            Command::Thumbnail { index } => {
                if let Some(OpenData { id, set }) = &self.data {
                    self.thumbnails.request(ThumbnailJob { data: set.clone(), data_id: *id, index });
                }
                Ok(())
            }
        }
    }

    // --- opening -------------------------------------------------------------------------------

    fn open_model(&mut self, spec: &ModelSpec) -> anyhow::Result<()> {
        self.line.update(|shown| shown.busy = Some("opening the model".into()));
        let model = store::open(spec, &self.device.device)?;
        let embedder = Embedder::new(model, &self.device.device);
        let description = ModelDescription {
            name: embedder.name.clone(),
            arch: embedder.info.backbone.title(),
            spaces: shown_spaces(&embedder)
                .into_iter()
                .map(|(space, width)| (space.to_string(), width))
                .collect(),
            input: embedder.info.input,
            hash: embedder.hash.clone(),
        };
        self.embedder = Some(embedder);
        self.maps = None;
        self.line.update(|shown| shown.model = Some(Arc::new(description)));
        self.line.emit(Event::ModelOpened);
        self.restart()
    }

    fn open_data(&mut self, spec: &str, split: Option<Split>) -> anyhow::Result<()> {
        self.line.update(|shown| shown.busy = Some("opening the data set".into()));
        let set = dataset::open(spec, split)?;
        let id = self.data.as_ref().map_or(1, |data| data.id + 1);
        let description = DataDescription {
            id,
            name: set.name(),
            kind: set.kind().into(),
            images: set.len(),
            classes: set.classes().to_vec(),
            labels: (0..set.len()).map(|index| set.label(index)).collect(),
            size: set.size(),
            split: set.split(),
            skipped: set.skipped().to_vec(),
        };
        let config = default_config(set.as_ref())?;
        self.data = Some(OpenData { id, set });
        self.config = Some(config);
        self.query = None;
        self.maps = None;
        self.line.update(|shown| {
            shown.data = Some(Arc::new(description));
            shown.config = Some(config);
            shown.view = None;
        });
        self.line.emit(Event::DataOpened);
        self.restart()
    }

    /// What is shown of a query loses its meaning.
    fn forget_answers(&self) {
        self.line.update(|shown| {
            shown.generation += 1;
            shown.query = None;
            shown.galleries = None;
        });
    }

    /// After model, data or grid changed: what was embedded is of no use any more.
    fn restart(&mut self) -> anyhow::Result<()> {
        self.growing = None;
        self.forget_answers();
        self.line.update(|shown| shown.extraction = None);
        let (Some(embedder), Some(data), Some(config)) = (&self.embedder, &self.data, self.config) else {
            return Ok(());
        };
        let patch = self.query.take().map(|query| (query.id, query.patch));
        let limited = dataset::limited(data.set.clone(), config.gallery_images)?;
        let grid = PatchGrid::new(config.grid.patch, config.gallery_stride)?;
        let spaces: Vec<Space> = shown_spaces(embedder).into_iter().map(|(space, _)| space).collect();
        let plan = ExtractPlan::new(embedder, limited.as_ref(), grid, &spaces, Dtype::F16)?;
        let bank = MemoryBank::new(plan.spec.clone(), plan.images.clone())?;
        let extraction = embed::Extraction::start(plan, limited, 0)?;
        self.growing = Some(Growing { extraction, bank, paused: false });
        self.publish_extraction();
        match patch {
            Some((id, patch)) => self.ask(id, PatchRef { size: config.grid.patch, ..patch }),
            // An image that was chosen without a query stays on show.
            None if self.line.snapshot().view.is_some() => self.prepare_maps(),
            None => {
                let example = worked_example(data.set.as_ref(), config.grid)?;
                self.ask(0, example)
            }
        }
    }

    fn configure(&mut self, config: ExploreConfig) -> anyhow::Result<()> {
        let Some(old) = self.config.replace(config) else { return Ok(()) };
        self.line.update(|shown| shown.config = Some(config));
        if old.grid != config.grid {
            self.maps = None;
        }
        let reach = |c: &ExploreConfig| (c.grid.patch, c.gallery_stride, c.gallery_images);
        if reach(&old) != reach(&config) {
            return self.restart();
        }
        match &self.query {
            Some(query) => self.ask(query.id, query.patch),
            None => Ok(()),
        }
    }

    // --- the image and the query ---------------------------------------------------------------

    fn show_image(&mut self, index: usize) -> anyhow::Result<()> {
        self.view(index)?;
        self.query = None;
        self.forget_answers();
        self.prepare_maps()
    }

    /// Puts image `index` on show, if it is not there already.
    fn view(&mut self, index: usize) -> anyhow::Result<Arc<Image>> {
        let data = self.data.as_ref().context("no data set is open")?;
        let shown = self.line.snapshot().view.clone();
        if let Some(view) = shown.filter(|view| view.index == index) {
            return Ok(view.image.clone());
        }
        let image = Arc::new(data.set.image(index)?);
        let label = data.set.label(index);
        let view = ImageView {
            index,
            name: data.set.image_name(index),
            class: label.and_then(|label| data.set.classes().get(label as usize).cloned()),
            image: image.clone(),
            parts: data.set.parts(index).map(Arc::new),
        };
        self.line.update(|shown| shown.view = Some(Arc::new(view)));
        Ok(image)
    }

    /// Starts the maps of the image on show, unless they are there.
    fn prepare_maps(&mut self) -> anyhow::Result<()> {
        let (Some(embedder), Some(config)) = (&self.embedder, self.config) else { return Ok(()) };
        let Some(view) = self.line.snapshot().view.clone() else { return Ok(()) };
        let cells = config.grid.len(view.image.height(), view.image.width());
        anyhow::ensure!(
            cells <= MOST_CELLS,
            "a heatmap of {cells} patches is too large; expected at most {MOST_CELLS}: choose a larger stride"
        );
        let fits = |maps: &ImageMaps| maps.image_index == view.index && maps.grid == config.grid;
        if !self.maps.as_ref().is_some_and(fits) {
            self.maps = Some(ImageMaps::new(embedder, view.index, view.image.clone(), config.grid));
        }
        Ok(())
    }

    /// Makes a patch the query and shows what is known already.
    fn ask(&mut self, id: RequestId, patch: PatchRef) -> anyhow::Result<()> {
        let image = self.view(patch.image as usize)?;
        let (height, width) = (image.height(), image.width());
        let patch = within(patch, height, width)?;
        self.prepare_maps()?;
        let Some(embedder) = &self.embedder else { return Ok(()) };
        let spaces: Vec<Space> = shown_spaces(embedder).into_iter().map(|(space, _)| space).collect();
        let source = PatchSource { image, y: patch.y, x: patch.x };
        let vectors = embedder.patches(&[source], patch.size, &spaces);
        self.query = Some(CurrentQuery { id, patch, vectors });
        if let Some(maps) = &mut self.maps
            && maps.known() == 0
        {
            maps.refine(embedder, FIRST_BATCH);
        }
        self.publish_query();
        self.ask_gallery();
        Ok(())
    }

    fn publish_query(&self) {
        let (Some(query), Some(maps)) = (&self.query, &self.maps) else { return };
        let view = QueryView {
            id: query.id,
            patch: query.patch,
            maps: maps.heatmaps(&query.vectors),
            known: maps.known(),
        };
        self.line.update(|shown| shown.query = Some(Arc::new(view)));
    }

    fn ask_gallery(&mut self) {
        let (Some(query), Some(data), Some(config), Some(growing), Some(embedder)) =
            (&self.query, &self.data, self.config, &self.growing, &self.embedder)
        else {
            return;
        };
        let bank = growing.bank.snapshot();
        let Some(view) = self.line.snapshot().view.clone() else { return };
        if bank.patches() == 0 || view.index != query.patch.image as usize {
            self.gallery_final = false;
            return;
        }
        let names = shown_spaces(embedder).into_iter().map(|(space, _)| space.to_string());
        let PatchRef { y, x, size, .. } = query.patch;
        self.gallery_final = growing.extraction.is_finished();
        self.gallery_asked = Instant::now();
        self.searcher.search(SearchJob {
            id: query.id,
            query: query.patch,
            query_pixels: Arc::new(view.image.crop(y, x, size, size)),
            vectors: names.zip(query.vectors.iter().cloned()).collect(),
            neighbours: config.neighbours,
            bank,
            data: data.set.clone(),
            data_id: data.id,
            generation: self.line.snapshot().generation,
        });
    }

    // --- work between commands -----------------------------------------------------------------

    fn has_work(&self) -> bool {
        let map = self.maps.as_ref().is_some_and(|maps| !maps.is_complete());
        let extraction = self.growing.as_ref().is_some_and(|g| !g.paused && !g.extraction.is_finished());
        map || extraction
    }

    /// One unit: a batch of the shown map and, by turns with it, a batch of extraction, so that
    /// the first neighbours do not wait for the last cell.
    fn work(&mut self) -> anyhow::Result<()> {
        let Some(embedder) = &self.embedder else { return Ok(()) };
        if let Some(maps) = self.maps.as_mut().filter(|maps| !maps.is_complete()) {
            maps.refine(embedder, BATCH);
            self.publish_query();
            self.map_has_turn = !self.map_has_turn;
            if self.map_has_turn {
                return Ok(());
            }
        }
        let Some(growing) = &mut self.growing else { return Ok(()) };
        if growing.paused || growing.extraction.is_finished() {
            return Ok(());
        }
        growing.extraction.advance(embedder, &mut growing.bank)?;
        let finished = growing.extraction.is_finished();
        self.publish_extraction();
        let due = self.gallery_asked.elapsed() >= GALLERY_PERIOD && self.searcher.is_idle();
        if !self.gallery_final && (finished || due) {
            self.ask_gallery();
        }
        Ok(())
    }

    fn publish_extraction(&self) {
        let extraction = self.growing.as_ref().map(|growing| Extraction {
            progress: growing.extraction.progress(),
            patches: (growing.extraction.patches(), growing.extraction.plan().patches()),
            patches_per_second: growing.extraction.patches_per_second(),
            skipped: growing.extraction.skipped().to_vec(),
            paused: growing.paused,
            finished: growing.extraction.is_finished(),
        });
        self.line.update(|shown| shown.extraction = extraction);
    }

    // --- figures -------------------------------------------------------------------------------

    fn export(&self, kind: FigureKind, path: &Path, style: &Style) -> anyhow::Result<()> {
        self.line.update(|shown| shown.busy = Some("writing the figure".into()));
        let shown = self.line.snapshot();
        let (Some(model), Some(data)) = (&shown.model, &shown.data) else {
            anyhow::bail!("open a model and a data set first");
        };
        let notes = vec![format!("model {}, {} · data {}", model.name, model.arch, data.name)];
        let source = serde_json::json!({
            "model": { "name": model.name, "hash": model.hash },
            "data": { "name": data.name, "kind": data.kind },
        });
        let figure = match kind {
            FigureKind::Heatmap => heatmap_figure(&shown, notes, style)?,
            FigureKind::Gallery => gallery_figure(&shown, notes, style)?,
        };
        let saved = figure.save(path, Format::DEFAULT_DPI, source)?;
        self.line.emit(Event::FigureSaved { path: saved.out, sidecar: saved.sidecar });
        Ok(())
    }
}

fn heatmap_figure(
    shown: &Snapshot,
    notes: Vec<String>,
    style: &Style,
) -> anyhow::Result<crate::figure::Figure> {
    let (Some(view), Some(query)) = (&shown.view, &shown.query) else {
        anyhow::bail!("there is no heatmap yet: click a patch of an image first");
    };
    let first = query.maps.first().context("the model has no space to show")?;
    let total = first.rows * first.cols;
    anyhow::ensure!(
        query.known == total,
        "the heatmap is not complete yet ({} of {total} patches); wait a moment",
        query.known
    );
    let class = view.class.as_ref().map_or(String::new(), |class| format!(" · {class}"));
    let content = HeatmapContent {
        image: &view.image,
        title: format!("image {}{class}", view.index),
        grid: first.grid,
        query: query.patch,
        maps: query.maps.iter().map(|map| (map.space.clone(), map.values.to_vec())).collect(),
        notes,
    };
    Ok(compose::heatmap(content, style))
}

fn gallery_figure(
    shown: &Snapshot,
    notes: Vec<String>,
    style: &Style,
) -> anyhow::Result<crate::figure::Figure> {
    let galleries =
        shown.galleries.as_ref().context("there is no gallery yet: click a patch of an image first")?;
    let cell = |n: &Neighbour| Cell {
        patch: n.patch,
        pixels: n.pixels.clone(),
        cosine: n.cosine,
        relation: n.relation,
    };
    let space = |gallery: &Gallery| GalleryContent {
        space: gallery.space.clone(),
        searched: galleries.searched,
        total: galleries.total,
        cells: gallery.neighbours.iter().map(cell).collect(),
    };
    let k = galleries.spaces.iter().map(|gallery| gallery.neighbours.len()).max().unwrap_or(0);
    let spaces = galleries.spaces.iter().map(space).collect();
    Ok(compose::gallery(galleries.query, &galleries.query_pixels, k, spaces, notes, style))
}

/// Of several queries only the last counts; all other commands stay in their order.
fn newest_query_only(commands: Vec<Command>) -> Vec<Command> {
    let is_query = |command: &Command| matches!(command, Command::Query { .. } | Command::ShowImage { .. });
    let last = commands.iter().rposition(is_query);
    let kept = commands.into_iter().enumerate();
    kept.filter(|(place, command)| !is_query(command) || Some(*place) == last).map(|(_, c)| c).collect()
}

fn about(command: &Command) -> &'static str {
    match command {
        Command::OpenModel { .. } => "opening the model",
        Command::OpenData { .. } => "opening the data set",
        Command::ShowImage { .. } => "showing the image",
        Command::Query { .. } => "the query",
        Command::Configure(_) => "changing the patches",
        Command::PauseExtraction(_) => "pausing",
        Command::ExportFigure { .. } => "writing the figure",
        Command::Thumbnail { .. } => "a thumbnail",
    }
}

/// A patch moved into its image. The error says when it cannot fit.
fn within(patch: PatchRef, height: u32, width: u32) -> anyhow::Result<PatchRef> {
    anyhow::ensure!(
        patch.size <= height && patch.size <= width,
        "a patch of {0} x {0} pixels does not fit on the image of {width} x {height}; choose a smaller patch",
        patch.size
    );
    Ok(PatchRef { y: patch.y.min(height - patch.size), x: patch.x.min(width - patch.size), ..patch })
}

/// Patch size and strides that suit the images: about a quarter of the side, at most 25 x 25 positions in
/// a map, 7 x 7 for each image of the galleries.
fn default_config(data: &dyn Dataset) -> anyhow::Result<ExploreConfig> {
    let (height, width) = match data.size() {
        Some(size) => size,
        None => data.dimensions(0),
    };
    let side = height.min(width);
    let patch = match side {
        0..=40 => 14.min(side),
        41..=96 => side / 4,
        _ => side * 71 / 224,
    };
    Ok(ExploreConfig {
        grid: PatchGrid::new(patch, (side - patch).div_ceil(24).max(1))?,
        gallery_stride: ((side - patch) / 6).max(1),
        gallery_images: 1024,
        neighbours: 119,
    })
}

/// A first query worth seeing: where the data set knows its parts, the patch with most of a wheel
/// among the first images; else the centre of the first image.
fn worked_example(data: &dyn Dataset, grid: PatchGrid) -> anyhow::Result<PatchRef> {
    const LOOKED_AT: usize = 24;
    let mut best: Option<(usize, PatchRef)> = None;
    for index in 0..LOOKED_AT.min(data.len()) {
        let Some(map) = data.parts(index) else { break };
        let Some(wheel) = map.names.iter().position(|name| *name == "wheel") else { break };
        let (rows, cols) = grid.shape(map.height, map.width);
        for cell in 0..rows * cols {
            let (y, x) = grid.corner(cell, cols);
            let pixels =
                (y..y + grid.patch).flat_map(|y| (x..x + grid.patch).map(move |x| y * map.width + x));
            let count = pixels.filter(|&pixel| usize::from(map.index[pixel as usize]) == wheel).count();
            if count > best.map_or(0, |(most, _)| most) {
                best = Some((count, PatchRef { image: index as u32, y, x, size: grid.patch }));
            }
        }
    }
    if let Some((_, patch)) = best {
        return Ok(patch);
    }
    let (height, width) = data.dimensions(0);
    let (rows, cols) = grid.shape(height, width);
    anyhow::ensure!(
        rows * cols > 0,
        "no patch of {} pixels fits on the first image ({width} x {height}); choose a smaller patch",
        grid.patch
    );
    let (y, x) = grid.corner(rows / 2 * cols + cols / 2, cols);
    Ok(PatchRef { image: 0, y, x, size: grid.patch })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_query_is_answered() {
        let query = |id| Command::Query { id, patch: PatchRef { image: 0, y: 0, x: 0, size: 8 } };
        let commands = vec![query(1), Command::PauseExtraction(true), query(2), query(3)];
        let kept = newest_query_only(commands);
        assert_eq!(kept.len(), 2);
        assert!(matches!(kept[1], Command::Query { id: 3, .. }));
    }

    #[test]
    fn a_patch_at_the_edge_is_moved_inside() {
        let patch = PatchRef { image: 0, y: 30, x: 2, size: 14 };
        assert_eq!(within(patch, 32, 32).unwrap().y, 18);
        assert!(within(patch, 10, 32).unwrap_err().to_string().contains("smaller patch"));
    }
}

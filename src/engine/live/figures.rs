//! Figures of what is on show: gathers what they are made of, a batch at a time, and hands it to the
//! thread that draws.

use super::Explorer;
use std::sync::Arc;

use anyhow::{Context, ensure};

use crate::bank::Bank;
use crate::embed::PatchSource;
use crate::engine::ask::{
    Beside, Event, FigureCommand, FigureContent, FigureEvent, FigureKind, FigureView, MapMode, PatchSpace,
};
use crate::engine::figures::compose::{Origin, image_title};
use crate::engine::figures::galleries::GalleryMaker;
use crate::engine::figures::rows::{Ask, MapRows};
use crate::engine::figures::worker::{FigureBank, FigureJob, FigureWorker, Material};
use crate::engine::look::spaces;
use crate::image::Image;
use crate::patch::{PatchGrid, PatchRef};

/// What is going on about figures.
pub(super) struct FigureDesk {
    worker: FigureWorker,
    /// Content of the figure that the thread has, and the hash of the model that it was made with.
    settled: Option<(FigureContent, String)>,
    gathering: Option<Gathering>,
}

/// A figure whose heatmaps are being embedded.
struct Gathering {
    content: FigureContent,
    rows: MapRows,
    /// The same under the second model.
    beside: Option<MapRows>,
    /// What is to be done with it then; of several previews the last.
    waiting: Vec<FigureCommand>,
}

impl FigureDesk {
    pub fn new(worker: FigureWorker) -> Self {
        Self { worker, settled: None, gathering: None }
    }

    /// Whether there is something to embed.
    pub fn has_work(&self) -> bool {
        self.gathering.is_some()
    }

    fn wait(&mut self, command: FigureCommand) {
        let Some(gathering) = &mut self.gathering else { return };
        if matches!(command, FigureCommand::Preview { .. }) {
            gathering.waiting.retain(|other| !matches!(other, FigureCommand::Preview { .. }));
        }
        gathering.waiting.push(command);
    }

    /// Hands over a figure's material, and what is to be done with it.
    fn settle(
        &mut self,
        content: FigureContent,
        hash: String,
        material: Material,
        commands: Vec<FigureCommand>,
    ) {
        self.settled = Some((content.clone(), hash));
        let mut material = Some((content, material));
        for command in commands {
            self.worker.send(FigureJob { material: material.take(), command });
        }
    }
}

impl Gathering {
    /// Patches that are embedded, of all; `None` once all are.
    fn to_come(&self) -> Option<(usize, usize)> {
        let parts = std::iter::once(&self.rows).chain(&self.beside);
        if parts.clone().all(MapRows::is_finished) {
            return None;
        }
        let progress = parts.map(MapRows::progress);
        Some(
            progress
                .fold((0, 0), |(done, total), part| (done + part.done as usize, total + part.total as usize)),
        )
    }
}

fn content_of(command: &FigureCommand) -> Option<&FigureContent> {
    match command {
        FigureCommand::Preview { request, .. }
        | FigureCommand::Write { request, .. }
        | FigureCommand::CopyImage(request)
        | FigureCommand::CopyCaption(request) => Some(&request.content),
        FigureCommand::Close => None,
    }
}

impl Explorer {
    pub(super) fn figure(&mut self, command: FigureCommand) {
        let Some(content) = content_of(&command).cloned() else {
            self.give_up_figure("the figure was closed meanwhile");
            self.figures.settled = None;
            self.figures.worker.send(FigureJob { material: None, command });
            return;
        };
        let hash = self.embedder.as_ref().map_or(String::new(), |embedder| embedder.hash.clone());
        let is_settled =
            |(settled, made_with): &(FigureContent, String)| (settled, made_with) == (&content, &hash);
        if self.figures.settled.as_ref().is_some_and(is_settled) {
            self.give_up_figure("another figure was asked for meanwhile");
            self.figures.worker.send(FigureJob { material: None, command });
            return;
        }
        if self.figures.gathering.as_ref().is_some_and(|gathering| gathering.content == content) {
            self.figures.wait(command);
            return;
        }
        self.give_up_figure("another figure was asked for meanwhile");
        if let Err(error) = self.gather(&content, hash, command.clone()) {
            self.refuse_figure(&command, format!("{error:#}"));
        }
    }

    /// Says where it was asked for why there is no figure.
    fn refuse_figure(&self, command: &FigureCommand, error: String) {
        match command {
            FigureCommand::Preview { id, .. } => self.line.update(|shown| {
                let page = shown.figure.as_ref().and_then(|view| view.page.clone());
                let view = FigureView { id: *id, page, error: Some(error), embedding: None };
                shown.figure = Some(Arc::new(view));
            }),
            _ => self.line.emit(Event::Figure(FigureEvent::Failed(error))),
        }
    }

    fn gather(
        &mut self,
        content: &FigureContent,
        hash: String,
        command: FigureCommand,
    ) -> anyhow::Result<()> {
        let open = self.data.as_ref().filter(|data| Some(data.id) == content.data);
        ensure!(open.is_some(), "the data set that the figure is of is not open any more");
        ensure!(!content.queries.is_empty(), "there is no query yet: click a patch of an image first");
        ensure!(!content.spaces.is_empty(), "choose a space to show");
        if content.kind == FigureKind::Heatmaps {
            let (rows, beside) = self.rows(content)?;
            self.figures.gathering =
                Some(Gathering { content: content.clone(), rows, beside, waiting: vec![] });
            self.figures.wait(command);
            self.gather_on();
            return Ok(());
        }
        let material = self.neighbours(content)?;
        self.figures.settle(content.clone(), hash, material, vec![command]);
        Ok(())
    }

    /// The heatmaps that a figure needs, and those under the second model; what is on show is not embedded again.
    fn rows(&mut self, content: &FigureContent) -> anyhow::Result<(MapRows, Option<MapRows>)> {
        ensure!(
            content.mode != MapMode::Pictures,
            "pictures of the spaces have no figure; choose cosines, ranks or the difference"
        );
        ensure!(
            content.mode != MapMode::Difference || content.spaces.len() > 1 || content.beside.is_some(),
            "a difference needs two spaces; choose another one as well"
        );
        let mut asks = vec![];
        for grid in &content.grids {
            for query in &content.queries {
                let (image, title) = self.picture(query.image)?;
                asks.push(ask_about(*query, *grid, image, title)?);
            }
        }
        let embedder = self.embedder.as_ref().context("open a model first")?;
        let spaces = named(&content.spaces)?;
        let beside = match &content.beside {
            None => None,
            Some(beside) => {
                let side = self.compare.side_of(beside)?;
                let rows = MapRows::new(asks.clone(), spaces.clone(), &side.embedder);
                let mut rows = rows.context("B, the second model")?;
                side.give_known(&mut rows);
                Some(rows)
            }
        };
        let mut rows = MapRows::new(asks, spaces, embedder)?;
        if let Some(maps) = &mut *self.maps.write() {
            rows.take_known(embedder, maps);
            // The maps on show keep their order of spaces.
            maps.arrange(&self.spaces);
        }
        Ok((rows, beside))
    }

    /// An image of the data set, and what it is called.
    fn picture(&self, index: u32) -> anyhow::Result<(Arc<Image>, String)> {
        let set = &self.data.as_ref().context("open a data set first")?.set;
        let index = index as usize;
        let class = set.label(index).and_then(|label| set.classes().get(label as usize));
        let title = image_title(index, class.map(String::as_str));
        let shown = self.line.snapshot().view.clone().filter(|view| view.index == index);
        match shown {
            Some(view) => Ok((view.image.clone(), title)),
            None => Ok((Arc::new(set.image(index)?), title)),
        }
    }

    /// What the neighbours of a figure are searched with: the bank as it is now, and the vectors of
    /// queries that it does not hold. Of two models, the images that both have embedded.
    fn neighbours(&mut self, content: &FigureContent) -> anyhow::Result<Material> {
        ensure!(self.embedder.is_some(), "open a model first");
        let growing = self.growing.as_ref().context(
            "no patches are embedded for galleries: the message at the top of the window says why",
        )?;
        let mut bank = growing.bank.snapshot();
        let mut others = None;
        if let Some(beside) = &content.beside {
            let side = self.compare.side_of(beside)?;
            let other = side.bank().context("B, the second model, has no patches embedded")?;
            let images = growing.images().min(other.images());
            let other = other.bank.snapshot();
            for space in &content.spaces {
                other.width(space).context("B, the second model")?;
            }
            (bank, others) = (bank.first_images(images), Some((other.first_images(images), beside.step)));
        }
        let haystack = self.haystack(content, bank, None)?;
        let beside = match others {
            None => None,
            Some((bank, step)) => Some((self.haystack(content, bank, content.beside.as_ref())?, step)),
        };
        Ok(Material::Search { haystack, beside })
    }

    /// The queries of a figure and where to search for their neighbours, under the open model or that `beside` it.
    fn haystack(
        &mut self,
        content: &FigureContent,
        bank: Bank,
        beside: Option<&Beside>,
    ) -> anyhow::Result<FigureBank> {
        ensure!(bank.patches() > 0, "no patch is embedded yet; wait a moment");
        let patch = bank.spec().grid.patch;
        let mut queries = vec![];
        for query in &content.queries {
            ensure!(
                query.size == patch,
                "the galleries hold patches of {patch} pixels and the query has {}; wait a moment for the new \
                 patches to be embedded",
                query.size
            );
            let mut vectors = vec![];
            if bank.row_of(query.image as usize, query.y, query.x).is_err() {
                let (image, _) = self.picture(query.image)?;
                ensure!(
                    query.y + patch <= image.height() && query.x + patch <= image.width(),
                    "a query leaves its image"
                );
                let source = PatchSource { image, y: query.y, x: query.x };
                let embedder = match beside {
                    Some(beside) => &self.compare.side_of(beside)?.embedder,
                    None => self.embedder.as_ref().context("open a model first")?,
                };
                vectors = spaces::vectors(embedder, &[source], patch, &named(&content.spaces)?);
            }
            queries.push((*query, vectors));
        }
        let set = self.data.as_ref().context("open a data set first")?.set.clone();
        Ok(FigureBank { finder: Box::new(GalleryMaker::new(bank, set)), queries })
    }

    /// One batch of a figure's heatmaps; the last one hands them over. What fails ends the figure alone.
    pub(super) fn gather_on(&mut self) {
        if let Err(error) = self.gather_batch() {
            self.fail_figure(&format!("{error:#}"));
        }
    }

    fn gather_batch(&mut self) -> anyhow::Result<()> {
        let Some(embedder) = &self.embedder else { return Ok(()) };
        let Some(gathering) = &mut self.figures.gathering else { return Ok(()) };
        if !gathering.rows.is_finished() {
            gathering.rows.advance(embedder);
        } else if let Some((rows, beside)) = gathering.beside.as_mut().zip(gathering.content.beside.as_ref())
            && !rows.is_finished()
        {
            rows.advance(&self.compare.side_of(beside)?.embedder);
        }
        let Some(gathering) = &self.figures.gathering else { return Ok(()) };
        if let Some(embedding) = gathering.to_come() {
            self.line.update(|shown| {
                let view = shown.figure.as_deref().cloned().unwrap_or_default();
                shown.figure = Some(Arc::new(FigureView { embedding: Some(embedding), ..view }));
            });
            return Ok(());
        }
        self.finish_figure()
    }

    /// Hands over a figure's heatmaps, which are all embedded.
    fn finish_figure(&mut self) -> anyhow::Result<()> {
        let Some(embedder) = &self.embedder else { return Ok(()) };
        let set = &self.data.as_ref().context("open a data set first")?.set;
        let mut origin = Origin::new(embedder, set.as_ref())?;
        let content = self.figures.gathering.as_ref().map(|gathering| &gathering.content);
        if let Some(beside) = content.and_then(|content| content.beside.as_ref()) {
            origin = origin.beside(self.compare.side_of(beside)?.embedder.facts(), beside.step);
        }
        let hash = embedder.hash.clone();
        let Some(gathering) = self.figures.gathering.take() else { return Ok(()) };
        let beside = gathering.beside.map(MapRows::into_rows);
        let material = Material::Rows { rows: gathering.rows.into_rows(), beside, origin };
        self.figures.settle(gathering.content, hash, material, gathering.waiting);
        Ok(())
    }

    /// Gives up a figure that is being gathered, and tells those who wait for its file.
    pub(super) fn give_up_figure(&mut self, why: &str) {
        let Some(gathering) = self.figures.gathering.take() else { return };
        let is_told = |command: &&FigureCommand| !matches!(command, FigureCommand::Preview { .. });
        gathering.waiting.iter().filter(is_told).for_each(|command| self.refuse_figure(command, why.into()));
    }

    /// Ends a figure that cannot be gathered, and tells all who wait for it.
    fn fail_figure(&mut self, why: &str) {
        let Some(gathering) = self.figures.gathering.take() else { return };
        gathering.waiting.iter().for_each(|command| self.refuse_figure(command, why.into()));
    }
}

/// A query on a grid: where it is if the grid's patches have its size, else the patch about its centre.
fn ask_about(query: PatchRef, grid: PatchGrid, image: Arc<Image>, title: String) -> anyhow::Result<Ask> {
    let middle = |corner: u32| corner as f32 + query.size as f32 / 2.0;
    let at = Ask::at((query.image, image), title, grid, (middle(query.x), middle(query.y)))?;
    Ok(if grid.patch == query.size { Ask { query, ..at } } else { at })
}

fn named(spaces: &[String]) -> anyhow::Result<Vec<PatchSpace>> {
    spaces.iter().map(|space| space.parse()).collect()
}

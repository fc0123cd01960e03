//! Figures of what is on show: gathers what they are made of, a batch at a time, and hands it to the
//! thread that draws.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context, ensure};

use crate::bank::Bank;
use crate::engine::ask::{
    Beside, Command, Event, FigureCommand, FigureContent, FigureEvent, FigureKind, FigureQuery, FigureView,
    MapMode, PatchSpace,
};
use crate::engine::compare::Compare;
use crate::engine::figures::assemble::{FigureBank, Material};
use crate::engine::figures::compose::{Origin, image_title};
use crate::engine::figures::galleries::GalleryMaker;
use crate::engine::figures::rows::{Ask, MapRows};
use crate::engine::figures::worker::{FigureJob, FigureWorker};
use crate::engine::live::open::Open;
use crate::engine::live::part::{Change, Due, Handled, Part, Turn};
use crate::engine::look::maps::check_cells;
use crate::engine::look::parts;
use crate::engine::look::parts::PartSources;
use crate::engine::look::selection::own_row;
use crate::image::Image;
use crate::patch::PatchGrid;

/// What is going on about figures.
pub struct FiguresPart {
    worker: FigureWorker,
    /// The second models, for figures of two.
    compare: Rc<RefCell<Compare>>,
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

impl FiguresPart {
    /// Hands figures to `worker`.
    pub fn new(worker: FigureWorker, compare: Rc<RefCell<Compare>>) -> Self {
        Self { worker, compare, settled: None, gathering: None }
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

impl FiguresPart {
    fn figure(&mut self, command: FigureCommand, open: &mut Open) {
        let Some(content) = content_of(&command).cloned() else {
            self.give_up("the figure was closed meanwhile", open);
            self.settled = None;
            self.worker.send(FigureJob { material: None, command });
            return;
        };
        let hash = open.embedder.as_ref().map_or(String::new(), |embedder| embedder.hash.clone());
        let is_settled =
            |(settled, made_with): &(FigureContent, String)| (settled, made_with) == (&content, &hash);
        if self.settled.as_ref().is_some_and(is_settled) {
            self.give_up("another figure was asked for meanwhile", open);
            self.worker.send(FigureJob { material: None, command });
            return;
        }
        if self.gathering.as_ref().is_some_and(|gathering| gathering.content == content) {
            self.wait(command);
            return;
        }
        self.give_up("another figure was asked for meanwhile", open);
        if let Err(error) = self.gather(&content, hash, command.clone(), open) {
            refuse(&command, format!("{error:#}"), open);
        }
    }

    fn gather(
        &mut self,
        content: &FigureContent,
        hash: String,
        command: FigureCommand,
        open: &mut Open,
    ) -> anyhow::Result<()> {
        let data = open.data.as_ref().filter(|data| Some(data.id) == content.data);
        ensure!(data.is_some(), "the data set that the figure is of is not open any more");
        ensure!(!content.queries.is_empty(), "there is no query yet: click a patch of an image first");
        ensure!(!content.spaces.is_empty(), "choose a space to show");
        if content.kind == FigureKind::Heatmaps {
            let (rows, beside) = self.rows(content, open)?;
            self.gathering = Some(Gathering { content: content.clone(), rows, beside, waiting: vec![] });
            self.wait(command);
            self.gather_on(open);
            return Ok(());
        }
        let material = self.neighbours(content, open)?;
        self.settle(content.clone(), hash, material, vec![command]);
        Ok(())
    }

    /// The heatmaps that a figure needs, and those under the second model; what is on show is not embedded again.
    fn rows(&self, content: &FigureContent, open: &Open) -> anyhow::Result<(MapRows, Option<MapRows>)> {
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
                asks.push(ask_about(query, (content, *grid), open)?);
            }
        }
        let embedder = open.network()?;
        let spaces = named(&content.spaces)?;
        let beside = match &content.beside {
            None => None,
            Some(beside) => {
                let mut compare = self.compare.borrow_mut();
                let side = compare.side_of(beside)?;
                let rows = MapRows::new(asks.clone(), spaces.clone(), &side.embedder);
                let mut rows = rows.context("B, the second model")?;
                side.give_known(&mut rows)?;
                Some(rows)
            }
        };
        let mut rows = MapRows::new(asks, spaces, embedder)?;
        if let Some(maps) = &mut *open.maps.write() {
            let taken = rows.take_known(embedder, maps);
            // The maps on show keep their order of spaces.
            maps.arrange(&open.spaces);
            taken?;
        }
        Ok((rows, beside))
    }

    /// What the neighbours of a figure are searched with: the bank as it is now, and the vectors of
    /// queries that it does not hold. Of two models, the images that both have embedded.
    fn neighbours(&self, content: &FigureContent, open: &Open) -> anyhow::Result<Material> {
        ensure!(open.has_vectors(), "open a model first");
        let growing = open.growing.as_ref().context(
            "no patches are embedded for galleries: the message at the top of the window says why",
        )?;
        let images: Vec<u32> = content.queries.iter().flat_map(|query| query.spec.images()).collect();
        // Of two models the patches that both have.
        let mut bank = match &content.beside {
            None => growing.bank_with(&images)?,
            Some(_) => growing.snapshot(),
        };
        let mut others = None;
        if let Some(beside) = &content.beside {
            let mut compare = self.compare.borrow_mut();
            let side = compare.side_of(beside)?;
            let other = side.bank().context("B, the second model, has no patches embedded")?;
            let images = growing.images().min(other.images());
            let other = other.snapshot();
            for space in &content.spaces {
                other.width(space).context("B, the second model")?;
            }
            (bank, others) = (bank.first_images(images), Some((other.first_images(images), beside.step)));
        }
        let haystack = self.haystack(content, bank, None, open)?;
        let beside = match others {
            None => None,
            Some((bank, step)) => Some((self.haystack(content, bank, content.beside.as_ref(), open)?, step)),
        };
        Ok(Material::Search { haystack, beside })
    }

    /// The queries of a figure and where to search for their neighbours, under the open model or that `beside` it.
    fn haystack(
        &self,
        content: &FigureContent,
        bank: Bank,
        beside: Option<&Beside>,
        open: &Open,
    ) -> anyhow::Result<FigureBank> {
        ensure!(bank.patches() > 0, "no patch is embedded yet; wait a moment");
        let patch = bank.spec().grid.patch;
        let shown = open.config.as_ref().map_or(patch, |config| config.grid.patch);
        ensure!(
            shown == patch,
            "the galleries hold patches of {patch} pixels and the query has {shown}; wait a moment for the new \
             patches to be embedded"
        );
        let mut queries = vec![];
        for query in &content.queries {
            let mut vectors = vec![];
            if own_row(&query.spec, &bank).is_none() {
                let mut compare = self.compare.borrow_mut();
                let embedder = match beside {
                    Some(beside) => &compare.side_of(beside)?.embedder,
                    None => open.network()?,
                };
                let spaces = named(&content.spaces)?;
                let from = PartSources::new(embedder, &spaces, patch);
                vectors = parts::query_vectors(&query.spec, &from, |index| on_image(query, index, open))?;
            }
            queries.push((query.clone(), vectors));
        }
        let set = open.data.as_ref().context("open a data set first")?.set.clone();
        let mut finder = Box::new(GalleryMaker::new(bank, set));
        finder.processor = open.processor.clone();
        Ok(FigureBank { finder, queries })
    }

    /// One batch of a figure's heatmaps; the last one hands them over. What fails ends the figure alone.
    fn gather_on(&mut self, open: &Open) {
        if let Err(error) = self.gather_batch(open) {
            self.fail(&format!("{error:#}"), open);
        }
    }

    fn gather_batch(&mut self, open: &Open) -> anyhow::Result<()> {
        let Some(embedder) = &open.embedder else { return Ok(()) };
        let Some(gathering) = &mut self.gathering else { return Ok(()) };
        if !gathering.rows.is_finished() {
            gathering.rows.advance(embedder)?;
        } else if let Some((rows, beside)) = gathering.beside.as_mut().zip(gathering.content.beside.as_ref())
            && !rows.is_finished()
        {
            rows.advance(&self.compare.borrow_mut().side_of(beside)?.embedder)?;
        }
        let Some(gathering) = &self.gathering else { return Ok(()) };
        if let Some(embedding) = gathering.to_come() {
            open.line.update(|shown| {
                let view = shown.views.figure.as_deref().cloned().unwrap_or_default();
                shown.views.figure = Some(Arc::new(FigureView { embedding: Some(embedding), ..view }));
            });
            return Ok(());
        }
        self.finish(open)
    }

    /// Hands over a figure's heatmaps, which are all embedded.
    fn finish(&mut self, open: &Open) -> anyhow::Result<()> {
        let Some(embedder) = &open.embedder else { return Ok(()) };
        let set = &open.data.as_ref().context("open a data set first")?.set;
        let mut origin = Origin::new(embedder, set.as_ref())?;
        let content = self.gathering.as_ref().map(|gathering| &gathering.content);
        if let Some(beside) = content.and_then(|content| content.beside.as_ref()) {
            let facts = self.compare.borrow_mut().side_of(beside)?.embedder.facts();
            origin = origin.beside(facts, beside.step);
        }
        let hash = embedder.hash.clone();
        let Some(gathering) = self.gathering.take() else { return Ok(()) };
        let beside = gathering.beside.map(MapRows::into_rows);
        let material = Material::Rows { rows: gathering.rows.into_rows(), beside, origin };
        self.settle(gathering.content, hash, material, gathering.waiting);
        Ok(())
    }

    /// Gives up a figure that is being gathered, and tells those who wait for its file.
    fn give_up(&mut self, why: &str, open: &Open) {
        let Some(gathering) = self.gathering.take() else { return };
        let is_told = |command: &&FigureCommand| !matches!(command, FigureCommand::Preview { .. });
        gathering.waiting.iter().filter(is_told).for_each(|command| refuse(command, why.into(), open));
    }

    /// Ends a figure that cannot be gathered, and tells all who wait for it.
    fn fail(&mut self, why: &str, open: &Open) {
        let Some(gathering) = self.gathering.take() else { return };
        gathering.waiting.iter().for_each(|command| refuse(command, why.into(), open));
    }
}

impl Part for FiguresPart {
    fn handle(&mut self, command: Command, open: &mut Open) -> Handled {
        let Command::Figure(command) = command else { return Handled::No(command) };
        self.figure(command, open);
        Handled::Yes(Ok(()))
    }

    fn changed(&mut self, change: Change, open: &mut Open) {
        if change == Change::Vectors {
            self.give_up("another model or data set was opened meanwhile", open);
        }
    }

    fn due(&self, _: &Open) -> Due {
        if self.gathering.is_some() { Due::Awaited } else { Due::Nothing }
    }

    fn work(&mut self, open: &mut Open) -> Turn {
        self.gather_on(open);
        Turn::Taken
    }
}

/// Says where it was asked for why there is no figure.
fn refuse(command: &FigureCommand, error: String, open: &Open) {
    match command {
        FigureCommand::Preview { id, .. } => open.line.update(|shown| {
            let page = shown.views.figure.as_ref().and_then(|view| view.page.clone());
            let view = FigureView { id: *id, page, error: Some(error), embedding: None };
            shown.views.figure = Some(Arc::new(view));
        }),
        _ => open.line.emit(Event::Figure(FigureEvent::Failed(error))),
    }
}

/// An image of the data set, and what it is called.
fn picture(open: &Open, index: u32) -> anyhow::Result<(Arc<Image>, String)> {
    let set = &open.data.as_ref().context("open a data set first")?.set;
    let index = index as usize;
    let class = set.label(index).and_then(|label| set.classes().get(label as usize));
    Ok((open.image(index)?, image_title(index, class.map(String::as_str))))
}

/// An image that a query has a part on.
///
/// # Errors
/// It cannot be read, or the part leaves it.
fn on_image(query: &FigureQuery, index: u32, open: &Open) -> anyhow::Result<Arc<Image>> {
    let image = open.image(index as usize)?;
    for (_, area) in query.spec.boxes_on(index as usize) {
        let is_inside = area.y + area.height <= image.height() && area.x + area.width <= image.width();
        ensure!(is_inside, "the query's box of {area} leaves image {index}");
    }
    Ok(image)
}

/// A query on a grid. A patch is where it is if the grid's patches have its size, else the patch about its centre;
/// of any other query, parts as large as the patches follow these to the grid's size, and boxes stay.
fn ask_about(
    query: &FigureQuery,
    (content, grid): (&FigureContent, PatchGrid),
    open: &Open,
) -> anyhow::Result<Ask> {
    let (image, title) = picture(open, query.image)?;
    let shown = open.config.as_ref().map(|config| config.grid.patch);
    let sizes: Vec<u32> = content.grids.iter().map(|grid| grid.patch).chain(shown).collect();
    let patch = query.spec.as_patch().filter(|patch| patch.image == query.image);
    if let Some(patch) = patch.filter(|patch| sizes.contains(&patch.size)) {
        let middle = |corner: u32| corner as f32 + patch.size as f32 / 2.0;
        let ask = Ask::at((query.image, image), title, grid, (middle(patch.x), middle(patch.y)))?;
        return Ok(if grid.patch == patch.size { Ask { query: query.clone(), ..ask } } else { ask });
    }
    check_cells(grid, image.height(), image.width())?;
    let mut query = query.clone();
    let set = &open.data.as_ref().context("open a data set first")?.set;
    if let Some(shown) = shown.filter(|shown| *shown != grid.patch) {
        query.spec.follow_patch_size(shown, grid.patch);
        query.spec.keep_on_images(|image| Some(set.dimensions(image as usize)));
    }
    let others: BTreeSet<u32> = query.spec.boxes().map(|(_, area)| area.image).collect();
    let others = others.into_iter().filter(|index| *index != query.image);
    let elsewhere = others.map(|index| Ok((index, on_image(&query, index, open)?)));
    let elsewhere = elsewhere.collect::<anyhow::Result<_>>()?;
    on_image(&query, query.image, open)?;
    Ok(Ask { image, title, grid, query, elsewhere, point: None })
}

fn named(spaces: &[String]) -> anyhow::Result<Vec<PatchSpace>> {
    spaces.iter().map(|space| space.parse()).collect()
}

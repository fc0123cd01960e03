//! Figures from results: what goes in is plain (pixels, cosines, places and words), what comes out is drawn by
//! [`crate::figure`]. Names of models and notes are given last, by [`name_models`].

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use crate::bank::{BankSpec, DataFacts, ModelFacts};
use crate::dataset::{Dataset, DecodingFacts, FigureNote, kind_named};
use crate::embed::Embedder;
use crate::engine::ask::{FigureQuery, MapMode, ModelNames, NamedFilter, Style};
use crate::engine::figures::tiling::{tiles_behind, tiles_note};
use crate::figure::{
    ComposedQuery, Figure, GalleryCell, GalleryData, GalleryFigure, GalleryQuery, GallerySpace, GallerySpec,
    HeatmapData, HeatmapFigure, HeatmapRow, HeatmapSpace, HeatmapSpec, Instance, SheetData, SheetFigure,
    SheetSpec,
};
use crate::image::Image;
use crate::patch::{PatchGrid, PatchRef};
use crate::search::Relation;
use crate::tiles::ImageTiles;
use crate::words::thousands;

/// What a figure was made from: the model, and the images that were looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Origin {
    pub model: ModelFacts,
    pub data: DataFacts,
    /// The second model of a comparison.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<BesideFacts>,
    /// Heatmaps: the images were cut to their centre of so many pixels a side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fit: Option<u32>,
    /// The tiles in which images went through that are larger, where it shows a space of places.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tiles: Option<ImageTiles>,
}

/// The second model of a comparison, and its step if it is a run's checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BesideFacts {
    #[serde(flatten)]
    pub model: ModelFacts,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<u64>,
    /// As [`Origin::tiles`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tiles: Option<ImageTiles>,
}

/// Which patches could be neighbours.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SearchFacts {
    pub grid: PatchGrid,
    #[serde(flatten)]
    pub filter: NamedFilter,
    /// Images of queries that were searched beside those of the sample.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub guests: Vec<u32>,
}

impl Origin {
    /// Of heatmaps of images of `data`.
    pub fn new(embedder: &Embedder, data: &dyn Dataset) -> anyhow::Result<Self> {
        let data = DataFacts::of(data)?;
        Ok(Self { model: embedder.facts(), data, beside: None, fit: None, tiles: None })
    }

    /// Of galleries over a bank, in some of its spaces.
    pub fn of_bank(spec: &BankSpec, spaces: &[String]) -> Self {
        let (model, data) = (spec.model.clone(), spec.data.clone());
        Self { model, data, beside: None, fit: None, tiles: tiles_behind(spec, spaces) }
    }

    /// With `model` as the second one, beside this.
    pub fn beside(self, model: ModelFacts, step: Option<u64>) -> Self {
        Self { beside: Some(BesideFacts { model, step, tiles: None }), ..self }
    }

    /// With the tiles of the one model and of the other.
    pub fn in_tiles(mut self, own: Option<ImageTiles>, beside: Option<ImageTiles>) -> Self {
        self.tiles = own;
        self.beside.iter_mut().for_each(|other| other.tiles = beside);
        self
    }

    /// In what tiles images went through, of two models each where they differ.
    fn tiles_words(&self, names: &ModelNames) -> Vec<String> {
        let own = (self.tiles, "A");
        let all = match &self.beside {
            Some(beside) if beside.tiles != self.tiles => vec![own, (beside.tiles, "B")],
            _ => return self.tiles.map(tiles_note).into_iter().collect(),
        };
        let of = |(tiles, side): (Option<ImageTiles>, &str)| {
            Some(format!("{}: {}", names.of(side), tiles_note(tiles?)))
        };
        all.into_iter().filter_map(of).collect()
    }

    /// What stands below a figure. Names of files stay out of a figure's bytes, so that a model is told by the name
    /// that it is given, else by its architecture and hash, and only sets that are the same everywhere by their name.
    pub fn notes(&self, names: &ModelNames) -> Vec<String> {
        let Self { model, data, beside, .. } = self;
        let identity = |model: &ModelFacts, name: &str| match name {
            "" => format!("model {}, sha256 {:.8}", model.arch, model.hash),
            _ => format!("model {}", model.arch),
        };
        let mut notes = match beside {
            None if names.own.is_empty() => vec![identity(model, "")],
            None => vec![format!("model {}, {}", names.own, model.arch)],
            Some(BesideFacts { model: other, step, .. }) => {
                let step = step.map_or(String::new(), |step| format!(", step {}", thousands(step)));
                vec![
                    format!("{}: {}", names.of("A"), identity(model, &names.own)),
                    format!("{}: {}{step}", names.of("B"), identity(other, &names.beside)),
                ]
            }
        };
        match kind_named(&data.kind).map_or(FigureNote::Nothing, |kind| kind.figure_note) {
            FigureNote::Name => notes.push(format!("data {}", data.name)),
            FigureNote::Fingerprint => notes.push(format!("images sha256 {:.8}", data.fingerprint)),
            FigureNote::Nothing => {}
        }
        notes.extend(data.decoding.iter().flat_map(DecodingFacts::words));
        notes.extend(self.tiles_words(names));
        notes
    }

    /// What a sidecar keeps under `source`.
    pub fn source(&self, search: Option<&SearchFacts>) -> Value {
        let mut source = json!(self);
        if let Some(search) = search {
            source["search"] = json!(search);
        }
        source
    }
}

/// What image `index` of a data set is called in a figure.
pub fn image_title(index: usize, class: Option<&str>) -> String {
    class.map_or(format!("image {index}"), |class| format!("image {index} · {class}"))
}

/// The same of an image of `data`, with its class.
pub fn title_in(data: &dyn Dataset, index: usize) -> String {
    let class = data.label(index).and_then(|label| data.classes().get(label as usize));
    image_title(index, class.map(String::as_str))
}

/// Gives a figure another look; what it shows stays.
pub fn dress(figure: &mut Figure, style: &Style) {
    match figure {
        Figure::Heatmap(figure) => {
            let scale_label = std::mem::take(&mut figure.spec.scale_label);
            figure.spec = HeatmapSpec { scale_label, ..heatmap_spec(style) };
        }
        Figure::Gallery(figure) => figure.spec = gallery_spec(style),
        Figure::Sheet(figure) => figure.spec = sheet_spec(style, figure.data.instance.is_some()),
        Figure::Curve(figure) => (figure.spec.width_in, figure.spec.text) = (style.width_in, style.text),
        Figure::Panels(figure) => (figure.spec.width_in, figure.spec.text) = (style.width_in, style.text),
    }
}

/// Calls the models of a figure by `names`. `spaces` are its spaces as comparisons call them ("z A"), in their order.
pub fn name_models(figure: &mut Figure, origin: &Origin, spaces: &[String], names: &ModelNames) {
    let named: Vec<(String, String)> = spaces.iter().map(|space| space_words(space, names)).collect();
    let notes = origin.notes(names);
    match figure {
        Figure::Heatmap(HeatmapFigure { data, .. }) => {
            data.notes = notes;
            for (space, named) in data.rows.iter_mut().flat_map(|row| row.spaces.iter_mut().zip(&named)) {
                (space.name, space.title) = named.clone();
            }
        }
        Figure::Gallery(GalleryFigure { data, .. }) => {
            data.notes = notes;
            name_galleries(&mut data.queries, &named);
        }
        Figure::Sheet(SheetFigure { data, .. }) => {
            data.notes = notes;
            name_galleries(&mut data.queries, &named);
        }
        Figure::Curve(_) | Figure::Panels(_) => {}
    }
}

fn name_galleries(queries: &mut [GalleryQuery], named: &[(String, String)]) {
    for (space, named) in queries.iter_mut().flat_map(|query| query.spaces.iter_mut().zip(named)) {
        (space.name, space.title) = named.clone();
    }
}

fn heatmap_spec(style: &Style) -> HeatmapSpec {
    HeatmapSpec {
        page: style.page(),
        colormap: style.colormap,
        range: style.range,
        contour: style.contour,
        across: style.across,
        ..HeatmapSpec::default()
    }
}

fn gallery_spec(style: &Style) -> GallerySpec {
    GallerySpec { page: style.page(), columns: style.columns, shares: style.shares }
}

fn sheet_spec(style: &Style, has_instance: bool) -> SheetSpec {
    let across = match (style.across, has_instance) {
        (0, true) => 3,
        (0, false) => SheetSpec::default().across,
        (across, _) => across,
    };
    SheetSpec { page: style.page(), across, columns: style.columns, shares: style.shares }
}

/// One query of a heatmap figure.
pub struct HeatmapContent {
    pub image: Arc<Image>,
    /// What the image is called ("image 12 · horse").
    pub title: String,
    pub grid: PatchGrid,
    pub query: FigureQuery,
    /// Space names and their cosines, row by row, in the order shown.
    pub maps: Vec<(String, Vec<f32>)>,
}

/// Figures 4 and 6: each query's image and one heatmap for each space.
pub fn heatmap(rows: Vec<HeatmapContent>, mode: MapMode, style: &Style) -> Figure {
    let space = |(name, scores): (String, Vec<f32>)| {
        let (name, title) = space_words(&name, &ModelNames::default());
        HeatmapSpace { name, title, scores }
    };
    let row = |HeatmapContent { image, title, grid, query, maps }: HeatmapContent| HeatmapRow {
        image: (*image).clone(),
        title,
        grid,
        query: query.patch(grid.patch).map_or([0; 2], |patch| [patch.y, patch.x]),
        composed: query.composed(grid.patch),
        spaces: maps.into_iter().map(space).collect(),
    };
    let mut spec = heatmap_spec(style);
    match mode {
        MapMode::Ranks => spec.scale_label = "rank within the image".into(),
        MapMode::Lengths => spec.scale_label = "length, of the longest".into(),
        MapMode::Difference => spec.scale_label = "difference of cosines".into(),
        MapMode::Cosine | MapMode::Pictures => {}
    }
    let data = HeatmapData { rows: rows.into_iter().map(row).collect(), notes: vec![] };
    Figure::Heatmap(HeatmapFigure { spec, data })
}

/// One query of a gallery or sheet.
pub struct QueryContent {
    /// The query patch, or one about a query that is none.
    pub patch: PatchRef,
    /// The query, where it is no patch of the bank's size.
    pub composed: Option<ComposedQuery>,
    pub pixels: Arc<Image>,
    /// What it is called beside its letter ("horse"); may be empty.
    pub title: String,
    pub spaces: Vec<GalleryContent>,
}

/// Its neighbours in one space.
pub struct GalleryContent {
    pub space: String,
    pub searched: usize,
    pub total: usize,
    pub cells: Vec<Cell>,
}

/// A neighbour with its pixels.
pub struct Cell {
    pub patch: PatchRef,
    pub pixels: Arc<Image>,
    pub cosine: f32,
    pub relation: Relation,
    /// Images with the same pixels that it stands for.
    pub copies: usize,
}

/// Puts the galleries of a second model after those of the first; both are over the patches that both have.
pub fn place_beside(contents: &mut [QueryContent], other: Vec<QueryContent>) {
    for (a, b) in contents.iter_mut().zip(other) {
        let total = b.spaces.first().map(|space| space.total);
        for space in &mut a.spaces {
            // The other may lack what was broken when it was made.
            space.total = total.map_or(space.total, |total| total.max(space.searched));
        }
        a.spaces.iter_mut().for_each(|gallery| gallery.space.push_str(" A"));
        a.spaces.extend(
            b.spaces
                .into_iter()
                .map(|gallery| GalleryContent { space: format!("{} B", gallery.space), ..gallery }),
        );
    }
}

/// Figures 5, 7, 8 and 9: the neighbours of each query in each space.
pub fn gallery(queries: Vec<QueryContent>, left_out: Vec<String>, style: &Style) -> anyhow::Result<Figure> {
    let (k, queries) = gallery_queries(queries)?;
    let data = GalleryData { k, queries, left_out, notes: vec![] };
    Ok(Figure::Gallery(GalleryFigure { spec: gallery_spec(style), data }))
}

/// Figure 10: a small gallery for each of many parts. Figures 11 and 12, where `instance` is the image
/// and what it is called: the same for positions of that image, which is shown with them.
pub fn sheet(
    instance: Option<(&Image, String)>,
    queries: Vec<QueryContent>,
    left_out: Vec<String>,
    style: &Style,
) -> anyhow::Result<Figure> {
    let (k, queries) = gallery_queries(queries)?;
    let instance = instance.map(|(image, title)| Instance { image: image.clone(), title });
    let spec = sheet_spec(style, instance.is_some());
    Ok(Figure::Sheet(SheetFigure { spec, data: SheetData { instance, k, queries, left_out, notes: vec![] } }))
}

/// The queries as a figure holds them, and how many neighbours each has.
///
/// # Errors
/// Some have fewer than others, so that their grids would not be alike.
fn gallery_queries(queries: Vec<QueryContent>) -> anyhow::Result<(usize, Vec<GalleryQuery>)> {
    let counts = || queries.iter().flat_map(|query| query.spaces.iter().map(|space| space.cells.len()));
    let (least, most) = (counts().min().unwrap_or(0), counts().max().unwrap_or(0));
    anyhow::ensure!(
        least == most && most > 0,
        "some queries have {least} neighbours and some {most}; ask for at most {least}, or search more patches"
    );
    let cell = |cell: Cell| GalleryCell {
        patch: (*cell.pixels).clone(),
        at: cell.patch,
        cosine: cell.cosine,
        relation: cell.relation,
        copies: cell.copies,
    };
    let space = |content: GalleryContent| GallerySpace {
        title: space_words(&content.space, &ModelNames::default()).1,
        name: content.space,
        searched: content.searched as u64,
        total: content.total as u64,
        cells: content.cells.into_iter().map(cell).collect(),
    };
    let query = |content: QueryContent| GalleryQuery {
        pixels: (*content.pixels).clone(),
        at: content.patch,
        composed: content.composed,
        title: content.title,
        spaces: content.spaces.into_iter().map(space).collect(),
    };
    Ok((most, queries.into_iter().map(query).collect()))
}

/// Short name and heading of a space: "z" and "projection z"; of the space "z A" of a comparison "z A" and
/// "A: projection z", with the name that A is given in place of "A".
pub fn space_words(space: &str, names: &ModelNames) -> (String, String) {
    let model = match space.split_once(' ') {
        Some((own, side @ ("A" | "B"))) => Some((own, names.of(side).to_owned())),
        Some((own, "A \u{2212} B")) => Some((own, format!("{} \u{2212} {}", names.of("A"), names.of("B")))),
        _ => None,
    };
    match model {
        Some((own, model)) => (format!("{own} {model}"), format!("{model}: {}", space_title(own))),
        None => (space.to_owned(), space_title(space)),
    }
}

fn space_title(name: &str) -> String {
    match name {
        "z" => "projection z".into(),
        "h" => "embedding h".into(),
        _ => name.into(),
    }
}

//! Which queries a figure shows: the marked positions while these are on show, else those that were asked, in
//! the order in which they were.

use eframe::egui::{ScrollArea, Ui};

use super::kinds::{KindRow, row};
use crate::engine::{DataDescription, FigureKind, FigureQuery, QueryPart, QuerySpec, Sign, Source, defaults};
use crate::gui::desk::Desk;
use crate::gui::nouns::views::Adds;
use crate::patch::{BoxRef, PatchRef};

/// Queries that can be chosen from at most: the last ones.
const MOST: usize = 64;
/// Least queries of a sheet or an instance.
const LEAST: usize = 2;

/// Queries and whether each is wanted.
#[derive(Default)]
pub struct Candidates {
    list: Vec<(FigureQuery, bool)>,
    /// The one on show.
    current: Option<QuerySpec>,
}

impl Candidates {
    /// The queries that a figure of `kind` may show, those wanted that it shows unless told.
    pub fn of(kind: FigureKind, desk: &Desk) -> Self {
        let current = desk.session.query();
        if row(kind).is_sheet && desk.view.adds() == Adds::Positions && !desk.places.list().is_empty() {
            return Self { list: marked(kind, desk.places.list()), current };
        }
        let mut asked = desk.session.asked();
        if kind == FigureKind::Instance {
            let size = desk.session.config().map_or(0, |config| config.grid.patch);
            let image = current.as_ref().and_then(QuerySpec::home);
            asked.retain(|query| query.as_patch().is_some_and(|p| Some(p.image) == image && p.size == size));
        }
        asked.drain(..asked.len().saturating_sub(MOST));
        let first_part = asked.len().saturating_sub(defaults::PARTS);
        let is_wanted = |place: usize, query: &QuerySpec| match kind {
            FigureKind::Heatmaps | FigureKind::Galleries => Some(query) == current.as_ref(),
            FigureKind::Parts => place >= first_part,
            FigureKind::Instance => true,
        };
        // Heatmaps are of the image on show, as the window's are; those of a query of before, of its own.
        let shown = desk.session.image().unwrap_or(0) as u32;
        let on = |query: &QuerySpec| match query.home() {
            Some(home) if kind != FigureKind::Heatmaps || Some(query) != current.as_ref() => home,
            _ => shown,
        };
        let entry = |(place, spec): (usize, &QuerySpec)| {
            (FigureQuery { spec: spec.clone(), image: on(spec) }, is_wanted(place, spec))
        };
        let list = asked.iter().enumerate().map(entry).collect();
        Self { list, current }
    }

    /// Those that are wanted, in the order in which they were asked.
    pub fn chosen(&self) -> Vec<FigureQuery> {
        self.list.iter().filter(|(_, is_wanted)| *is_wanted).map(|(query, _)| query.clone()).collect()
    }

    /// Why a figure of `kind` cannot be made of them, and what to do first.
    pub fn obstacle(&self, kind: FigureKind) -> Option<String> {
        let chosen = self.chosen().len();
        let KindRow { is_sheet, more_queries, .. } = row(kind);
        let needed = if is_sheet { LEAST } else { 1 };
        if chosen >= needed {
            return None;
        }
        if self.list.is_empty() {
            return Some("There is no query yet: click a patch of the image first.".into());
        }
        if self.list.len() >= needed {
            return Some(match needed {
                1 => "Choose at least one query.".into(),
                _ => "Choose at least two queries.".into(),
            });
        }
        Some(more_queries.into())
    }

    /// A row for each query.
    pub fn ui(&mut self, ui: &mut Ui, data: Option<&DataDescription>) {
        let chosen = self.chosen().len();
        ui.horizontal(|ui| {
            ui.label(format!("Queries: {chosen} of {}", self.list.len()))
                .on_hover_text("What was asked about, oldest first; it stands in this order.");
            if ui.small_button("All").clicked() {
                self.list.iter_mut().for_each(|(_, is_wanted)| *is_wanted = true);
            }
            if ui.small_button("Only the one on show").clicked() {
                let current = self.current.as_ref();
                self.list.iter_mut().for_each(|(query, wanted)| *wanted = Some(&query.spec) == current);
            }
        });
        let rows = ScrollArea::vertical().id_salt("queries").max_height(110.0).auto_shrink([false, true]);
        rows.show(ui, |ui| {
            for (query, is_wanted) in &mut self.list {
                let on_show = if Some(&query.spec) == self.current.as_ref() { " (on show)" } else { "" };
                let row = ui.checkbox(is_wanted, format!("{}{on_show}", words(&query.spec, data)));
                if query.spec.parts.len() > 1 {
                    let part = |part: &QueryPart| {
                        format!("{} {}", part.sign.symbol(), source_words(&part.source, data))
                    };
                    row.on_hover_text(query.spec.parts.iter().map(part).collect::<Vec<_>>().join("\n"));
                }
            }
        });
    }
}

/// The marked positions, all wanted that a figure of `kind` can show.
fn marked(kind: FigureKind, places: &[PatchRef]) -> Vec<(FigureQuery, bool)> {
    let is_wanted = |patch: &PatchRef| kind == FigureKind::Parts || patch.image == places[0].image;
    places.iter().filter(|patch| is_wanted(patch)).map(|patch| (FigureQuery::from(*patch), true)).collect()
}

/// A query in few words: where its one part lies, or how many it has.
fn words(query: &QuerySpec, data: Option<&DataDescription>) -> String {
    match &query.parts[..] {
        [QueryPart { sign: Sign::Plus, source }] => source_words(source, data),
        _ => query.words(),
    }
}

fn source_words(source: &Source, data: Option<&DataDescription>) -> String {
    let Some(area) = source.area() else { return source.to_string() };
    let BoxRef { image, y, x, .. } = area;
    let class = class_of(data, image).map(|class| format!(" \u{b7} {class}")).unwrap_or_default();
    let place = if area.patch().is_some() { format!("y {y}, x {x}") } else { area.to_string() };
    format!("image {image}{class}, {place}")
}

fn class_of(data: Option<&DataDescription>, image: u32) -> Option<String> {
    let data = data?;
    let label = data.labels.get(image as usize).copied().flatten()?;
    data.classes.get(label as usize).cloned()
}

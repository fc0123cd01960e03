//! Figure 3a of the image on show, and which of its patches carry their mean, as long as the window looks at it. The
//! vectors are those of its maps.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::analysis::carried::{SpaceCarried, turns};
use crate::analysis::convergence::{
    ConvergencePoint, OrderCosines, OverDraws, PatchCount, SpaceConvergence, along, doubling, order,
};
use crate::engine::ask::{
    ABOUT_MEASURES, Command, ImageMeasures, MeasureCommand, MeasurePage, MeasuredPage, PatchSpace,
    SpaceAverages,
};
use crate::engine::figures::averages::{CARRIED_NOTE, carried_panels, convergence_panels};
use crate::engine::figures::compose::title_in;
use crate::engine::figures::plotted::page;
use crate::engine::figures::tiling::{tiles_behind, tiles_note};
use crate::engine::live::measured_pages::export;
use crate::engine::live::open::Open;
use crate::engine::live::part::{Change, Due, Handled, Part, Turn};
use crate::engine::look::maps::ImageMaps;
use crate::engine::look::spaces::whole_vectors;
use crate::figure::PanelsSpec;
use crate::patch::PatchGrid;
use crate::words::thousands;

/// Orders of the patches that a spread is over; the first is that of the command line.
const ORDERS: usize = 64;
/// Of the orders and the intervals, as the command line's where no other is told.
const SEED: u64 = 0;
/// A turn ends after this, unless one order alone takes longer.
const TURN: Duration = Duration::from_millis(30);

/// What is measured.
#[derive(Clone, PartialEq)]
struct ImageTarget {
    image: usize,
    grid: PatchGrid,
    spaces: Vec<PatchSpace>,
}

/// An image that is being measured.
struct ImageWork {
    target: ImageTarget,
    counts: Vec<PatchCount>,
    /// The whole image's vector in each space, where there is a network.
    whole: Option<Vec<Vec<f32>>>,
    /// For each space, which patches carry the mean.
    carried: Vec<SpaceCarried>,
    /// For each space, the cosines along each order so far.
    draws: Vec<Vec<OrderCosines>>,
}

/// Measures the image on show.
#[derive(Default)]
pub struct ImageMeasuresPart {
    is_wanted: bool,
    work: Option<ImageWork>,
    /// What is measured, or could not be.
    done: Option<ImageTarget>,
    /// What was measured last, as a page.
    page: Option<Arc<MeasuredPage>>,
}

impl Part for ImageMeasuresPart {
    fn handle(&mut self, command: Command, open: &mut Open) -> Handled {
        match command {
            Command::Measure(MeasureCommand::FollowImage(wanted)) => {
                self.is_wanted = wanted;
                if !wanted {
                    self.work = None;
                    open.line.update(|shown| shown.views.measures.orders = None);
                }
                Handled::Yes(Ok(()))
            }
            Command::Measure(MeasureCommand::Export { page: MeasurePage::Image, path }) => {
                Handled::Yes(export(self.page.clone(), path, open))
            }
            other => Handled::No(other),
        }
    }

    fn changed(&mut self, change: Change, open: &mut Open) {
        if change == Change::Source {
            (self.work, self.done, self.page) = (None, None, None);
            open.line.update(|shown| {
                (shown.views.measures.image, shown.views.measures.orders) = (None, None);
            });
        }
    }

    fn due(&self, open: &Open) -> Due {
        let target = if self.is_wanted { target(open) } else { None };
        if target.is_some() && target != self.done { Due::Awaited } else { Due::Nothing }
    }

    fn work(&mut self, open: &mut Open) -> Turn {
        let Some(target) = target(open) else { return Turn::Passed };
        if let Err(error) = self.advance(&target, open) {
            (self.work, self.done) = (None, Some(target));
            open.fail(ABOUT_MEASURES, &error);
        }
        Turn::Taken
    }
}

/// What can be measured of what is on show: an image whose patches all have their vectors.
fn target(open: &Open) -> Option<ImageTarget> {
    let maps = open.maps.read();
    let maps = maps.as_ref().filter(|maps| maps.is_complete() && !maps.has_holes())?;
    let spaces: Vec<PatchSpace> = maps.spaces().collect();
    let is_shown = open.view.as_ref().is_some_and(|view| view.index == maps.image_index);
    (is_shown && !spaces.is_empty() && maps.cells() > 0).then_some(ImageTarget {
        image: maps.image_index,
        grid: maps.grid,
        spaces,
    })
}

impl ImageMeasuresPart {
    fn advance(&mut self, target: &ImageTarget, open: &Open) -> anyhow::Result<()> {
        let maps = open.maps.read();
        let Some(maps) = maps.as_ref() else { return Ok(()) };
        if self.work.as_ref().is_none_or(|work| work.target != *target) {
            self.work = Some(ImageWork::begin(target.clone(), maps, open)?);
        } else if let Some(work) = &mut self.work {
            work.average(maps);
        }
        let Some(work) = self.work.take_if(|work| work.orders() == ORDERS) else {
            let orders = self.work.as_ref().map(|work| (work.orders(), ORDERS));
            open.line.update(|shown| shown.views.measures.orders = orders);
            return Ok(());
        };
        let view = Arc::new(work.finish(maps, open)?);
        (self.done, self.page) = (Some(target.clone()), Some(view.page.clone()));
        open.line.update(|shown| {
            (shown.views.measures.image, shown.views.measures.orders) = (Some(view), None);
        });
        Ok(())
    }
}

impl ImageWork {
    /// The whole image goes through the network, and each patch is left out.
    fn begin(target: ImageTarget, maps: &ImageMaps, open: &Open) -> anyhow::Result<Self> {
        let whole = |embedder| whole_vectors(embedder, maps.image(), target.grid.patch, &target.spaces);
        let whole = open.embedder.as_ref().map(whole).transpose()?;
        let carried = |index| {
            let (rows, width) = maps.vectors(index);
            SpaceCarried::of(&turns(rows, width), target.grid, maps.shape().1)
        };
        Ok(Self {
            counts: doubling(maps.cells()),
            whole,
            carried: (0..target.spaces.len()).map(carried).collect(),
            draws: vec![vec![]; target.spaces.len()],
            target,
        })
    }

    /// Orders that every space was averaged along.
    fn orders(&self) -> usize {
        self.draws.last().map_or(ORDERS, Vec::len)
    }

    /// Averages along the next orders, as many as a turn has time for.
    fn average(&mut self, maps: &ImageMaps) {
        let clock = Instant::now();
        while self.orders() < ORDERS {
            let order = order(maps.cells(), SEED, self.target.image, self.orders() as u64);
            for (index, draws) in self.draws.iter_mut().enumerate() {
                let (rows, width) = maps.vectors(index);
                let whole = self.whole.as_ref().map(|whole| whole[index].as_slice());
                draws.push(along(rows, width, whole, &self.counts, &order));
            }
            if clock.elapsed() >= TURN {
                return;
            }
        }
    }

    /// The curve of one space.
    fn curve(&self, index: usize, patches: usize) -> anyhow::Result<SpaceConvergence> {
        let draws = &self.draws[index];
        let point = |(at, count): (usize, &PatchCount)| {
            let whole: Option<Vec<f64>> = draws.iter().map(|draw| Some(draw.whole.as_ref()?[at])).collect();
            let mean: Vec<f64> = draws.iter().map(|draw| draw.mean[at]).collect();
            Ok(ConvergencePoint {
                count: *count,
                patches: (count.of(patches), count.of(patches)),
                whole: whole.map(|whole| OverDraws::of(&whole, SEED)).transpose()?,
                mean: OverDraws::of(&mean, SEED)?,
            })
        };
        let points = self.counts.iter().enumerate().map(point).collect::<anyhow::Result<_>>()?;
        Ok(SpaceConvergence { space: self.target.spaces[index].to_string(), points })
    }

    fn finish(self, maps: &ImageMaps, open: &Open) -> anyhow::Result<ImageMeasures> {
        let (cells, shape) = (maps.cells(), maps.shape());
        let curves = (0..self.draws.len()).map(|index| self.curve(index, cells));
        let curves: Vec<SpaceConvergence> = curves.collect::<anyhow::Result<_>>()?;
        let page = Arc::new(image_page(&self, &curves, maps, open)?);
        let spaces = curves.into_iter().zip(self.carried).map(|(curve, carried)| {
            let map = Arc::new(carried.relative.iter().map(|turn| *turn as f32).collect());
            SpaceAverages { curve, carried, map }
        });
        let ImageTarget { image, grid, .. } = self.target;
        Ok(ImageMeasures { image, grid, shape, orders: ORDERS, spaces: spaces.collect(), page })
    }
}

/// The curves and the maps as a page.
fn image_page(
    work: &ImageWork,
    curves: &[SpaceConvergence],
    maps: &ImageMaps,
    open: &Open,
) -> anyhow::Result<MeasuredPage> {
    let (data, ImageTarget { image, grid, .. }) = (open.set()?, &work.target);
    let names: Vec<String> = curves.iter().map(|curve| curve.space.clone()).collect();
    let title = title_in(data.as_ref(), *image);
    let mut panels = convergence_panels(curves);
    panels.extend(carried_panels(&title, maps.image(), &names, &work.carried, maps.shape()));
    let (model, tiles) = match (&open.embedder, &open.stored) {
        (Some(embedder), _) => (embedder.facts(), maps.tiles(embedder).map(|tiles| tiles.choice.tiles)),
        (None, Some(stored)) => {
            let spec = stored.bank.spec();
            (spec.model.clone(), tiles_behind(spec, &names))
        }
        (None, None) => anyhow::bail!("no model is open"),
    };
    let mut notes = vec![
        format!("model {}, {}: {title}", model.name, data.name()),
        format!("{} patches of {1} x {1} px every {2} px", thousands(maps.cells()), grid.patch, grid.stride),
        format!(
            "lines: means over {ORDERS} orders of the patches; bands: from a tenth to nine tenths of them"
        ),
        format!("maps: {CARRIED_NOTE}"),
    ];
    notes.extend(tiles.map(tiles_note));
    let source = json!({
        "model": model, "data": data.name(), "split": data.split(), "image": image, "patch": grid.patch,
        "stride": grid.stride, "orders": ORDERS, "seed": SEED, "tiles": tiles,
    });
    let spec = PanelsSpec { height_in: 2.2, ..PanelsSpec::default() };
    Ok(MeasuredPage { spec, data: page(String::new(), panels, notes), source })
}

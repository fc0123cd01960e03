//! The toy world of section 3: its steps between all other work, as many states a second as can be seen. The losses fall
//! by powers of ten of steps, so the steps whose losses are kept are those that are shown.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::ask::{
    Command, MeasureCommand, MeasurePage, MeasuredPage, Snapshot, WorldCommand, WorldLimits, WorldPhase,
    WorldPlan, WorldView,
};
use crate::engine::figures::cooccurrence::{cooccurrence_page, loss_curves};
use crate::engine::live::measured_pages::export;
use crate::engine::live::open::Open;
use crate::engine::live::part::{Due, Handled, Part, Turn};
use crate::engine::runs::world_fit::WorldFit;
use crate::figure::Panel;

/// Time between two states that are shown.
const PERIOD: Duration = Duration::from_millis(50);
/// A turn ends after this, unless one step alone takes longer.
const TURN: Duration = Duration::from_millis(20);

/// A world that is worked on.
struct WorldWork {
    fit: WorldFit,
    phase: WorldPhase,
    /// p12 / (p1 p2) as it is shown.
    ratios: Arc<Vec<f32>>,
    /// The next step is not before.
    rests_until: Instant,
}

/// Finds z in a toy world.
#[derive(Default)]
pub struct WorldPart {
    /// A world to begin with, and how it then stands.
    next: Option<(WorldPlan, WorldPhase)>,
    work: Option<WorldWork>,
    /// Whether the next turn is that of less urgent parts.
    others_have_turn: bool,
}

impl Part for WorldPart {
    fn handle(&mut self, command: Command, open: &mut Open) -> Handled {
        match command {
            Command::Measure(MeasureCommand::World(command)) => Handled::Yes(self.take(command, open)),
            Command::Measure(MeasureCommand::Export { page: MeasurePage::World, path }) => {
                Handled::Yes(export(self.page(open), path, open))
            }
            other => Handled::No(other),
        }
    }

    fn due(&self, _: &Open) -> Due {
        match (&self.next, &self.work) {
            (Some(_), _) => Due::Awaited,
            (None, Some(work)) if work.is_running() && work.rests_until <= Instant::now() => Due::Background,
            _ => Due::Nothing,
        }
    }

    fn rests_until(&self) -> Option<Instant> {
        self.work.as_ref().filter(|work| work.is_running()).map(|work| work.rests_until)
    }

    fn work(&mut self, open: &mut Open) -> Turn {
        if let Some((plan, phase)) = self.next.take() {
            let work = WorldWork::begin(plan, phase, open);
            work.publish(open);
            self.work = Some(work);
            return Turn::Taken;
        }
        if std::mem::take(&mut self.others_have_turn) {
            return Turn::Passed;
        }
        // After a state that is shown it rests anyway.
        self.others_have_turn = self.work.as_mut().is_some_and(|work| !work.advance(open));
        Turn::Taken
    }
}

impl WorldPart {
    fn take(&mut self, command: WorldCommand, open: &Open) -> anyhow::Result<()> {
        match command {
            WorldCommand::Show(plan) if self.work.is_none() && self.next.is_none() => {
                WorldLimits::WINDOW.check(&plan)?;
                self.next = Some((plan, WorldPhase::Paused));
            }
            WorldCommand::Show(_) => {}
            WorldCommand::Start(plan) => {
                WorldLimits::WINDOW.check(&plan)?;
                self.next = Some((plan, WorldPhase::Running));
            }
            WorldCommand::Pause(paused) => {
                let wanted = if paused { WorldPhase::Paused } else { WorldPhase::Running };
                if let Some((_, phase)) = &mut self.next {
                    *phase = wanted;
                } else if let Some(work) = self.work.as_mut().filter(|work| work.can_go_on()) {
                    work.phase = wanted;
                    work.publish(open);
                }
            }
        }
        Ok(())
    }

    fn page(&self, open: &Open) -> Option<Arc<MeasuredPage>> {
        let fit = &self.work.as_ref()?.fit;
        let (report, found) = fit.report(&open.device.name);
        Some(Arc::new(cooccurrence_page(&report, &fit.ratios, &found)))
    }
}

impl WorldWork {
    fn begin(plan: WorldPlan, phase: WorldPhase, open: &Open) -> Self {
        let fit = WorldFit::begin(plan, &open.device.device);
        let ratios = Arc::new(shown(&fit.ratios));
        Self { fit, phase, ratios, rests_until: Instant::now() + PERIOD }
    }

    fn is_running(&self) -> bool {
        self.phase == WorldPhase::Running
    }

    fn can_go_on(&self) -> bool {
        matches!(self.phase, WorldPhase::Running | WorldPhase::Paused)
    }

    /// Steps until the next one that is shown, or until the turn ends. Returns whether one was shown.
    fn advance(&mut self, open: &Open) -> bool {
        let clock = Instant::now();
        loop {
            match self.fit.step() {
                Ok(false) if clock.elapsed() < TURN => {}
                Ok(false) => return false,
                Ok(true) => break,
                Err(error) => {
                    self.phase = WorldPhase::Failed(format!("{error:#}"));
                    break;
                }
            }
        }
        if self.fit.is_finished() && self.is_running() {
            self.phase = WorldPhase::Finished;
        }
        self.rests_until = clock + PERIOD;
        self.publish(open);
        true
    }

    fn publish(&self, open: &Open) {
        let (report, found) = self.fit.report(&open.device.name);
        let errors = found.iter().zip(&self.fit.ratios).map(|(found, ratio)| found - ratio);
        let view = Arc::new(WorldView {
            phase: self.phase.clone(),
            ratios: self.ratios.clone(),
            errors: Arc::new(shown(&errors.collect::<Vec<f64>>())),
            found: Arc::new(shown(&found)),
            losses: Panel::Curves(loss_curves(&report)),
            report,
        });
        let change = |shown: &mut Snapshot| shown.views.measures.world = Some(view);
        if open.is_quiet { open.line.update_quietly(change) } else { open.line.update(change) }
    }
}

fn shown(values: &[f64]) -> Vec<f32> {
    values.iter().map(|value| *value as f32).collect()
}

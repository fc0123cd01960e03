//! Closing the window while a run goes on: a checkpoint is written first, and the window says so.

use eframe::egui::{self, Context, Id, Modal, ViewportCommand};

use crate::engine::Command;
use crate::engine::training::{TrainCommand, TrainEvent, TrainTask};
use crate::gui::desk::Desk;
use crate::gui::paint::theme::{STEP, overlay_frame};

/// How long the window waits for the checkpoint, seconds; a step in progress ends first.
const PATIENCE_SECS: f64 = 60.0;

/// And where a signal asked to close: whoever sent it ends the program soon, and there may be nobody to answer.
const HURRIED_SECS: f64 = 6.0;

/// Where closing stands.
#[derive(Default)]
pub struct Closing {
    state: ClosingStage,
    /// Since when it is to be over soon, at egui's time.
    hurried: Option<f64>,
}

#[derive(Default)]
enum ClosingStage {
    #[default]
    Open,
    /// Asked to stop the run, at egui's time.
    Waiting(f64),
    /// The checkpoint could not be written, for this reason.
    Failed(String),
    /// Nothing holds the window any more.
    Free,
}

impl Closing {
    /// Takes in what became of the run.
    pub fn take_event(&mut self, event: &TrainEvent) {
        if !matches!(self.state, ClosingStage::Waiting(_)) {
            return;
        }
        match event {
            TrainEvent::Stopped { .. } | TrainEvent::Finished { .. } => self.state = ClosingStage::Free,
            TrainEvent::Failed { asked: TrainTask::Training(_), message } => {
                self.state = ClosingStage::Failed(message.clone())
            }
            _ => {}
        }
    }

    /// Closes the window as its button does, asks nobody and does not wait for long. Once or more often.
    pub fn hurry(&mut self, ctx: &Context) {
        if self.hurried.is_none() {
            self.hurried = Some(ctx.input(|input| input.time));
            ctx.send_viewport_cmd(ViewportCommand::Close);
            ctx.request_repaint();
        }
        if matches!(self.state, ClosingStage::Failed(_)) {
            self.state = ClosingStage::Free;
        }
    }

    /// Whether waiting since then is enough.
    fn is_too_long(&self, since: f64, now: f64) -> bool {
        now - since > PATIENCE_SECS || self.hurried.is_some_and(|hurried| now - hurried > HURRIED_SECS)
    }

    /// Holds the window while a run goes on, and lets it go once the checkpoint stands.
    pub fn logic(&mut self, ctx: &Context, desk: &Desk) {
        let now = ctx.input(|input| input.time);
        if self.hurried.is_some() {
            desk.session.hurry();
        }
        if ctx.input(|input| input.viewport().close_requested()) {
            let is_training =
                desk.session.snapshot().runs.active.as_ref().is_some_and(|view| view.phase.is_active());
            match self.state {
                ClosingStage::Open if is_training => {
                    ctx.send_viewport_cmd(ViewportCommand::CancelClose);
                    desk.session.send(Command::Train(TrainCommand::Stop));
                    self.state = ClosingStage::Waiting(now);
                }
                ClosingStage::Waiting(_) => ctx.send_viewport_cmd(ViewportCommand::CancelClose),
                ClosingStage::Open | ClosingStage::Failed(_) | ClosingStage::Free => {}
            }
            return;
        }
        match self.state {
            ClosingStage::Free => ctx.send_viewport_cmd(ViewportCommand::Close),
            ClosingStage::Waiting(since) if self.is_too_long(since, now) => {
                self.state = ClosingStage::Failed("it takes longer than a minute".to_owned());
                ctx.request_repaint();
            }
            ClosingStage::Waiting(_) => ctx.request_repaint_after_secs(0.5),
            ClosingStage::Open | ClosingStage::Failed(_) => {}
        }
    }

    /// Says what the window waits for.
    pub fn ui(&mut self, ctx: &Context) {
        let text = match &self.state {
            ClosingStage::Open | ClosingStage::Free => return,
            ClosingStage::Waiting(_) => {
                "A checkpoint of the run is being written; the window closes after it.".to_owned()
            }
            ClosingStage::Failed(why) => {
                format!("The checkpoint was not written: {why}. The one before it is kept.")
            }
        };
        let mut keep_open = false;
        Modal::new(Id::unique("closing")).frame(overlay_frame(ctx)).show(ctx, |ui| {
            ui.set_width(420.0);
            ui.label(egui::RichText::new("Closing").strong());
            ui.add_space(STEP / 2.0);
            ui.label(text);
            ui.add_space(STEP);
            ui.horizontal(|ui| {
                if ui.button("Close without it").clicked() {
                    self.state = ClosingStage::Free;
                }
                if matches!(self.state, ClosingStage::Failed(_))
                    && ui.button("Keep the window open").clicked()
                {
                    keep_open = true;
                }
            });
        });
        if keep_open {
            self.state = ClosingStage::Open;
        }
    }
}

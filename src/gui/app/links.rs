//! What is copied and pasted: links, which are what is on show as text, and pictures.

use std::sync::Arc;

use eframe::egui;
use eframe::egui::Context;

use crate::engine::training::DataSource;
use crate::engine::{Command, OutsidePicture, Source};
use crate::image::Image;

use super::App;
use super::run::{OPEN_DATA, PICTURE};
use crate::gui::memory::link::Link;
use crate::gui::nouns::Tab;
use crate::gui::paint::pane::Viewpoint;
use crate::gui::widgets::notices::Past;

impl App {
    /// Opens what a link says; what is open already stays.
    pub(super) fn open_link(&mut self, link: Link) {
        let snapshot = self.desk.session.snapshot().clone();
        if let Some(spec) = link.model.clone().filter(|spec| snapshot.model_source.as_deref() != Some(spec)) {
            self.desk.session.send(Command::OpenModel { spec });
        }
        self.desk.tab = Tab::Explore;
        link.look.mode.into_iter().for_each(|mode| self.view(mode));
        link.dress(&mut self.desk.settings);
        let data = link.data.clone().filter(|data| snapshot.data_source.as_deref() != Some(data));
        self.restoring = Some(Box::new(link));
        match data {
            Some(DataSource { spec, split }) => self.desk.session.send(Command::OpenData { spec, split }),
            None => self.restore(),
        }
    }

    /// Goes to the image and query of a link once its data set is there.
    pub(super) fn restore(&mut self) {
        let Some(link) = self.restoring.take() else { return };
        let source = self.desk.session.snapshot().data_source.clone();
        // Another data set was opened meanwhile: image and query mean nothing in it.
        if link.data.is_none() || link.data.as_ref() == source.as_deref() {
            let image = self.desk.session.restore(&link);
            if let (Some(image), Some(zoom)) = (image, link.look.zoom) {
                self.views.look_at(image, Viewpoint::from_numbers(zoom));
            }
        }
    }

    /// Puts what is on show into the clipboard as a link.
    pub(super) fn copy_link(&mut self, ctx: &Context) {
        let mut link = self.desk.session.link();
        let zoom = self.views.viewpoint().and_then(|viewpoint| viewpoint.numbers());
        link.take_look(&self.desk.settings, zoom);
        let text = link.to_string();
        ctx.copy_text(text.clone());
        let query = self.desk.session.query();
        let is_partial =
            query.is_some_and(|query| query.parts.iter().any(|part| part.source.area().is_none()));
        let without = if is_partial { ", without the pictures from outside the data set" } else { "" };
        let how = "bagssl --open LINK, or paste it into the window";
        self.notices.done("Copied as link", format!("{text} ({how}{without})"));
    }

    /// Takes what was pasted where nothing else does: opens a link, looks for a picture.
    pub(super) fn take_pasted(&mut self, ctx: &Context) {
        let pasted =
            |event: &egui::Event| matches!(event, egui::Event::Paste(_) | egui::Event::PasteImage(_));
        match ctx.input(|input| input.events.iter().find(|event| pasted(event)).cloned()) {
            Some(egui::Event::Paste(text)) if Link::is_meant(&text) => match text.parse::<Link>() {
                Ok(link) => self.open_link(link),
                Err(error) => self.notices.error("The pasted link".to_owned(), format!("{error:#}")),
            },
            Some(egui::Event::PasteImage(picture)) => match self.desk.session.data_id() {
                Some(_) => self.files.take_pasted(picture),
                None => self.notices.error_until(Past::Data, PICTURE, OPEN_DATA),
            },
            _ => {}
        }
    }

    /// Looks for a picture from the clipboard.
    pub(super) fn look_for_pasted(&mut self, image: Image) {
        self.desk.tab = Tab::Explore;
        let picture = OutsidePicture { name: "the clipboard".into(), image: Arc::new(image) };
        self.desk.session.go_to(Source::Outside(Arc::new(picture)));
    }
}

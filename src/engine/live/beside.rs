//! What is made beside all other work, by threads of its own or at once: small pictures, lists of images, pictures
//! from outside.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use anyhow::Context;

use crate::dataset::Decoding;
use crate::dataset::decode::decode;
use crate::engine::ask::{Command, Event, OutsidePicture, QuerySpec};
use crate::engine::live::open::{Open, OpenData};
use crate::engine::live::part::{Handled, Part};
use crate::engine::look::image_search::{ImageSearch, ImageSearchJob};
use crate::engine::look::parts;
use crate::engine::look::thumbnails::{PictureSize, ThumbnailJob, Thumbnails};

/// Hands on what needs no tensors.
pub struct BesidePart {
    thumbnails: Thumbnails,
    image_search: ImageSearch,
}

impl BesidePart {
    /// Asks these.
    pub fn new(thumbnails: Thumbnails, image_search: ImageSearch) -> Self {
        Self { thumbnails, image_search }
    }

    /// Has a picture of image `index` made.
    fn picture(&self, open: &Open, index: usize, what: PictureSize) {
        if let Some(OpenData { id, set, .. }) = &open.data {
            self.thumbnails.request(ThumbnailJob { data: set.clone(), data_id: *id, index, what });
        }
    }
}

impl Part for BesidePart {
    fn handle(&mut self, command: Command, open: &mut Open) -> Handled {
        match command {
            Command::Thumbnail { index, .. } => self.picture(open, index, PictureSize::Thumbnail),
            Command::SourceImage { index, .. } => self.picture(open, index, PictureSize::Source),
            Command::FindImages { filter, .. } => {
                if let Some(OpenData { id, set, .. }) = &open.data {
                    let job = ImageSearchJob { data: set.clone(), data_id: *id, filter };
                    self.image_search.request(job);
                }
            }
            Command::QueryPicture { data, query } => return Handled::Yes(picture_query(open, data, query)),
            Command::Files(question) => {
                let line = open.line.clone();
                let answer = move || line.emit(Event::Files(question.answer()));
                let started = thread::Builder::new().name("files".into()).spawn(answer);
                return Handled::Yes(started.map(drop).context("could not start a thread"));
            }
            Command::OpenPicture { path } => return Handled::Yes(open_picture(open, &path)),
            other => return Handled::No(other),
        }
        Handled::Yes(Ok(()))
    }
}

/// Sends the pixels of a query's parts.
fn picture_query(open: &Open, data: u64, query: QuerySpec) -> anyhow::Result<()> {
    let set = open.set()?;
    let image = parts::pixels_of(&query, |index| {
        anyhow::ensure!((index as usize) < set.len(), "the data set has no image {index}");
        Ok(Arc::new(set.image(index as usize)?))
    })?;
    open.line.emit(Event::QueryPicture { data, query, image });
    Ok(())
}

/// Reads a picture from outside, in the way of the open data set.
fn open_picture(open: &Open, path: &Path) -> anyhow::Result<()> {
    let decoding = open.data.as_ref().map_or_else(Decoding::default, |data| data.source.spec.decoding());
    let image = Arc::new(decode(path, decoding)?.image);
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    open.line.emit(Event::Picture(Arc::new(OutsidePicture { name, image })));
    Ok(())
}

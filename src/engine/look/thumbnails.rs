//! The thread that makes small pictures; the newest request comes first.

use std::sync::Arc;
use std::thread;

use anyhow::Context;
use crossbeam_channel::{Sender, unbounded};

use crate::augment::{Resize, ResizePlan};
use crate::dataset::Dataset;
use crate::engine::ask::{EngineLine, Event, SOURCE_SIDE, THUMBNAIL_SIDE};
use crate::image::Image;

/// Requests that are kept; older ones have scrolled out of sight.
const KEPT: usize = 256;

/// One request.
pub struct ThumbnailJob {
    pub data: Arc<dyn Dataset>,
    pub data_id: u64,
    pub index: usize,
    pub what: PictureSize,
}

/// Which picture is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureSize {
    Thumbnail,
    /// The image around a neighbour.
    Source,
}

/// The engine's end of the thread.
pub struct Thumbnails(Sender<ThumbnailJob>);

impl Thumbnails {
    /// Starts the thread.
    pub fn start(line: Arc<EngineLine>) -> anyhow::Result<Self> {
        let (sender, jobs) = unbounded::<ThumbnailJob>();
        let work = move || {
            let mut stack: Vec<ThumbnailJob> = vec![];
            while let Some(job) = stack.pop().or_else(|| jobs.recv().ok()) {
                stack.extend(jobs.try_iter());
                let excess = stack.len().saturating_sub(KEPT);
                stack.drain(..excess);
                line.emit(match job.data.image(job.index) {
                    Ok(image) => event(&job, &image),
                    Err(error) => Event::NoThumbnail {
                        data: job.data_id,
                        index: job.index,
                        message: format!("{error:#}"),
                    },
                });
            }
        };
        thread::Builder::new().name("thumbnails".into()).spawn(work).context("could not start a thread")?;
        Ok(Self(sender))
    }

    /// Asks for a small picture.
    pub fn request(&self, job: ThumbnailJob) {
        // Fails only if the thread died; the list then shows no pictures.
        let _ = self.0.send(job);
    }
}

fn event(job: &ThumbnailJob, image: &Image) -> Event {
    let (data, index) = (job.data_id, job.index);
    match job.what {
        PictureSize::Thumbnail => {
            Event::Thumbnail { data, index, image: Arc::new(reduced(image, THUMBNAIL_SIDE)) }
        }
        PictureSize::Source => {
            let size = (image.height(), image.width());
            Event::SourceImage { data, index, size, image: Arc::new(reduced(image, SOURCE_SIDE)) }
        }
    }
}

/// The image with its longest side at most `most`; smaller ones stay as they are.
pub fn reduced(image: &Image, most: u32) -> Image {
    let (height, width) = (image.height(), image.width());
    let longest = height.max(width);
    if longest <= most {
        return image.clone();
    }
    let scaled = |side: u32| (side * most / longest).max(1);
    let (rows, cols) = (scaled(height), scaled(width));
    let pixels = (rows * cols) as usize;
    let mut planar = vec![0.0; 3 * pixels];
    ResizePlan::rect(Resize::Bilinear, (height, width), (rows, cols)).resize(image, 0, 0, &mut planar);
    let byte = |value: f32| (value * 255.0 + 0.5) as u8;
    let rgb = (0..pixels).flat_map(|i| [0, 1, 2].map(|channel| byte(planar[channel * pixels + i])));
    Image::new(cols, rows, rgb.collect())
}

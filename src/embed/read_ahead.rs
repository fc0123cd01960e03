//! Images of a data set, decoded ahead of the network as far as there is room for them.

use std::sync::Arc;
use std::thread;

use anyhow::Context;
use crossbeam_channel::{Receiver, bounded};

use super::times::TimeSpent;
use crate::bank::{ImageEntry, PixelHash};
use crate::dataset::Dataset;
use crate::image::Image;
use crate::memory::{Hold, Room};

/// Decoded images that may wait for the network, where there is memory for so many.
const AHEAD: usize = 16;

/// An image as it was read.
pub(super) struct ReadImage {
    /// Its place in the plan.
    pub place: usize,
    pub image: anyhow::Result<Image>,
    /// Which pixels it has, if it can be read.
    pub pixels: Option<PixelHash>,
    /// The memory that it takes.
    pub hold: Hold,
}

/// Reads the images in the places `chosen` of `images`, in that order, on a thread of its own, whose work is counted in
/// `time`. Each waits until `room` has its bytes.
pub(super) fn read_ahead(
    images: &[ImageEntry],
    data: Arc<dyn Dataset>,
    chosen: &[usize],
    (room, time): (&Arc<Room>, &Arc<TimeSpent>),
) -> anyhow::Result<Receiver<ReadImage>> {
    let (sender, receiver) = bounded(AHEAD);
    let of = |place: &usize| (*place, images[*place].index as usize, images[*place].decoded_bytes());
    let (order, room, time): (Vec<_>, _, _) = (chosen.iter().map(of).collect(), room.clone(), time.clone());
    let read = move || {
        for (place, index, bytes) in order {
            let hold = room.take(bytes);
            let (image, pixels) = time.of(|| {
                let image = data.image(index);
                let pixels = image.as_ref().ok().map(PixelHash::of);
                (image, pixels)
            });
            if sender.send(ReadImage { place, image, pixels, hold }).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("decode".into()).spawn(read).context("could not start a thread")?;
    Ok(receiver)
}

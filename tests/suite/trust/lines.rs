//! What comes over the line between a window and an engine on another machine.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use bagssl::engine::remote::{Hello, ShownPiece, Update, read_command, read_update};
use bagssl::engine::{
    Command, Event, Gallery, GalleryView, Heatmap, Neighbour, QuerySpec, QueryView, Relation, Snapshot,
};
use bagssl::image::Image;
use bagssl::patch::{PatchGrid, PatchRef};
use bagssl::wire::{Assembly, WireFrame, WirePool, pack, read_frame};

fn picture(shade: u8) -> Arc<Image> {
    Arc::new(Image::new(6, 6, (0..108).map(|at| at * shade).collect()))
}

fn gallery(query: &QuerySpec) -> GalleryView {
    let neighbour = |index: u32| Neighbour {
        patch: PatchRef { image: index, y: 0, x: index, size: 6 },
        cosine: 0.5,
        in_other_spaces: vec![("h".into(), 0.25)],
        relation: Relation::OtherClass,
        class: Some("cat".into()),
        image_name: format!("test {index}"),
        copies: 1,
        copy_names: vec![],
        pixels: picture(index as u8 % 3),
        is_readable: true,
    };
    let space = Gallery {
        space: "z".into(),
        milliseconds: 1.0,
        recall: None,
        searched: 9,
        candidates: 8,
        neighbours: (0..8).map(neighbour).collect(),
    };
    GalleryView {
        query_id: 1,
        query: query.clone(),
        query_pixels: picture(7),
        spaces: vec![space],
        filter: Default::default(),
        searched: 9,
        total: 9,
        images: (3, 3),
        guests: 0,
        way: None,
        pictures_follow: false,
    }
}

/// A recording of each direction.
pub fn lay(_: &Path, place: &Path) {
    let query = QuerySpec::one(PatchRef { image: 0, y: 0, x: 0, size: 6 });
    let values = Arc::new((0..40).map(|cell| cell as f32 / 40.0).collect::<Vec<f32>>());
    let grid = PatchGrid { patch: 6, stride: 1 };
    let map = |space: &str| Heatmap {
        space: space.into(),
        grid,
        rows: 5,
        cols: 8,
        values: values.clone(),
        shown: values.clone(),
        lengths: None,
    };
    let (mut pool, mut recorded) = (WirePool::default(), vec![]);
    Hello::own().write(&mut recorded).unwrap();
    for id in 1..4 {
        let (maps, parts) = (vec![map("z"), map("h")], vec![picture(7)]);
        let shown = QueryView { id, query: query.clone(), parts, image: 0, maps, known: 40, tiles: None };
        let pieces = vec![
            ShownPiece::Busy(Some("searching".into())),
            ShownPiece::Query(Some(Arc::new(shown))),
            ShownPiece::Galleries(Some(Arc::new(gallery(&query)))),
        ];
        let events = vec![Event::Thumbnail { data: 1, index: 3, image: picture(9) }, Event::DataOpened];
        let bytes = pack(&Update { pieces, events }, &mut pool).unwrap();
        WireFrame::cut(0, &bytes).iter().for_each(|frame| recorded.extend(frame.to_bytes()));
    }
    fs::write(place.join("to-window"), recorded).unwrap();
    let (mut pool, mut recorded) = (WirePool::default(), vec![]);
    Hello::own().write(&mut recorded).unwrap();
    let commands = [
        Command::OpenData { spec: "/data/set".into(), split: None },
        Command::OpenModel { spec: "demo".into() },
        Command::Query { id: 1, data: 1, query, image: 0 },
    ];
    for command in commands {
        let bytes = pack(&command, &mut pool).unwrap();
        WireFrame::cut(0, &bytes).iter().for_each(|frame| recorded.extend(frame.to_bytes()));
    }
    fs::write(place.join("to-engine"), recorded).unwrap();
}

/// Takes in what was recorded, as each end does.
pub fn read(place: &Path, file: &str) -> anyhow::Result<()> {
    let recorded = fs::read(place.join(file))?;
    let mut line = &recorded[..];
    if let Some(why) = Hello::read(&mut line)?.obstacle() {
        anyhow::bail!(why);
    }
    let (mut assembly, mut pool, mut shown) =
        (Assembly::<3>::default(), WirePool::default(), Snapshot::default());
    while let Some(frame) = read_frame(&mut line)? {
        let Some(whole) = assembly.take(frame)? else { continue };
        match file {
            "to-window" => {
                let update = read_update(&whole.bytes, &mut pool, &shown)?;
                update.pieces.into_iter().for_each(|piece| piece.show(&mut shown));
            }
            _ => drop(read_command(&whole.bytes, &mut pool)?),
        }
    }
    // Half a recording is no recording.
    shown
        .galleries
        .filter(|galleries| galleries.query_id == 1)
        .map(drop)
        .or((file == "to-engine").then_some(()))
        .context("no gallery came")
}

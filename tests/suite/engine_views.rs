use std::sync::Arc;

use bagssl::engine::{Command, Event, MicroscopeView, PlaceView, PlacesRequest, QuerySpec, Snapshot, Split};
use bagssl::patch::PatchRef;

use super::engine::{Started, guests_beside, is_complete};

/// The microscope once all its vectors are known.
fn filled(shown: &Snapshot) -> Option<Arc<MicroscopeView>> {
    let view = shown.views.microscope.clone()?;
    let is_filled = view.levels.iter().all(|level| level.known == level.positions && level.maps.len() == 2);
    (!view.levels.is_empty() && is_filled).then_some(view)
}

#[test]
fn the_microscope_shows_the_querys_place_at_each_size_and_follows_it() {
    let started = Started::new();
    started.until("the worked example", is_complete);
    let patch = PatchRef { image: 2, y: 16, x: 24, size: 16 };
    started.engine.send(Command::Query {
        id: 7,
        data: 1,
        query: QuerySpec::one(patch),
        image: patch.image as usize,
    });
    started.engine.send(Command::Microscope(Some(vec![16, 48, 64, 65])));
    let shown = started.until("the microscope", |shown| {
        filled(shown).is_some_and(|view| view.image == 2 && view.levels[0].query == Some(patch))
    });
    let view = filled(&shown).unwrap();
    assert_eq!(view.left_out, [65], "it does not fit on 64 x 64");
    let sizes: Vec<u32> = view.levels.iter().map(|level| level.grid.patch).collect();
    assert_eq!(sizes, [16, 48, 64]);
    // About the centre (24, 32) of the query; the largest is the image itself.
    let corners: Vec<_> =
        view.levels.iter().map(|level| level.query.map(|query| (query.y, query.x))).collect();
    assert_eq!(corners, [Some((16, 24)), Some((0, 8)), Some((0, 0))]);
    let level = &view.levels[0];
    assert_eq!((level.grid.stride, level.positions), (2, 25 * 25));
    // The query lies on the grid at row 8, column 12; its own place is not the rest of the image.
    let own = 8 * 25 + 12;
    for (map, rest) in level.maps.iter().zip(&level.rest) {
        assert!((map.values[own] - 1.0).abs() < 1e-4);
        let sum: f32 = map.values.iter().sum();
        assert_eq!(rest.patches, 624);
        assert!((rest.mean - (sum - map.values[own]) / 624.0).abs() < 1e-4);
    }
    let whole = &view.levels[2];
    assert!(whole.rest.iter().all(|rest| rest.patches == 0 && rest.mean.is_nan()));

    let patch = PatchRef { x: 40, ..patch };
    started.engine.send(Command::Query {
        id: 8,
        data: 1,
        query: QuerySpec::one(patch),
        image: patch.image as usize,
    });
    let shown = started.until("the next place", |shown| {
        filled(shown).is_some_and(|view| (view.levels[0].maps[0].values[8 * 25 + 20] - 1.0).abs() < 1e-4)
    });
    assert_eq!(filled(&shown).unwrap().levels[0].query, Some(patch));
    // Left, it is gone; taken up again, what was known is there at once.
    started.engine.send(Command::Microscope(None));
    started.until("leaving", |shown| shown.views.microscope.is_none());
    started.engine.send(Command::Microscope(Some(vec![16, 48, 64, 65])));
    let shown = started.until("coming back", |shown| shown.views.microscope.is_some());
    assert!(filled(&shown).is_some(), "nothing is embedded again");
}

#[test]
fn a_neighbour_has_its_cosine_in_the_other_space_too() {
    let started = Started::new();
    let shown = started.until("the worked example", is_complete);
    let galleries = shown.galleries.clone().unwrap();
    let [z, h] = &galleries.spaces[..] else { panic!("two spaces") };
    let mut both = 0;
    for neighbour in &z.neighbours {
        assert_eq!(neighbour.in_other_spaces.len(), 1);
        let (space, cosine) = &neighbour.in_other_spaces[0];
        assert_eq!(space, "h");
        if let Some(there) = h.neighbours.iter().find(|other| other.patch == neighbour.patch) {
            assert!((there.cosine - cosine).abs() < 1e-3, "{} and {cosine}", there.cosine);
            assert!((there.in_other_spaces[0].1 - neighbour.cosine).abs() < 1e-3);
            both += 1;
        }
    }
    assert!(both > 0, "of 127 patches, the 20 nearest in z and in h have some in common");
}

#[test]
fn the_image_around_a_neighbour_comes_when_it_is_asked_for() {
    let started = Started::new();
    started.until("the worked example", is_complete);
    started.engine.drain_events();
    started.engine.send(Command::SourceImage { data: 1, index: 5 });
    started.engine.send(Command::SourceImage { data: 99, index: 6 });
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while std::time::Instant::now() < deadline {
        for event in started.engine.drain_events() {
            if let Event::SourceImage { data, index, size, image } = event {
                assert_eq!((data, index, size), (1, 5, (64, 64)));
                assert_eq!((image.height(), image.width()), (64, 64), "small images come as they are");
                return;
            }
        }
        let _ = started.bell.recv_timeout(std::time::Duration::from_millis(200));
    }
    panic!("it did not come");
}

#[test]
fn several_places_have_the_galleries_that_each_has_as_a_query() {
    let started = Started::new();
    started.until("the worked example", is_complete);
    let place = |image, y, x| PatchRef { image, y, x, size: 16 };
    // The second sticks out of its 64 x 64 pixels, the third has no image.
    let places = vec![place(2, 16, 24), place(5, 60, 8), place(1_000_000, 0, 0)];
    let request = PlacesRequest { data: 1, places: places.clone(), neighbours: 12 };
    started.engine.send(Command::Places(Some(request.clone())));
    let has_all = |shown: &Snapshot| {
        let places = shown.views.places.as_ref().map_or(&[][..], |view| &view.places);
        // Also of its own image, which may be none of the sample.
        let is_whole = |place: &PlaceView| {
            let guests = guests_beside(8, place.patch.image as usize);
            place.gallery.as_ref().is_some_and(|gallery| gallery.guests == guests)
        };
        places.len() == 3 && places.iter().all(|place| is_whole(place) || place.error.is_some())
    };
    let shown = started.until("the galleries", has_all);
    let view = shown.views.places.clone().unwrap();
    assert_eq!(view.of(places[1]).unwrap().patch, place(5, 48, 8), "moved into its image");
    assert!(view.places[2].error.as_ref().unwrap().contains("1000000"));
    for (id, known) in (7..).zip(&view.places[..2]) {
        let gallery = known.gallery.clone().unwrap();
        let query = QuerySpec::one(known.patch);
        let image = known.patch.image as usize;
        started.engine.send(Command::Query { id, data: 1, query, image });
        let shown = started.until("the same as a query", |shown| {
            let guests = guests_beside(8, image);
            shown.galleries.as_ref().is_some_and(|found| found.query_id == id && found.guests == guests)
        });
        let single = shown.galleries.clone().unwrap();
        for (here, there) in gallery.spaces.iter().zip(&single.spaces) {
            let patches = |gallery: &bagssl::engine::Gallery| {
                gallery.neighbours.iter().take(12).map(|hit| hit.patch).collect::<Vec<_>>()
            };
            assert_eq!((here.space.as_str(), here.neighbours.len()), (there.space.as_str(), 12));
            assert_eq!(patches(here), patches(there), "{}", here.space);
        }
    }
    // Of another data set there are none, and left they are gone.
    started.engine.send(Command::Places(Some(PlacesRequest { data: 99, ..request })));
    started.until("another data set", |shown| shown.views.places.is_none());
}

#[test]
fn patches_are_of_the_size_that_the_model_was_trained_on_until_one_is_chosen() {
    let (ring, bell) = crossbeam_channel::bounded(1);
    let device = bagssl::engine::open_device(bagssl::device::DeviceChoice::Cpu).unwrap();
    let engine = bagssl::engine::start(device, None, move || _ = ring.try_send(())).unwrap();
    let started = Started { engine, bell };
    let open = |model: &str| started.engine.send(Command::OpenModel { spec: model.into() });
    let grid = |model: &str| {
        let shown = started.until(model, |shown| {
            let is_open = shown.model.as_ref().is_some_and(|open| open.name == model);
            let query = shown.query.as_ref().and_then(|query| query.query.as_patch());
            let patch = shown.config.as_ref().map(|config| config.grid.patch);
            is_open && shown.busy.is_none() && query.is_some() && query.map(|query| query.size) == patch
        });
        let config = shown.config.clone().unwrap();
        (config.grid.patch, config.grid.stride, config.gallery_stride)
    };
    open("demo");
    started.engine.send(Command::OpenData { spec: "demo".into(), split: Some(Split::Test) });
    // Images of 64 x 64: trained on patches of 20, and of 16.
    assert_eq!(grid("demo"), (20, 2, 7));
    open("demo-cifar10");
    assert_eq!(grid("demo-cifar10"), (16, 2, 8));
    let mut config = started.engine.snapshot().config.clone().unwrap();
    (config.grid.patch, config.gallery_images) = (18, 2);
    started.engine.send(Command::Configure { id: 5, config });
    started.until("the chosen size", |shown| shown.query.as_ref().is_some_and(|query| query.id == 5));
    open("demo");
    assert_eq!(grid("demo"), (18, 2, 8));
}

use std::collections::BTreeSet;

use super::draw::PartCanvas;
use super::names::ScenePart;
use super::sky::Mood;
use super::*;
use crate::progress::{CancelToken, Cancelled};

fn set(images: usize, size: u32) -> Parts {
    Parts::new(7, images, size, Split::Train).unwrap()
}

/// Names of the parts that cover at least 0.2 % of some image of `class`.
fn parts_of(class: &str, images: usize) -> BTreeSet<&'static str> {
    let set = set(images, 64);
    let mut names = BTreeSet::new();
    for index in (0..images).filter(|&i| set.classes[set.class(i)] == class) {
        let map = set.parts(index).unwrap().unwrap();
        let mut count = [0usize; 256];
        map.index.iter().for_each(|&part| count[part as usize] += 1);
        names.extend((0..PART_NAMES.len()).filter(|&k| count[k] >= 8).map(|k| PART_NAMES[k]));
    }
    names
}

/// Picture (RGBA bytes) and part map of a scene, with one part in magenta.
fn painted(class: usize, index: u64, size: u32, repainted: Option<ScenePart>) -> (Vec<u8>, Vec<u8>) {
    let mut dice = Dice::new(3, Split::Train, index);
    let mood = Mood::roll(&mut dice);
    let mut canvas = PartCanvas::new(size, 0.6);
    canvas.repainted = repainted;
    scene::compose(&mut canvas, &mut dice, &mood, class);
    let (picture, map) = canvas.finish();
    (picture.data().to_vec(), map.data().iter().step_by(4).copied().collect())
}

#[test]
fn a_scene_is_a_function_of_seed_split_index_and_size() {
    let (a, b) = (set(40, 48), set(9, 48));
    assert_eq!(a.render(8).unwrap(), b.render(8).unwrap());
    assert_ne!(a.image(8).unwrap(), a.image(7).unwrap());
    let test = Parts::new(7, 40, 48, Split::Test).unwrap();
    let other = Parts::new(8, 40, 48, Split::Train).unwrap();
    let train: Vec<Image> = (0..40).map(|i| a.image(i).unwrap()).collect();
    for i in 0..40 {
        assert!(!train.contains(&test.image(i).unwrap()), "test image {i} is a training image");
        assert!(!train.contains(&other.image(i).unwrap()), "image {i} of another seed is one of this");
    }
    assert_ne!(a.fingerprint().unwrap(), test.fingerprint().unwrap());
    assert_ne!(a.fingerprint().unwrap(), b.fingerprint().unwrap());
}

#[test]
fn threads_draw_what_one_thread_draws() {
    use rayon::prelude::*;
    let set = set(64, 32);
    let parallel: Vec<Image> = (0..64usize).into_par_iter().map(|i| set.image(i).unwrap()).collect();
    assert!((0..64).all(|i| parallel[i] == set.image(i).unwrap()));
}

#[test]
fn a_large_scene_scaled_down_is_the_small_scene() {
    let (small, large) = (set(30, 64), set(30, 256));
    for index in 0..30 {
        let (a, b) = (small.render(index).unwrap(), large.render(index).unwrap());
        let mut difference = 0.0;
        let mut agree = 0;
        for y in 0..64 {
            for x in 0..64 {
                let block = b.0.crop(4 * y, 4 * x, 4, 4);
                for k in 0..3 {
                    let mean =
                        block.rgb().iter().skip(k).step_by(3).map(|&v| f32::from(v)).sum::<f32>() / 16.0;
                    difference += (mean - f32::from(a.0.pixel(y, x)[k])).abs() / (3.0 * 64.0 * 64.0);
                }
                let centre = b.1.index[((4 * y + 2) * 256 + 4 * x + 2) as usize];
                agree += usize::from(centre == a.1.index[(y * 64 + x) as usize]);
            }
        }
        assert!(difference < 4.0, "image {index}: mean difference {difference} of 255");
        assert!(agree > 64 * 64 * 93 / 100, "image {index}: {agree} of 4096 pixels name the same part");
    }
}

#[test]
fn another_colour_of_a_part_changes_its_pixels_and_no_others() {
    const SIZE: usize = 96;
    for class in 0..scene::CLASSES.len() {
        for part in [
            ScenePart::Sky,
            ScenePart::Grass,
            ScenePart::Wheel,
            ScenePart::Window,
            ScenePart::Leg,
            ScenePart::Head,
            ScenePart::Wing,
            ScenePart::Hull,
        ] {
            let (plain, map) = painted(class, class as u64, SIZE as u32, None);
            let (painted, same) = painted(class, class as u64, SIZE as u32, Some(part));
            assert_eq!(map, same);
            let is = |y: usize, x: usize| map[y * SIZE + x] == part as u8;
            let (mut inner, mut changed_inner, mut strays) = (0, 0, 0);
            for y in 2..SIZE - 2 {
                for x in 2..SIZE - 2 {
                    let at = 4 * (y * SIZE + x);
                    let by = (0..3).map(|k| plain[at + k].abs_diff(painted[at + k])).max().unwrap_or(0);
                    let around = || (y - 2..=y + 2).flat_map(|v| (x - 2..=x + 2).map(move |u| (v, u)));
                    let near = around().any(|(v, u)| is(v, u));
                    strays += usize::from(by > 24 && !near);
                    if around().all(|(v, u)| is(v, u)) {
                        inner += 1;
                        changed_inner += usize::from(by > 0);
                    }
                }
            }
            // The line round a head may show round the muzzle that hides it: a pixel or two.
            assert!(strays <= 4, "{}: {strays} pixels are {part:?}, not in the map", scene::CLASSES[class]);
            assert!(changed_inner * 100 >= inner * 98, "{part:?}: {changed_inner} of {inner} pixels changed");
        }
    }
}

#[test]
fn classes_show_their_parts_and_share_some() {
    let expected: [(&str, &[&str]); 10] = [
        ("car", &["wheel", "bodywork", "roof", "door", "window", "light", "bumper"]),
        ("truck", &["wheel", "cabin", "cargo", "door", "window", "bumper", "light"]),
        ("plane", &["wing", "tail", "fuselage", "window", "engine", "propeller", "wheel"]),
        ("ship", &["hull", "mast", "sail", "flag", "cabin", "window", "cargo", "funnel"]),
        ("horse", &["body", "leg", "neck", "head", "muzzle", "ear", "mane", "tail"]),
        ("deer", &["body", "leg", "neck", "head", "muzzle", "ear", "antler", "tail"]),
        ("dog", &["body", "leg", "head", "muzzle", "ear", "tail"]),
        ("cat", &["body", "leg", "head", "muzzle", "ear", "eye", "tail"]),
        ("bird", &["body", "wing", "head", "beak", "tail", "leg"]),
        ("frog", &["body", "leg", "head", "eye"]),
    ];
    for (class, names) in expected {
        let seen = parts_of(class, 300);
        assert!(names.iter().all(|name| seen.contains(name)), "{class} shows only {seen:?}");
    }
}

#[test]
fn every_part_occurs_and_backgrounds_are_shared_by_classes() {
    let seen = scene::CLASSES.map(|class| parts_of(class, 400));
    for name in PART_NAMES {
        let classes = seen.iter().filter(|names| names.contains(name)).count();
        let least = match *name {
            "wave" | "beak" | "antler" | "mane" | "hull" | "sail" | "mast" | "flag" | "funnel" => 1,
            "sky" | "cloud" | "grass" | "hill" | "mountain" => 8,
            "sea" | "sand" | "road" | "tree" | "house" | "fence" | "sun" | "lamp post" => 3,
            _ => 1,
        };
        assert!(classes >= least, "{name} occurs in {classes} classes");
    }
}

#[test]
fn labels_are_balanced_and_known_without_drawing() {
    let set = set(1000, 32);
    let mut count = [0; 10];
    (0..1000).for_each(|i| count[set.label(i).unwrap() as usize] += 1);
    assert_eq!(count, [100; 10]);
    let order = |block: usize| (0..10).map(|k| set.label(10 * block + k).unwrap()).collect::<Vec<_>>();
    assert!((1..10).any(|block| order(block) != order(0)), "classes come in one fixed order");
    assert_eq!(set.label(1000), None);
}

#[test]
fn sizes_out_of_range_and_images_out_of_range_are_refused_in_words() {
    for size in [0, 31, 513, u32::MAX] {
        let text = Parts::new(1, 10, size, Split::Train).unwrap_err().to_string();
        assert!(text.contains(&size.to_string()) && text.contains("32 to 512"), "{text}");
    }
    assert!(Parts::new(1, 0, 64, Split::Train).is_err());
    for size in [32, 33, 511, 512] {
        let (image, map) = set(2, size).render(1).unwrap();
        assert_eq!((image.width(), image.height(), map.index.len()), (size, size, (size * size) as usize));
        assert!(map.index.iter().all(|&part| (part as usize) < PART_NAMES.len()));
    }
    let text = set(2, 32).image(2).unwrap_err().to_string();
    assert!(text.contains("image 2") && text.contains("0 to 1"), "{text}");
}

#[test]
fn objects_fill_most_of_the_frame() {
    let set = set(400, 64);
    for index in 0..400 {
        let map = set.parts(index).unwrap().unwrap();
        let object = |y: usize, x: usize| usize::from(map.index[y * 64 + x]) >= BACKGROUNDS;
        let columns: Vec<usize> = (0..64).filter(|&x| (0..64).any(|y| object(y, x))).collect();
        let rows: Vec<usize> = (0..64).filter(|&y| (0..64).any(|x| object(y, x))).collect();
        let span = |v: &[usize]| v.last().unwrap_or(&0) + 1 - v.first().unwrap_or(&0);
        let reach = span(&columns).max(span(&rows));
        assert!(
            reach >= 34,
            "image {index}, {}: the object spans {reach} of 64 pixels",
            scene::CLASSES[set.class(index)]
        );
    }
}

#[test]
fn the_demo_set_is_what_the_manual_says() {
    let (train, test) = (demo(None), demo(Some(Split::Test)));
    assert_eq!((train.len(), test.len()), (4096, 1024));
    assert_eq!(train.size(), Some((64, 64)));
    assert_eq!((train.split(), test.split()), (Some(Split::Train), Some(Split::Test)));
    assert_eq!((train.kind().name, train.name().as_str()), ("parts", "Parts"));
    assert_eq!(test.image_name(1007), "test 1,007");
}

#[test]
fn a_written_folder_holds_images_and_masks_and_is_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("set");
    let set = set(30, 32);
    let stopped = CancelToken::default();
    let stop = stopped.clone();
    stop.cancel();
    let error = write_image_folder(&set, &out, &stopped, &mut |_| ()).unwrap_err();
    assert!(error.is::<Cancelled>());
    let (go, mut last) = (CancelToken::default(), None);
    let written = write_image_folder(&set, &out, &go, &mut |p| last = Some(p)).unwrap();
    assert_eq!((written.images, written.resumed, last.unwrap().done), (30, 0, 30));
    for index in 0..30 {
        let file = format!("{}/train-{index:06}.png", set.classes()[set.label(index).unwrap() as usize]);
        let image = ::image::open(out.join("train").join(&file)).unwrap().into_rgb8();
        assert_eq!(image.as_raw(), set.image(index).unwrap().rgb());
        let mask = ::image::open(out.join(".parts/train").join(&file)).unwrap().into_luma8();
        assert_eq!(mask.as_raw(), &set.parts(index).unwrap().unwrap().index);
    }
    let shown: BTreeSet<_> = std::fs::read_dir(&out).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(shown, [".parts", "parts.json", "train"].map(Into::into).into());
    std::fs::remove_file(out.join(format!("train/{}/train-000004.png", set.classes()[set.class(4)])))
        .unwrap();
    assert_eq!(write_image_folder(&set, &out, &go, &mut |_| ()).unwrap().resumed, 29);
    let more = Parts::new(7, 40, 32, Split::Train).unwrap();
    assert_eq!(write_image_folder(&more, &out, &go, &mut |_| ()).unwrap().resumed, 30);
    let test = Parts::new(7, 10, 32, Split::Test).unwrap();
    assert_eq!(write_image_folder(&test, &out, &go, &mut |_| ()).unwrap().resumed, 0);
    assert!(out.join("val/car").is_dir());
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let go = CancelToken::default();
    let refusal =
        |set: &Parts| write_image_folder(set, dir.path(), &go, &mut |_| ()).unwrap_err().to_string();
    std::fs::write(dir.path().join("thesis.txt"), "mine").unwrap();
    assert!(refusal(&set(10, 32)).contains("holds other files"));
    std::fs::remove_file(dir.path().join("thesis.txt")).unwrap();
    write_image_folder(&set(10, 32), dir.path(), &go, &mut |_| ()).unwrap();
    assert!(refusal(&set(10, 48)).contains("size 32"));
    assert!(refusal(&set(9, 32)).contains("already holds 10"));
    std::fs::write(dir.path().join("parts.json"), "{").unwrap();
    assert!(refusal(&set(10, 32)).contains("parts.json"));
}

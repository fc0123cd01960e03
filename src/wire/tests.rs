use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::*;
use crate::image::Image;

#[derive(Serialize, Deserialize)]
struct Sent {
    #[serde(with = "fields::picture")]
    picture: Arc<Image>,
    #[serde(with = "fields::numbers")]
    curve: Vec<f64>,
    #[serde(with = "fields::numbers")]
    map: Arc<Vec<f32>>,
    #[serde(with = "fields::word")]
    word: fields::Word,
    #[serde(skip_serializing_if = "is_for_a_file", default)]
    hubs: Vec<u32>,
}

fn picture(side: u32) -> Arc<Image> {
    let rgb = (0..side * side).flat_map(|at| [(at * at % 251) as u8, (at % 7) as u8, (at / side) as u8]);
    Arc::new(Image::new(side, side, rgb.collect()))
}

fn sent(steps: usize) -> Sent {
    let curve = (0..steps).map(|step| (step as f64).sqrt().sin()).collect();
    let mut map: Vec<f32> = (0..300).map(|cell| (cell as f32).cos()).collect();
    map[5] = f32::NAN;
    Sent { picture: picture(40), curve, map: Arc::new(map), word: "embedding", hubs: vec![3, 2] }
}

#[test]
fn what_is_packed_comes_back_to_the_bit_and_is_sent_once() {
    let (mut out, mut inn) = (WirePool::default(), WirePool::default());
    let first = pack(&sent(1000), &mut out).unwrap();
    let got: Sent = unpack(&first, &mut inn).unwrap();
    let told = sent(1000);
    assert!(got.picture == told.picture && got.curve == told.curve);
    let bits = |map: &[f32]| map.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&got.map), bits(&told.map));
    assert_eq!((got.word, got.hubs), ("embedding", vec![3, 2]));
    let more = pack(&sent(1010), &mut out).unwrap();
    assert!(first.len() > 3000 && more.len() < 400, "{} then {}", first.len(), more.len());
    let got: Sent = unpack(&more, &mut inn).unwrap();
    assert_eq!(got.curve, sent(1010).curve);
    // A run that was resumed from an earlier step is shorter for a while.
    let less: Sent = unpack(&pack(&sent(500), &mut out).unwrap(), &mut inn).unwrap();
    assert_eq!(less.curve, sent(500).curve);
}

#[test]
fn a_picture_that_comes_back_is_the_one_that_went() {
    let (mut out, mut inn) = (WirePool::default(), WirePool::default());
    let mine = sent(20);
    let bytes = pack(&mine, &mut out).unwrap();
    let got: Sent = unpack(&bytes, &mut inn).unwrap();
    assert!(Arc::ptr_eq(&got.picture, &mine.picture));
}

#[derive(Serialize, Deserialize)]
struct OnShow {
    #[serde(with = "fields::shown_picture")]
    picture: Arc<Image>,
    #[serde(with = "fields::picture")]
    whole: Arc<Image>,
}

#[test]
fn a_large_picture_on_show_keeps_its_sides_and_loses_pixels_and_comes_back_whole() {
    let rgb = (0..3 * 1003 * 1101usize).map(|at| (at / 3 * 7 % 256) as u8).collect();
    let large = Arc::new(Image::new(1101, 1003, rgb));
    let (mut out, mut inn) = (WirePool::for_the_screen(), WirePool::default());
    let told = OnShow { picture: large.clone(), whole: large.clone() };
    let got: OnShow = unpack(&pack(&told, &mut out).unwrap(), &mut inn).unwrap();
    assert!(got.whole == large, "what is no picture on show keeps all");
    assert_eq!((got.picture.width(), got.picture.height()), (1101, 1003));
    assert!(got.picture != large && got.picture.pixel(1001, 1099) == large.pixel(1000, 1098));
    // It goes back, as a patch's image does that is pinned.
    let back = OnShow { picture: got.picture.clone(), whole: got.picture };
    let back: OnShow =
        unpack(&pack(&back, &mut WirePool::default()).unwrap(), &mut WirePool::default()).unwrap();
    assert!(Arc::ptr_eq(&back.whole, &large));
}

#[test]
fn what_no_line_carries_is_refused_and_nothing_is_left_out_of_a_file_in_silence() {
    let told = sent(3);
    assert!(serde_json::to_string(&told).unwrap_err().to_string().contains("cannot be written down"));
    let (mut out, mut inn) = (WirePool::default(), WirePool::default());
    let first = pack(&told, &mut out).unwrap();
    let named = pack(&told, &mut out).unwrap();
    let unknown = unpack::<Sent>(&named, &mut inn).err().unwrap().to_string();
    assert!(unknown.contains("a picture is named that was not sent"), "{unknown}");
    for at in (0..first.len()).step_by(7) {
        let mut spoilt = first.clone();
        spoilt[at] ^= 0x55;
        // An error or other values; never a panic.
        drop(unpack::<Sent>(&spoilt, &mut WirePool::default()));
        drop(unpack::<Sent>(&first[..at], &mut WirePool::default()));
    }
}

#[test]
fn frames_are_put_together_and_others_are_refused() {
    let bytes: Vec<u8> = (0..40_000u32).map(|at| at as u8).collect();
    let mut line = vec![];
    for frame in WireFrame::cut(1, &bytes) {
        line.extend(frame.to_bytes());
        line.extend(WireFrame::whole(0, vec![7]).to_bytes());
    }
    let (mut source, mut assembly, mut whole) = (&line[..], Assembly::<2>::default(), vec![]);
    while let Some(frame) = read_frame(&mut source).unwrap() {
        whole.extend(assembly.take(frame).unwrap());
    }
    assert_eq!(whole.len(), 4, "three small ones pass, the last after the large one");
    assert_eq!(whole[2], Assembled { kind: 1, bytes });
    assert!(assembly.take(WireFrame::whole(2, vec![])).is_err());
    let refused = |bytes: &[u8]| read_frame(&mut &bytes[..]).unwrap_err().to_string();
    assert!(refused(b"Welcome").contains("no frame"));
    assert!(refused(&[0, 1, 5]).contains("ended"));
}

/// A value of many pictures and lists.
#[derive(Serialize, Deserialize)]
struct Many {
    #[serde(with = "fields::pictures")]
    pictures: Vec<Arc<Image>>,
    lists: Vec<One>,
}

#[derive(Clone, Serialize, Deserialize)]
struct One {
    #[serde(with = "fields::numbers")]
    list: Vec<f64>,
}

#[test]
fn what_a_few_bytes_make_has_a_bound() {
    // A list that is named again and again, after it was sent once: 8,000 bytes each. A picture of 4,800.
    let long = One { list: (0..1000).map(|at| (at % 7) as f64).collect() };
    let made = |pictures: usize, lists: usize, room: u64| {
        let (mut out, mut inn) = (WirePool::default(), WirePool::default());
        let first = Many { pictures: vec![], lists: vec![long.clone()] };
        let _: Many = unpack(&pack(&first, &mut out).unwrap(), &mut inn).unwrap();
        let pictures = (0..pictures).map(|_| picture(40)).collect();
        let bytes = pack(&Many { pictures, lists: vec![long.clone(); lists] }, &mut out).unwrap();
        unpack_within::<Many>(&bytes, &mut inn, room).map(|many| (many.pictures.len(), many.lists.len()))
    };
    assert_eq!(made(1, 5, 44_800).unwrap(), (1, 5));
    let error = made(1, 5, 44_799).unwrap_err().to_string();
    assert!(error.contains("than any value is"), "{error}");
    // One that is at hand is not made again.
    assert_eq!(made(3, 0, 4_800).unwrap(), (3, 0));
    assert!(made(1, 0, 4_799).is_err());
}

#[test]
fn a_picture_without_pixels_is_none() {
    let (mut out, mut inn) = (WirePool::default(), WirePool::default());
    let empty = Many { pictures: vec![Arc::new(Image::new(0, 4, vec![]))], lists: vec![] };
    let bytes = pack(&empty, &mut out).unwrap();
    assert!(unpack::<Many>(&bytes, &mut inn).is_err());
}

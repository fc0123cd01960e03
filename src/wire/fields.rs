//! How fields travel that are large, shared or words of the program: for `#[serde(with = "...")]`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::OPEN;
use super::pool::{PictureKey, at_hand, key_of};
use super::predict::{by_place, differences, undo_by_place, undo_differences};
use crate::image::Image;
use crate::progress::Progress;

/// A picture to be looked at has so many pixels at most where those on the way are reduced.
const MOST_PIXELS: u64 = 1 << 20;

/// No picture has more pixels.
const MOST_UNREDUCED: u64 = 1 << 27;

/// Lists from here on are held, so that they can be sent as a continuation.
const LEAST_HELD: usize = 16;

/// Numbers of a list that name it.
const NAMING: usize = 8;

/// Bytes, not as a list of numbers.
struct WireBytes(Vec<u8>);

impl Serialize for WireBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for WireBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BytesVisitor;

        impl<'de> Visitor<'de> for BytesVisitor {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(bytes.to_vec())
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Self::Value, E> {
                Ok(bytes)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut bytes = vec![];
                while let Some(byte) = list.next_element()? {
                    bytes.push(byte);
                }
                Ok(bytes)
            }
        }
        deserializer.deserialize_byte_buf(BytesVisitor).map(Self)
    }
}

/// A picture on its way: its key alone where the other end holds it.
#[derive(Serialize, Deserialize)]
struct PictureOnItsWay {
    key: WireBytes,
    sent: Option<SentPicture>,
}

/// The pixels of a picture of `width` x `height`, of which one in `step` rows and columns was sent.
#[derive(Serialize, Deserialize)]
struct SentPicture {
    width: u32,
    height: u32,
    step: u32,
    rgb: WireBytes,
}

fn pixels_of(picture: &Image) -> u64 {
    u64::from(picture.width()) * u64::from(picture.height())
}

impl SentPicture {
    fn of(picture: &Image, reduces: bool) -> Self {
        let (width, height) = (picture.width(), picture.height());
        let pixels = |step: u32| u64::from(width.div_ceil(step)) * u64::from(height.div_ceil(step));
        let step = if reduces { (1..).find(|step| pixels(*step) <= MOST_PIXELS).unwrap_or(1) } else { 1 };
        let (columns, rows) = (width.div_ceil(step), height.div_ceil(step));
        let rgb = match step {
            1 => differences(picture.rgb(), width),
            _ => {
                let at = |row: u32, column: u32| picture.pixel(row * step, column * step);
                let few = (0..rows).flat_map(|row| (0..columns).flat_map(move |column| at(row, column)));
                differences(&few.collect::<Vec<u8>>(), columns)
            }
        };
        Self { width, height, step, rgb: WireBytes(rgb) }
    }

    /// The picture with all its pixels; `None` where they are not those of such a picture.
    fn picture(&self) -> Option<Image> {
        let Self { width, height, step, rgb: WireBytes(rgb) } = self;
        let (width, height, step) = (*width, *height, *step);
        let pixels = u64::from(width) * u64::from(height);
        if step == 0 || pixels == 0 || pixels > MOST_UNREDUCED {
            return None;
        }
        let (columns, rows) = (width.div_ceil(step), height.div_ceil(step));
        if rgb.len() as u64 != 3 * u64::from(columns) * u64::from(rows) {
            return None;
        }
        let few = Image::new(columns, rows, undo_differences(rgb.clone(), columns));
        if step == 1 {
            return Some(few);
        }
        let all = (0..height).flat_map(|row| {
            let few = &few;
            (0..width).flat_map(move |column| few.pixel(row / step, column / step))
        });
        Some(Image::new(width, height, all.collect()))
    }
}

/// `is_for_the_screen`: whether it may lose pixels where those on the way are reduced.
fn send_picture(picture: &Arc<Image>, is_for_the_screen: bool) -> Option<PictureOnItsWay> {
    OPEN.with_borrow_mut(|open| {
        let pool = open.as_mut()?;
        let mut key = key_of(picture);
        let reduces = pool.reduces && is_for_the_screen && pixels_of(picture) > MOST_PIXELS;
        if reduces {
            // With fewer pixels it is another picture.
            key[0] ^= 0x80;
        }
        let is_held = pool.pictures.get(&key).is_some();
        let sent = (!is_held).then(|| SentPicture::of(picture, reduces));
        if let Some(few) = sent.as_ref().filter(|_| reduces).and_then(SentPicture::picture) {
            // Where it comes back, as to be pinned, the whole one is meant.
            at_hand(key_of(&few), picture.clone());
        }
        let held = if reduces { picture.clone() } else { at_hand(key, picture.clone()) };
        pool.pictures.put(key, picture.rgb().len(), held);
        Some(PictureOnItsWay { key: WireBytes(key.to_vec()), sent })
    })
}

fn receive_picture(on_its_way: PictureOnItsWay) -> Result<Arc<Image>, &'static str> {
    let PictureOnItsWay { key: WireBytes(key), sent } = on_its_way;
    let key = PictureKey::try_from(key).map_err(|_| "a picture's key has 16 bytes")?;
    OPEN.with_borrow_mut(|open| {
        let pool = open.as_mut().ok_or("a picture is read from a line only")?;
        let picture = match sent {
            Some(sent) => {
                pool.take(3 * u64::from(sent.width).saturating_mul(u64::from(sent.height)).min(1 << 60))?;
                let picture = sent.picture().ok_or("the bytes of a picture are not those of its sides")?;
                at_hand(key, Arc::new(picture))
            }
            None => pool.pictures.get(&key).cloned().ok_or("a picture is named that was not sent")?,
        };
        pool.pictures.put(key, picture.rgb().len(), picture.clone());
        Ok(picture)
    })
}

const NO_FILE: &str = "a picture cannot be written down";

/// A picture that several places share.
pub mod picture {
    use super::*;

    /// Sends its pixels, or which one it is.
    pub fn serialize<S: Serializer>(picture: &Arc<Image>, serializer: S) -> Result<S::Ok, S::Error> {
        send_picture(picture, false).ok_or_else(|| S::Error::custom(NO_FILE))?.serialize(serializer)
    }

    /// The picture that was sent, or was at hand.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Image>, D::Error> {
        receive_picture(PictureOnItsWay::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A picture that is on show: a large one may lose pixels on the way to a screen.
pub mod shown_picture {
    use super::*;

    pub use super::picture::deserialize;

    /// Sends its pixels, or some of them, or which one it is.
    pub fn serialize<S: Serializer>(picture: &Arc<Image>, serializer: S) -> Result<S::Ok, S::Error> {
        send_picture(picture, true).ok_or_else(|| S::Error::custom(NO_FILE))?.serialize(serializer)
    }
}

/// Several such pictures.
pub mod pictures {
    use super::*;

    /// Each as [`picture`].
    pub fn serialize<S: Serializer>(pictures: &[Arc<Image>], serializer: S) -> Result<S::Ok, S::Error> {
        let sent: Option<Vec<PictureOnItsWay>> =
            pictures.iter().map(|picture| send_picture(picture, false)).collect();
        sent.ok_or_else(|| S::Error::custom(NO_FILE))?.serialize(serializer)
    }

    /// Each as [`picture`].
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Arc<Image>>, D::Error> {
        let sent = Vec::<PictureOnItsWay>::deserialize(deserializer)?;
        sent.into_iter().map(receive_picture).collect::<Result<_, _>>().map_err(D::Error::custom)
    }
}

/// A number of a list.
pub trait ListNumber: Copy {
    /// Its bytes.
    const SIDE: usize;
    /// Appends them.
    fn put(self, bytes: &mut Vec<u8>);
    /// Of its bytes.
    fn of(bytes: &[u8]) -> Self;
}

macro_rules! listed {
    ($($number:ty),*) => {$(
        impl ListNumber for $number {
            const SIDE: usize = size_of::<$number>();

            fn put(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }

            fn of(bytes: &[u8]) -> Self {
                let mut own = [0; size_of::<$number>()];
                own.copy_from_slice(bytes);
                Self::from_le_bytes(own)
            }
        }
    )*};
}

listed!(f32, f64, u8);

/// A list on its way: so many of its first numbers are those of the list that began alike and was sent last.
#[derive(Serialize, Deserialize)]
struct ListOnItsWay {
    kept: usize,
    begins: u32,
    more: WireBytes,
}

/// What names a list of numbers of `side` bytes, if it is long enough to be held.
fn name_of(bytes: &[u8], side: usize) -> Option<(usize, u32)> {
    (bytes.len() >= LEAST_HELD * side).then(|| (side, crc32fast::hash(&bytes[..NAMING * side])))
}

fn send_list(bytes: Vec<u8>, side: usize) -> ListOnItsWay {
    let name = name_of(&bytes, side);
    let kept = OPEN.with_borrow_mut(|open| {
        let (Some(pool), Some(name)) = (open.as_mut(), name) else { return 0 };
        let before = pool.lists.get(&name);
        let same =
            before.map_or(0, |before| before.iter().zip(&bytes).take_while(|(old, new)| old == new).count());
        pool.lists.put(name, bytes.len(), Arc::new(bytes.clone()));
        same / side
    });
    let more = WireBytes(by_place(&bytes[kept * side..], side));
    ListOnItsWay { kept, begins: name.map_or(0, |(_, begins)| begins), more }
}

fn receive_list(on_its_way: ListOnItsWay, side: usize) -> Result<Vec<u8>, &'static str> {
    let ListOnItsWay { kept, begins, more } = on_its_way;
    OPEN.with_borrow_mut(|open| {
        let Some(pool) = open.as_mut() else { return Err("a list is read from a line only") };
        let mut bytes = vec![];
        if kept > 0 {
            let before =
                pool.lists.get(&(side, begins)).cloned().ok_or("a list goes on that was not sent")?;
            let first = kept.checked_mul(side).and_then(|end| before.get(..end));
            let first = first.ok_or("a list goes on where it has no end")?;
            pool.take(first.len() as u64)?;
            bytes.extend_from_slice(first);
        }
        bytes.extend(undo_by_place(&more.0, side));
        if let Some(name) = name_of(&bytes, side) {
            pool.lists.put(name, bytes.len(), Arc::new(bytes.clone()));
        }
        Ok(bytes)
    })
}

/// A list of numbers.
pub trait List {
    /// Its numbers.
    type Number: ListNumber;
    /// All of them.
    fn numbers(&self) -> &[Self::Number];
    /// Of these.
    fn of_numbers(numbers: Vec<Self::Number>) -> Self;
}

impl<T: ListNumber> List for Vec<T> {
    type Number = T;

    fn numbers(&self) -> &[T] {
        self
    }

    fn of_numbers(numbers: Vec<T>) -> Self {
        numbers
    }
}

impl<T: ListNumber> List for Arc<Vec<T>> {
    type Number = T;

    fn numbers(&self) -> &[T] {
        self
    }

    fn of_numbers(numbers: Vec<T>) -> Self {
        Arc::new(numbers)
    }
}

/// A long list of numbers: what was appended to one that was sent is sent alone.
pub mod numbers {
    use super::*;

    /// Sends what is new of it.
    pub fn serialize<L: List, S: Serializer>(list: &L, serializer: S) -> Result<S::Ok, S::Error> {
        let numbers = list.numbers();
        let mut bytes = Vec::with_capacity(numbers.len() * L::Number::SIDE);
        numbers.iter().for_each(|number| number.put(&mut bytes));
        send_list(bytes, L::Number::SIDE).serialize(serializer)
    }

    /// The whole list.
    pub fn deserialize<'de, L: List, D: Deserializer<'de>>(deserializer: D) -> Result<L, D::Error> {
        let side = L::Number::SIDE;
        let bytes = receive_list(ListOnItsWay::deserialize(deserializer)?, side).map_err(D::Error::custom)?;
        Ok(L::of_numbers(bytes.chunks_exact(side).map(L::Number::of).collect()))
    }
}

/// A word that stands in the program. Under a name of its own, as a field of type `&str` is taken to borrow of what is read.
pub type Word = &'static str;

/// Words of the program that were sent to it: kept for its life, so only so many, of so many bytes at most.
static WORDS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
const MOST_WORDS: usize = 4096;
const LONGEST_WORD: usize = 256;

/// The program's own copy of `word`.
fn known_word(word: &str) -> Result<&'static str, &'static str> {
    let mut words = WORDS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = words.get(word) {
        return Ok(known);
    }
    if word.len() > LONGEST_WORD || words.len() >= MOST_WORDS {
        return Err("more words of the program were sent than it has");
    }
    let known: &'static str = String::leak(word.to_owned());
    words.insert(known);
    Ok(known)
}

/// One of the words that stand in the program.
pub mod word {
    use super::*;

    /// Sends it.
    pub fn serialize<S: Serializer>(word: &&'static str, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(word)
    }

    /// The same word here.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static str, D::Error> {
        known_word(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// How far work is, with its words.
#[derive(Serialize, Deserialize)]
struct ProgressOnItsWay {
    #[serde(with = "word")]
    what: Word,
    done: u64,
    total: u64,
    resumed: u64,
    #[serde(with = "word")]
    unit: Word,
    elapsed: Duration,
}

impl Serialize for Progress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Progress { what, done, total, resumed, unit, elapsed } = *self;
        ProgressOnItsWay { what, done, total, resumed, unit, elapsed }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Progress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ProgressOnItsWay { what, done, total, resumed, unit, elapsed } =
            ProgressOnItsWay::deserialize(deserializer)?;
        Ok(Progress { what, done, total, resumed, unit, elapsed })
    }
}

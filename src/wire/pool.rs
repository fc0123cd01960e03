//! What both ends of a line hold, so that it is not sent again.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use sha2::{Digest, Sha256};

use crate::image::Image;

/// Each kind of thing takes so many bytes of a pool; what was not used for longest goes first.
const MOST_BYTES: usize = 64 << 20;

/// Names a picture by its sides and pixels.
pub(super) type PictureKey = [u8; 16];

/// What one direction of a line has carried lately. Sender and receiver do the same with theirs in the same order, so that
/// each knows what the other holds.
#[derive(Default)]
pub struct WirePool {
    /// Whether large pictures are sent with fewer pixels, to be looked at only.
    pub(super) reduces: bool,
    /// Bytes that may still be made of the value that is read, of what is told in few: pictures of fewer pixels, and lists
    /// that go on.
    room: u64,
    /// Pictures by what they show.
    pub(super) pictures: PoolShelf<PictureKey, Arc<Image>>,
    /// Lists of numbers as bytes, by how they begin.
    pub(super) lists: PoolShelf<(usize, u32), Arc<Vec<u8>>>,
}

impl WirePool {
    /// One whose large pictures are sent with fewer pixels: they are to be looked at only.
    pub fn for_the_screen() -> Self {
        Self { reduces: true, ..Self::default() }
    }

    /// Whether the other end holds `picture`, so that its name is enough.
    pub fn holds(&self, picture: &Image) -> bool {
        self.pictures.get(&key_of(picture)).is_some()
    }
}

impl WirePool {
    /// A value is read, of which so many bytes may be made.
    pub(super) fn begin(&mut self, room: u64) {
        self.room = room;
    }

    /// Takes `bytes` of its room.
    ///
    /// # Errors
    /// There are fewer left.
    pub(super) fn take(&mut self, bytes: u64) -> Result<(), &'static str> {
        let left = self.room.checked_sub(bytes);
        self.room = left.ok_or("more would be made of what came than any value is")?;
        Ok(())
    }
}

/// Things by their keys within a number of bytes.
pub(super) struct PoolShelf<K, V> {
    held: HashMap<K, (u64, usize, V)>,
    by_age: BTreeMap<u64, K>,
    clock: u64,
    bytes: usize,
}

impl<K, V> Default for PoolShelf<K, V> {
    fn default() -> Self {
        Self { held: HashMap::new(), by_age: BTreeMap::new(), clock: 0, bytes: 0 }
    }
}

impl<K: Copy + Eq + Hash, V> PoolShelf<K, V> {
    pub fn get(&self, key: &K) -> Option<&V> {
        self.held.get(key).map(|(_, _, value)| value)
    }

    /// Holds a value as the newest, in place of what `key` named. What is large is not held.
    pub fn put(&mut self, key: K, bytes: usize, value: V) {
        if let Some((age, bytes, _)) = self.held.remove(&key) {
            self.by_age.remove(&age);
            self.bytes -= bytes;
        }
        if bytes > MOST_BYTES / 4 {
            return;
        }
        self.clock += 1;
        self.held.insert(key, (self.clock, bytes, value));
        self.by_age.insert(self.clock, key);
        self.bytes += bytes;
        while self.bytes > MOST_BYTES
            && let Some((_, oldest)) = self.by_age.pop_first()
            && let Some((_, bytes, _)) = self.held.remove(&oldest)
        {
            self.bytes -= bytes;
        }
    }
}

/// What names `picture`.
pub(super) fn key_of(picture: &Image) -> PictureKey {
    let mut hash = Sha256::new();
    hash.update(picture.width().to_le_bytes());
    hash.update(picture.height().to_le_bytes());
    hash.update(picture.rgb());
    let mut key = PictureKey::default();
    key.copy_from_slice(&hash.finalize()[..16]);
    key
}

/// Pictures that this process sent or was sent and still holds: one that comes back is the one that went.
static AT_HAND: LazyLock<Mutex<HashMap<PictureKey, Weak<Image>>>> = LazyLock::new(Mutex::default);

/// The picture of that key that is at hand already, or `picture` from now on.
pub(super) fn at_hand(key: PictureKey, picture: Arc<Image>) -> Arc<Image> {
    let mut at_hand = AT_HAND.lock().unwrap_or_else(PoisonError::into_inner);
    if at_hand.len() > 1024 && at_hand.len().is_power_of_two() {
        at_hand.retain(|_, picture| picture.strong_count() > 0);
    }
    let is_same = |other: &Arc<Image>| (other.width(), other.height()) == (picture.width(), picture.height());
    let known = at_hand.get(&key).and_then(Weak::upgrade).filter(is_same);
    known.unwrap_or_else(|| {
        at_hand.insert(key, Arc::downgrade(&picture));
        picture
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let mut shelf = PoolShelf::default();
        let part = MOST_BYTES / 4;
        (0..4).for_each(|key| shelf.put(key, part, ()));
        shelf.put(0, part, ());
        shelf.put(4, part, ());
        let held: Vec<i32> = (0..5).filter(|key| shelf.get(key).is_some()).collect();
        assert_eq!(held, [0, 2, 3, 4]);
        shelf.put(2, MOST_BYTES, ());
        assert!(shelf.get(&2).is_none(), "it is larger than what is held");
        assert_eq!(shelf.bytes, 3 * part);
    }
}

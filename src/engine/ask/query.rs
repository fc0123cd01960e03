//! What a query is made of: patches and boxes of images of the data set, pictures from outside, each
//! with a sign.
//!
//! A query's vector in a space is the sum of the **unit** vectors of its plus parts less those of its minus
//! parts. Each part is normalised first because cosine similarity does not see lengths: one part alone gives
//! the same map and neighbours as its plain vector, and of several each counts alike. Plain vectors would let
//! a part with a long vector (in h often one of high contrast) outweigh the others. The mean of several
//! patches is this sum too, since its length does not matter.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::image::Image;
use crate::patch::{BoxRef, PatchRef};
pub use crate::search::Sign;

/// No picture is larger, pixels.
const MOST_SIDE: u32 = 1 << 24;

/// What is looked for: one part or several with their signs, at least one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuerySpec {
    /// The parts, in the order in which they were added.
    pub parts: Vec<QueryPart>,
}

/// One part of a query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueryPart {
    /// Whether the part is to be like or unlike.
    pub sign: Sign,
    /// Where its pixels come from.
    pub source: Source,
}

/// Where the pixels of a part come from. Each box is resized to the network's square input, whatever its aspect.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A box on an image of the data set.
    Box(BoxRef),
    /// A whole picture that is not of the data set; it travels, but cannot be written into a file.
    Outside(Arc<OutsidePicture>),
}

/// A picture from a file or the clipboard.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutsidePicture {
    /// The file's name, or "the clipboard".
    pub name: String,
    /// Its pixels, at full size.
    #[serde(with = "crate::wire::fields::picture")]
    pub image: Arc<Image>,
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Source::Box(a), Source::Box(b)) => a == b,
            (Source::Outside(a), Source::Outside(b)) => a.name == b.name && Arc::ptr_eq(&a.image, &b.image),
            _ => false,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Box(area) => area.fmt(f),
            Source::Outside(picture) => {
                let (width, height) = (picture.image.width(), picture.image.height());
                write!(f, "{width} x {height} px from {}", picture.name)
            }
        }
    }
}

impl From<PatchRef> for Source {
    fn from(patch: PatchRef) -> Self {
        Source::Box(patch.into())
    }
}

impl From<BoxRef> for Source {
    fn from(area: BoxRef) -> Self {
        Source::Box(area)
    }
}

impl Source {
    /// Its box, if it lies on an image of the data set.
    pub fn area(&self) -> Option<BoxRef> {
        match self {
            Source::Box(area) => Some(*area),
            Source::Outside(_) => None,
        }
    }
}

impl QuerySpec {
    /// The usual query: one patch, box or picture.
    pub fn one(source: impl Into<Source>) -> Self {
        Self { parts: vec![QueryPart { sign: Sign::Plus, source: source.into() }] }
    }

    /// Whether it has a part and each box has a side and lies where a picture can be, as of one that comes from a file.
    pub fn is_sound(&self) -> bool {
        let can_be = |area: BoxRef| {
            let edges = [(area.x, area.width), (area.y, area.height)];
            edges.iter().all(|&(start, side)| side > 0 && start < MOST_SIDE && side <= MOST_SIDE)
        };
        !self.parts.is_empty() && self.boxes().all(|(_, area)| can_be(area))
    }

    /// The patch, if the query is one square box of the data set and nothing else.
    pub fn as_patch(&self) -> Option<PatchRef> {
        match &self.parts[..] {
            [QueryPart { sign: Sign::Plus, source: Source::Box(area) }] => area.patch(),
            _ => None,
        }
    }

    /// The boxes of the data set with their signs, in the order of the parts.
    pub fn boxes(&self) -> impl Iterator<Item = (Sign, BoxRef)> + '_ {
        self.parts.iter().filter_map(|part| Some((part.sign, part.source.area()?)))
    }

    /// The images of the data set that its parts lie on, each once.
    pub fn images(&self) -> Vec<u32> {
        let mut images: Vec<u32> = self.boxes().map(|(_, area)| area.image).collect();
        images.sort_unstable();
        images.dedup();
        images
    }

    /// The boxes on image `image`.
    pub fn boxes_on(&self, image: usize) -> impl Iterator<Item = (Sign, BoxRef)> + '_ {
        self.boxes().filter(move |(_, area)| area.image as usize == image)
    }

    /// A square about the centre of its first part on image `image`, plus parts first: one point of the image.
    pub fn point_on(&self, image: usize) -> Option<PatchRef> {
        let plus = self.boxes_on(image).find(|(sign, _)| *sign == Sign::Plus);
        let (_, area) = plus.or_else(|| self.boxes_on(image).next())?;
        area.squared(area.height.min(area.width)).patch()
    }

    /// The image where the query is at home: that of its first plus part on the data set, or of any part.
    pub fn home(&self) -> Option<u32> {
        let plus = self.boxes().find(|(sign, _)| *sign == Sign::Plus);
        plus.or_else(|| self.boxes().next()).map(|(_, area)| area.image)
    }

    /// The same with a further part, or with this sign if it is a part already.
    pub fn with(&self, sign: Sign, source: impl Into<Source>) -> Self {
        let (mut parts, source) = (self.parts.clone(), source.into());
        match parts.iter_mut().find(|part| part.source == source) {
            Some(part) => part.sign = sign,
            None => parts.push(QueryPart { sign, source }),
        }
        Self { parts }
    }

    /// The same with a further part of that sign; without it, where it is there already and not alone.
    pub fn toggled(&self, sign: Sign, source: impl Into<Source>) -> Self {
        let source = source.into();
        let same = self.parts.iter().position(|part| part.source == source && part.sign == sign);
        match same {
            Some(index) => self.without(index).unwrap_or_else(|| self.clone()),
            None => self.with(sign, source),
        }
    }

    /// Moves boxes onto their images, as far as the sizes `(height, width)` of these are known.
    pub fn keep_on_images(&mut self, size: impl Fn(u32) -> Option<(u32, u32)>) {
        for part in &mut self.parts {
            if let Source::Box(area) = &mut part.source
                && let Some((height, width)) = size(area.image)
            {
                *area = area.within(height, width).unwrap_or(*area);
            }
        }
    }

    /// The same without part `index`; `None` if nothing would be left.
    pub fn without(&self, index: usize) -> Option<Self> {
        let mut parts = self.parts.clone();
        if index < parts.len() {
            parts.remove(index);
        }
        (!parts.is_empty()).then_some(Self { parts })
    }

    /// Parts that are as large as the patches follow these to another size; boxes of any other size stay.
    pub fn follow_patch_size(&mut self, old: u32, new: u32) {
        for part in &mut self.parts {
            if let Source::Box(area) = &mut part.source
                && (area.height, area.width) == (old, old)
            {
                *area = area.squared(new);
            }
        }
    }

    /// In a few words: the place of a single part, the number of several.
    pub fn words(&self) -> String {
        if let [part] = &self.parts[..] {
            let sign = if part.sign == Sign::Minus { "minus " } else { "" };
            return format!("{sign}{}", part.source);
        }
        let plus = self.parts.iter().filter(|part| part.sign == Sign::Plus).count();
        match (plus, self.parts.len() - plus) {
            (plus, 0) => format!("mean of {plus} parts"),
            (plus, minus) => format!("{plus} plus, {minus} minus"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(image: u32, x: u32) -> BoxRef {
        BoxRef { image, y: 0, x, height: 14, width: 14 }
    }

    #[test]
    fn a_part_is_there_once_with_its_last_sign() {
        let query = QuerySpec::one(area(3, 0)).with(Sign::Plus, area(3, 8)).with(Sign::Minus, area(3, 0));
        let signs: Vec<_> = query.boxes().map(|(sign, area)| (sign, area.x)).collect();
        assert_eq!(signs, [(Sign::Minus, 0), (Sign::Plus, 8)]);
        assert_eq!(query.words(), "1 plus, 1 minus");
        assert_eq!(query.without(0), Some(QuerySpec::one(area(3, 8))));
        assert_eq!(QuerySpec::one(area(3, 8)).without(0), None);
        let again = query.toggled(Sign::Plus, area(3, 8));
        assert_eq!(again.parts.len(), 1, "asked for twice, it goes");
        assert_eq!(again.toggled(Sign::Minus, area(3, 0)), again, "the last part stays");
        let text = serde_json::to_string(&query).unwrap();
        assert_eq!(serde_json::from_str::<QuerySpec>(&text).unwrap(), query);
    }

    #[test]
    fn a_query_is_at_home_where_its_first_plus_part_lies() {
        let query = QuerySpec { parts: vec![] };
        let query = query.with(Sign::Minus, area(5, 0)).with(Sign::Plus, area(2, 0));
        assert_eq!((query.home(), query.boxes_on(5).count()), (Some(2), 1));
        assert_eq!(query.without(1).unwrap().home(), Some(5));
    }

    #[test]
    fn parts_of_the_patches_size_follow_it_and_boxes_keep_theirs() {
        let drawn = BoxRef { height: 20, ..area(0, 0) };
        let mut query = QuerySpec::one(area(0, 10)).with(Sign::Plus, drawn);
        query.follow_patch_size(14, 20);
        let sizes: Vec<_> = query.boxes().map(|(_, area)| (area.height, area.width, area.x)).collect();
        assert_eq!(sizes, [(20, 20, 7), (20, 14, 0)]);
    }
}

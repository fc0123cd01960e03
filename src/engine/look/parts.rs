//! The parts of a query with their pixels and vectors, kept while they may be asked for again.

use std::sync::Arc;

use anyhow::{Context, bail};

use crate::analysis::heatmap::unit_sum;
use crate::augment::CropBox;
use crate::embed::{CropSource, Embedder};
use crate::engine::ask::{PatchSpace, QuerySpec, Source};
use crate::engine::look::maps::ImageMaps;
use crate::engine::look::spaces;
use crate::engine::look::stored::StoredBank;
use crate::image::Image;

/// Embedded parts that are kept.
const KEPT: usize = 256;
/// Side of a part in the picture of many, pixels.
const CELL: u32 = 48;
/// Sides of pictures of patches that are shown small, at most, pixels: a box of a photograph has millions.
pub const SHOWN_SIDE: u32 = 64;

/// One part of a query.
pub struct EmbeddedPart {
    source: Source,
    /// Its own pixels, before they are resized for the network.
    pub pixels: Arc<Image>,
    /// The same as they are shown.
    pub small: Arc<Image>,
    /// Its vector in each space.
    vectors: Vec<Vec<f32>>,
}

/// Parts that were embedded, the newest last.
#[derive(Default)]
pub struct PartCache {
    /// Spaces and patch size for which they were.
    made_for: (Vec<PatchSpace>, u32),
    parts: Vec<Arc<EmbeddedPart>>,
}

/// Where vectors come from.
pub struct PartSources<'a> {
    /// Without it, what is known is all that there is.
    pub embedder: Option<&'a Embedder>,
    pub spaces: &'a [PatchSpace],
    /// Patch size of the heatmaps, pixels.
    pub patch: u32,
    pub maps: Option<&'a ImageMaps>,
    /// The bank that is open.
    pub stored: Option<&'a StoredBank>,
}

impl<'a> PartSources<'a> {
    /// The network alone.
    pub fn new(embedder: &'a Embedder, spaces: &'a [PatchSpace], patch: u32) -> Self {
        Self { embedder: Some(embedder), spaces, patch, maps: None, stored: None }
    }

    /// And what these maps know.
    pub fn with_maps(self, maps: Option<&'a ImageMaps>) -> Self {
        Self { maps, ..self }
    }

    /// The vectors of `source` in each space, where they are known.
    fn known(&self, source: &Source) -> Option<Vec<Vec<f32>>> {
        let area = source.area()?;
        let of_maps = self.maps.and_then(|maps| maps.vectors_of(area));
        of_maps.or_else(|| self.stored?.vectors_of(area, self.spaces))
    }
}

impl PartCache {
    /// Forgets everything: another model, another data set.
    pub fn clear(&mut self) {
        self.parts.clear();
    }

    /// All parts of `query`, whose boxes lie within their images. What the map of the image on show knows is
    /// taken from there; the rest goes through the network at once. `image` decodes an image of the data set.
    pub fn embed(
        &mut self,
        query: &QuerySpec,
        from: &PartSources<'_>,
        mut image: impl FnMut(u32) -> anyhow::Result<Arc<Image>>,
    ) -> anyhow::Result<Vec<Arc<EmbeddedPart>>> {
        if self.made_for.0 != from.spaces || self.made_for.1 != from.patch {
            self.made_for = (from.spaces.to_vec(), from.patch);
            self.clear();
        }
        let is_known = |source: &Source| self.parts.iter().any(|part| part.source == *source);
        let mut missing = vec![];
        for source in query.parts.iter().map(|part| &part.source).filter(|source| !is_known(source)) {
            missing.push((source.clone(), crop_source(source, &mut image)?));
        }
        self.parts.extend(embedded(missing, from)?.into_iter().map(Arc::new));
        let find = |source: &Source| self.parts.iter().find(|part| part.source == *source).cloned();
        let found = query.parts.iter().map(|part| find(&part.source)).collect::<Option<Vec<_>>>();
        let excess = self.parts.len().saturating_sub(KEPT);
        self.parts.drain(..excess);
        found.context("a part of the query was not embedded")
    }
}

fn crop_source(
    source: &Source,
    image: &mut impl FnMut(u32) -> anyhow::Result<Arc<Image>>,
) -> anyhow::Result<CropSource> {
    Ok(match source {
        Source::Box(area) => {
            let crop = CropBox { y: area.y, x: area.x, height: area.height, width: area.width };
            CropSource { image: image(area.image)?, crop }
        }
        Source::Outside(picture) => whole(&picture.image),
    })
}

fn whole(image: &Arc<Image>) -> CropSource {
    let crop = CropBox { y: 0, x: 0, height: image.height(), width: image.width() };
    CropSource { image: image.clone(), crop }
}

fn embedded(missing: Vec<(Source, CropSource)>, from: &PartSources<'_>) -> anyhow::Result<Vec<EmbeddedPart>> {
    let known: Vec<_> = missing.iter().map(|(source, _)| from.known(source)).collect();
    let unknown = missing.iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(missing, _)| missing);
    let unknown: Vec<&(Source, CropSource)> = unknown.collect();
    let crops: Vec<CropSource> = unknown.iter().map(|(_, crop)| crop.clone()).collect();
    let new = match (from.embedder, unknown.first()) {
        (_, None) => vec![],
        (Some(embedder), _) => spaces::crop_vectors(embedder, &crops, from.patch, from.spaces)?,
        (None, Some((source, _))) => {
            bail!("the bank has no vector of {source}, and the model that would embed it is not open")
        }
    };
    let rows = |place: usize| new.iter().map(|all| row(all, place, crops.len())).collect();
    let mut place = 0..;
    let part =
        |((source, CropSource { image, crop }), known): ((Source, CropSource), Option<Vec<Vec<f32>>>)| {
            let vectors = known.unwrap_or_else(|| rows(place.next().unwrap_or_default()));
            let pixels = Arc::new(image.crop(crop.y, crop.x, crop.height, crop.width));
            EmbeddedPart { source, small: shown(&pixels), pixels, vectors }
        };
    Ok(missing.into_iter().zip(known).map(part).collect())
}

/// A picture as it is shown small.
fn shown(pixels: &Arc<Image>) -> Arc<Image> {
    let is_small = pixels.width().max(pixels.height()) <= SHOWN_SIDE;
    if is_small { pixels.clone() } else { Arc::new(pixels.averaged_within(SHOWN_SIDE)) }
}

/// Row `place` of `rows` rows.
fn row(all: &[f32], place: usize, rows: usize) -> Vec<f32> {
    let width = all.len() / rows.max(1);
    all[place * width..(place + 1) * width].to_vec()
}

/// The query's vector in each space of `from`, of parts that nothing is known of.
///
/// # Errors
/// An image cannot be read, a box lies outside it, or the parts cancel out.
pub fn query_vectors(
    query: &QuerySpec,
    from: &PartSources<'_>,
    image: impl FnMut(u32) -> anyhow::Result<Arc<Image>>,
) -> anyhow::Result<Vec<Vec<f32>>> {
    composed(query, &PartCache::default().embed(query, from, image)?)
}

/// The vectors of a query under another model, in the spaces of `from`; its parts come from the first one.
///
/// # Errors
/// Its parts cancel out.
pub fn vectors(
    query: &QuerySpec,
    parts: &[Arc<EmbeddedPart>],
    from: &PartSources<'_>,
) -> anyhow::Result<Vec<Vec<f32>>> {
    let sources = parts.iter().map(|part| (part.source.clone(), whole(&part.pixels))).collect();
    let parts: Vec<_> = embedded(sources, from)?.into_iter().map(Arc::new).collect();
    composed(query, &parts)
}

/// The query's vector in each space, as [`super::query`] defines it.
///
/// # Errors
/// Its parts cancel out.
pub fn composed(query: &QuerySpec, parts: &[Arc<EmbeddedPart>]) -> anyhow::Result<Vec<Vec<f32>>> {
    let spaces = parts.first().map_or(0, |part| part.vectors.len());
    let in_space = |space: usize| {
        let signed = query.parts.iter().zip(parts);
        let signed: Vec<_> =
            signed.map(|(part, embedded)| (part.sign.factor(), &embedded.vectors[space][..])).collect();
        unit_sum(&signed).context(
            "its parts cancel out, so that nothing is more like it than anything else; remove one of them",
        )
    };
    (0..spaces).map(in_space).collect()
}

/// The picture of a query's parts without their vectors. `image` decodes an image of the data set.
///
/// # Errors
/// An image cannot be read, or a box lies outside it.
pub fn pixels_of(
    query: &QuerySpec,
    mut image: impl FnMut(u32) -> anyhow::Result<Arc<Image>>,
) -> anyhow::Result<Arc<Image>> {
    let mut all = vec![];
    for part in &query.parts {
        let CropSource { image, crop } = crop_source(&part.source, &mut image)?;
        let is_inside = crop.y + crop.height <= image.height() && crop.x + crop.width <= image.width();
        anyhow::ensure!(is_inside, "{} lies outside its image", part.source);
        all.push(Arc::new(image.crop(crop.y, crop.x, crop.height, crop.width)));
    }
    Ok(tiles(&all))
}

/// One picture of all parts, to be shown small: their pixels, or for several a square of small copies, row by row.
pub fn picture(parts: &[Arc<EmbeddedPart>]) -> Arc<Image> {
    tiles(&parts.iter().map(|part| part.small.clone()).collect::<Vec<_>>())
}

fn tiles(parts: &[Arc<Image>]) -> Arc<Image> {
    if let [pixels] = parts {
        return pixels.clone();
    }
    let across = (1..).find(|across: &u32| across.pow(2) as usize >= parts.len()).unwrap_or(1);
    let mut rgb = vec![128; 3 * (across * CELL).pow(2) as usize];
    for (index, pixels) in parts.iter().enumerate() {
        let (top, left) = (index as u32 / across * CELL, index as u32 % across * CELL);
        for (y, x) in (0..CELL).flat_map(|y| (0..CELL).map(move |x| (y, x))) {
            let pixel = pixels.pixel(y * pixels.height() / CELL, x * pixels.width() / CELL);
            let at = 3 * ((top + y) * across * CELL + left + x) as usize;
            rgb[at..at + 3].copy_from_slice(&pixel);
        }
    }
    Arc::new(Image::new(across * CELL, across * CELL, rgb))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::query::Sign;
    use crate::patch::BoxRef;

    fn part(x: u32, level: u8, vector: [f32; 2]) -> (Source, Arc<EmbeddedPart>) {
        let source = Source::Box(BoxRef { image: 0, y: 0, x, height: 3, width: 5 });
        let pixels = Arc::new(Image::filled(5, 3, [level; 3]));
        (
            source.clone(),
            Arc::new(EmbeddedPart { source, small: pixels.clone(), pixels, vectors: vec![vector.to_vec()] }),
        )
    }

    #[test]
    fn this_minus_that_is_the_difference_of_unit_vectors() {
        let ((a, this), (b, that)) = (part(0, 1, [0.0, 7.0]), part(9, 2, [3.0, 4.0]));
        let query = QuerySpec::one(a.clone()).with(Sign::Minus, b);
        let vector = composed(&query, &[this.clone(), that]).unwrap().remove(0);
        assert!((vector[0] + 0.6).abs() < 1e-6 && (vector[1] - 0.2).abs() < 1e-6, "{vector:?}");
        let (c, same) = part(20, 3, [0.0, 1.0]);
        let nothing = QuerySpec::one(a).with(Sign::Minus, c);
        assert!(composed(&nothing, &[this, same]).unwrap_err().to_string().contains("cancel out"));
    }

    #[test]
    fn the_picture_of_many_parts_shows_each() {
        let parts: Vec<_> = (0..3).map(|i| part(i, 10 * i as u8, [1.0, 0.0]).1).collect();
        assert_eq!(*picture(&parts[..1]), Image::filled(5, 3, [0; 3]));
        let all = picture(&parts);
        assert_eq!((all.width(), all.height()), (2 * CELL, 2 * CELL));
        let levels = [(0, 0), (0, CELL), (CELL, 0), (CELL, CELL)].map(|(y, x)| all.pixel(y, x)[0]);
        assert_eq!(levels, [0, 10, 20, 128]);
    }
}

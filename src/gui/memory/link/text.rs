//! A link as text: `bagssl:VERSION?key=value&key=value`.

use std::collections::HashSet;
use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::str::FromStr;

use anyhow::{Context, bail, ensure};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::escape::{escaped, plain};
use super::{LINK_START, Link, LinkLook, LinkReach, QueryBox};
use crate::engine::GalleryFilter;
use crate::engine::facts::{Decoding, Overrides};
use crate::engine::training::DataSource;
use crate::paths;
use crate::words::quoted;

/// Version of the form that is written and read.
const VERSION: u32 = 1;
/// Largest side of anything in pixels.
const MOST_PIXELS: u32 = 65_536;
/// Words of what galleries leave out.
const SAME_IMAGE: &str = "same-image";
const OVERLAPS: &str = "overlaps";
const COPIES: &str = "copies";
const PER_IMAGE: &str = "per-image:";
const CLASS: &str = "all-but-class:";
const SPLIT: &str = "all-but-split:";

impl FromStr for Link {
    type Err = anyhow::Error;

    /// # Errors
    /// No link at all, one of another version, a key or value that is not understood: which, and what was
    /// expected.
    fn from_str(text: &str) -> anyhow::Result<Self> {
        let form = "expected bagssl:1?model=...&data=...&image=..., as \"Copy as link\" writes it";
        let rest = text.trim().strip_prefix(LINK_START);
        let rest = rest.with_context(|| format!("{} is no link; {form}", quoted(text)))?;
        let (version, pairs) = rest.split_once('?').unwrap_or((rest, ""));
        let version: u32 =
            version.parse().ok().with_context(|| format!("the link has no version; {form}"))?;
        ensure!(
            version == VERSION,
            "the link is of version {version}; this bagssl reads version {VERSION}: open it with the bagssl \
             that wrote it"
        );
        let (mut link, mut seen) = (Link::default(), HashSet::new());
        for pair in pairs.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair
                .split_once('=')
                .with_context(|| format!("the link's {}: expected key=value", quoted(pair)))?;
            ensure!(seen.insert(key), "the link says {key}= twice; expected it once");
            plain(value)
                .and_then(|value| link.set(key, &value))
                .with_context(|| format!("the link's {}", quoted(pair)))?;
        }
        Ok(link)
    }
}

impl Link {
    fn set(&mut self, key: &str, value: &str) -> anyhow::Result<()> {
        match key {
            "model" => self.model = Some(value.into()),
            "data" => self.data = Some(DataSource { spec: value.into(), split: None }),
            "split" => {
                let data = self.data.as_mut().context("expected data= before split=")?;
                data.split = Some(word(value, "train, test or all")?);
            }
            "exif" | "value-window" => {
                let data = self.data.as_mut().with_context(|| format!("expected data= before {key}="))?;
                let mut decoding = data.spec.decoding();
                match key {
                    "exif" => decoding.exif = word(value, "apply or ignore")?,
                    _ => decoding.value_window = value.parse()?,
                }
                data.spec = data.spec.clone().decoded_as(decoding);
            }
            "image" => self.image = Some(number(value, 0..=u32::MAX as usize)?),
            "query" => self.query = list(value, query_box)?,
            "spaces" => self.spaces = list(value, |name| Ok(name.to_owned()))?,
            "leave-out" => self.filter = Some(filter(value)?),
            "weights" | "stem-padding" | "max-pool" | "heads" | "activation" | "mean" | "std" | "input"
            | "resize" | "resolution" | "tiles" | "precision" => {
                let model = self.model.as_mut().with_context(|| format!("expected model= before {key}="))?;
                set_override(&mut model.overrides, key, value)?;
            }
            _ => {
                let known = self.reach.set(key, value)? || self.look.set(key, value)?;
                ensure!(
                    known,
                    "a link of version {VERSION} has no such key; expected one of model, weights, stem-padding, max-pool, heads, activation, mean, \
                     std, input, resize, resolution, tiles, precision, data, split, exif, value-window, image, query, patch, stride, search-stride, search-images, \
                     neighbours, spaces, leave-out, mode, colors, range, difference, contour, opacity, grid, zoom"
                );
            }
        }
        Ok(())
    }
}

fn set_override(overrides: &mut Overrides, key: &str, value: &str) -> anyhow::Result<()> {
    match key {
        "weights" => overrides.weights = Some(value.to_owned()),
        "stem-padding" => overrides.stem_padding = Some(number(value, 1..=2)?),
        "max-pool" => overrides.max_pool = Some(value.parse().context("expected true or false")?),
        "heads" => overrides.heads = Some(number(value, 1..=256)?),
        "activation" => overrides.activation = Some(value.parse()?),
        "mean" => overrides.mean = Some(numbers(value, -1e6..=1e6)?),
        "std" => overrides.std = Some(numbers(value, 1e-6..=1e6)?),
        "input" => overrides.input = Some(number(value, 8..=1024)?),
        "resolution" => overrides.resolution = Some(number(value, 8..=4096)?),
        "tiles" => overrides.tiles = Some(value.parse()?),
        "precision" => overrides.precision = Some(word(value, "f32 or bf16")?),
        _ => overrides.resize = Some(word(value, "bilinear or bicubic")?),
    }
    Ok(())
}

impl LinkReach {
    /// Returns whether it has such a key.
    fn set(&mut self, key: &str, value: &str) -> anyhow::Result<bool> {
        match key {
            "patch" => self.patch = Some(number(value, 1..=MOST_PIXELS)?),
            "stride" => self.stride = Some(number(value, 1..=MOST_PIXELS)?),
            "search-stride" => self.search_stride = Some(number(value, 1..=MOST_PIXELS)?),
            "search-images" => self.search_images = Some(number(value, 1..=u32::MAX as usize)?),
            "neighbours" => self.neighbours = Some(number(value, 0..=1023)?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl LinkLook {
    /// Returns whether it has such a key.
    fn set(&mut self, key: &str, value: &str) -> anyhow::Result<bool> {
        match key {
            "mode" => self.mode = Some(word(value, "cosine, ranks, difference, pictures or lengths")?),
            "colors" => self.colors = Some(word(value, "magma, viridis, cividis or coolwarm")?),
            "range" => {
                let range: [f32; 2] = numbers(value, -1.0..=1.0)?;
                ensure!(range[0] < range[1], "expected the smaller number first");
                self.range = Some(range);
            }
            "difference" => self.difference = Some(numbers::<1>(value, 0.01..=2.0)?[0]),
            "contour" if value == "none" => self.contour = Some(None),
            "contour" => self.contour = Some(Some(numbers::<1>(value, -2.0..=2.0)?[0])),
            "opacity" => self.opacity = Some(number(value, 0..=100)?),
            "grid" => self.grid = Some(number::<u8>(value, 0..=1)? == 1),
            "zoom" => {
                let [zoom, x, y] = numbers(value, 0.0..=100.0)?;
                let is_point = (0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y);
                ensure!(zoom >= 1.0 && is_point, "expected a zoom of at least 1 and a point from 0,0 to 1,1");
                self.zoom = Some([zoom, x, y]);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// One of a few words.
fn word<T: DeserializeOwned>(value: &str, expected: &str) -> anyhow::Result<T> {
    serde_json::from_value(Value::String(value.into())).ok().with_context(|| format!("expected {expected}"))
}

fn number<T: FromStr + PartialOrd + Display>(value: &str, range: RangeInclusive<T>) -> anyhow::Result<T> {
    let number = value.parse().ok().filter(|number| range.contains(number));
    number.with_context(|| format!("expected a whole number from {} to {}", range.start(), range.end()))
}

/// `N` numbers with commas between them.
fn numbers<const N: usize>(value: &str, range: RangeInclusive<f32>) -> anyhow::Result<[f32; N]> {
    let numbers: Option<Vec<f32>> =
        value.split(',').map(|part| part.parse().ok().filter(|number| range.contains(number))).collect();
    numbers.and_then(|numbers| numbers.try_into().ok()).with_context(|| {
        let count = if N == 1 { "a number".to_owned() } else { format!("{N} numbers with commas between") };
        format!("expected {count}, from {} to {}", range.start(), range.end())
    })
}

fn list<T>(value: &str, item: impl Fn(&str) -> anyhow::Result<T>) -> anyhow::Result<Vec<T>> {
    value.split(',').filter(|part| !part.is_empty()).map(item).collect()
}

/// `IMAGE:Y:X`, as on the command line; a box that is no patch has `:WIDTHxHEIGHT`, an unlike one `-` before it.
fn query_box(text: &str) -> anyhow::Result<QueryBox> {
    let (is_minus, place) = text.strip_prefix('-').map_or((false, text), |place| (true, place));
    let parts: Vec<&str> = place.split(':').collect();
    let parsed = || -> Option<QueryBox> {
        let (image, y, x) =
            (parts.first()?.parse().ok()?, parts.get(1)?.parse().ok()?, parts.get(2)?.parse().ok()?);
        let size = match parts.get(3) {
            None => None,
            Some(size) => {
                let (width, height) = size.split_once('x')?;
                let side = |side: &str| side.parse().ok().filter(|side| (1..=MOST_PIXELS).contains(side));
                Some((side(width)?, side(height)?))
            }
        };
        (parts.len() <= 4).then_some(QueryBox { is_minus, image, y, x, size })
    };
    parsed().with_context(|| {
        format!("{text:?}: expected IMAGE:Y:X or IMAGE:Y:X:WIDTHxHEIGHT, with - before a part to be unlike")
    })
}

/// `nothing`, or the words of what is left out.
fn filter(value: &str) -> anyhow::Result<GalleryFilter> {
    let mut filter = GalleryFilter::default();
    for part in value.split(',').filter(|part| *part != "nothing") {
        if part == SAME_IMAGE {
            filter.other_images_only = true;
        } else if part == OVERLAPS {
            filter.without_overlap = true;
        } else if part == COPIES {
            filter.fold_copies = true;
        } else if let Some(most) = part.strip_prefix(PER_IMAGE) {
            filter.per_image = Some(number(most, 1..=99)?);
        } else if let Some(class) = part.strip_prefix(CLASS) {
            filter.class = Some(number(class, 0..=u32::MAX)?);
        } else if let Some(split) = part.strip_prefix(SPLIT) {
            filter.split = Some(word(split, "train or test")?);
        } else {
            bail!(
                "{part:?}: expected nothing, {SAME_IMAGE}, {OVERLAPS}, {COPIES}, {PER_IMAGE}N, {CLASS}N, {SPLIT}NAME"
            );
        }
    }
    Ok(filter)
}

impl Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pairs = Pairs::default();
        if let Some(model) = &self.model {
            pairs.add("model", Some(paths::to_words(&model.path)));
            let Overrides {
                weights,
                stem_padding,
                max_pool,
                heads,
                activation,
                mean,
                std,
                input,
                resize,
                resolution,
                tiles,
                precision,
            } = &model.overrides;
            pairs.add("weights", weights.as_ref());
            pairs.add("stem-padding", *stem_padding);
            pairs.add("max-pool", *max_pool);
            pairs.add("heads", *heads);
            pairs.add("activation", activation.map(|activation| activation.word()));
            pairs.add("mean", mean.map(joined));
            pairs.add("std", std.map(joined));
            pairs.add("input", *input);
            pairs.add("resize", resize.map(name));
            pairs.add("resolution", *resolution);
            pairs.add("tiles", *tiles);
            pairs.add("precision", precision.map(name));
        }
        if let Some(data) = &self.data {
            pairs.add("data", Some(data.spec.words()));
            pairs.add("split", data.split.map(name));
            let (decoding, usual) = (data.spec.decoding(), Decoding::default());
            pairs.add("exif", Some(decoding.exif).filter(|exif| *exif != usual.exif).map(name));
            let rule = decoding.value_window;
            pairs.add("value-window", Some(rule).filter(|rule| *rule != usual.value_window));
        }
        pairs.add("image", self.image);
        pairs.add("query", Some(joined(&self.query)).filter(|text| !text.is_empty()));
        let LinkReach { patch, stride, search_stride, search_images, neighbours } = self.reach;
        pairs.add("patch", patch);
        pairs.add("stride", stride);
        pairs.add("spaces", Some(self.spaces.join(",")).filter(|text| !text.is_empty()));
        self.look.print(&mut pairs);
        pairs.add("search-stride", search_stride);
        pairs.add("search-images", search_images);
        pairs.add("neighbours", neighbours);
        pairs.add("leave-out", self.filter.as_ref().map(filter_words));
        write!(f, "bagssl:{VERSION}?{}", pairs.0.join("&"))
    }
}

impl LinkLook {
    fn print(&self, pairs: &mut Pairs) {
        pairs.add("mode", self.mode.map(name));
        pairs.add("colors", self.colors.map(name));
        pairs.add("range", self.range.map(joined));
        pairs.add("difference", self.difference);
        pairs.add("contour", self.contour.map(|at| at.map_or("none".to_owned(), |at| at.to_string())));
        pairs.add("opacity", self.opacity);
        pairs.add("grid", self.grid.map(u8::from));
        pairs.add("zoom", self.zoom.map(joined));
    }
}

/// `key=value`, escaped.
#[derive(Default)]
struct Pairs(Vec<String>);

impl Pairs {
    fn add(&mut self, key: &str, value: Option<impl Display>) {
        self.0.extend(value.map(|value| format!("{key}={}", escaped(&value.to_string()))));
    }
}

fn joined<T: Display>(parts: impl IntoIterator<Item = T>) -> String {
    parts.into_iter().map(|part| part.to_string()).collect::<Vec<_>>().join(",")
}

/// The word that stands for a value of a few.
fn name(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => name,
        other => unreachable!("a word, not {other:?}"),
    }
}

fn filter_words(filter: &GalleryFilter) -> String {
    let GalleryFilter { other_images_only, per_image, without_overlap, fold_copies, class, split } = *filter;
    let words = [
        other_images_only.then(|| SAME_IMAGE.to_owned()),
        without_overlap.then(|| OVERLAPS.to_owned()),
        fold_copies.then(|| COPIES.to_owned()),
        per_image.map(|most| format!("{PER_IMAGE}{most}")),
        class.map(|class| format!("{CLASS}{class}")),
        split.map(|split| format!("{SPLIT}{}", split.name())),
    ];
    let words = words.into_iter().flatten().collect::<Vec<_>>().join(",");
    if words.is_empty() { "nothing".to_owned() } else { words }
}

impl Display for QueryBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let QueryBox { is_minus, image, y, x, size } = self;
        write!(f, "{}{image}:{y}:{x}", if *is_minus { "-" } else { "" })?;
        match size {
            Some((width, height)) => write!(f, ":{width}x{height}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::colormap::Colormap;
    use crate::engine::MapMode;
    use crate::engine::facts::Exif;
    use crate::engine::facts::{ModelSpec, Split};

    fn full() -> Link {
        let overrides =
            Overrides { mean: Some([0.485, 0.456, 0.406]), input: Some(32), ..Overrides::default() };
        let part = QueryBox { is_minus: false, image: 207, y: 16, x: 24, size: None };
        Link {
            model: Some(ModelSpec { path: "/runs/a & b".into(), overrides }),
            data: Some(DataSource { spec: "/b\u{e4}ume".into(), split: Some(Split::Test) }),
            image: Some(207),
            query: vec![part, QueryBox { is_minus: true, size: Some((20, 31)), ..part }],
            reach: LinkReach {
                patch: Some(16),
                stride: Some(2),
                search_stride: Some(8),
                search_images: Some(1024),
                neighbours: Some(119),
            },
            spaces: vec!["z".into(), "h".into()],
            look: LinkLook {
                mode: Some(MapMode::Difference),
                colors: Some(Colormap::Cividis),
                range: Some([-0.5, 1.0]),
                difference: Some(0.25),
                contour: Some(None),
                opacity: Some(60),
                grid: Some(true),
                zoom: Some([2.5, 0.4, 0.625]),
            },
            filter: Some(GalleryFilter {
                other_images_only: true,
                per_image: Some(2),
                without_overlap: true,
                fold_copies: true,
                class: Some(3),
                split: Some(Split::Train),
            }),
        }
    }

    #[test]
    fn how_pictures_are_decoded_is_in_the_link() {
        let text = "bagssl:1?data=/d&split=test&exif=ignore&value-window=0,4095";
        let link: Link = text.parse().unwrap();
        let decoding = link.data.as_ref().unwrap().spec.decoding();
        assert_eq!((decoding.exif, decoding.value_window), (Exif::Ignore, "0,4095".parse().unwrap()));
        assert_eq!(link.to_string(), text);
        for wrong in ["bagssl:1?exif=ignore", "bagssl:1?data=x&exif=no", "bagssl:1?data=x&value-window=5"] {
            assert!(wrong.parse::<Link>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_link_says_everything_legibly_and_comes_back() {
        let text = full().to_string();
        assert_eq!(
            text,
            "bagssl:1?model=/runs/a%20%26%20b&mean=0.485,0.456,0.406&input=32&data=/b\u{e4}ume&split=test&image=207\
             &query=207:16:24,-207:16:24:20x31&patch=16&stride=2&spaces=z,h&mode=difference&colors=cividis\
             &range=-0.5,1&difference=0.25&contour=none&opacity=60&grid=1&zoom=2.5,0.4,0.625&search-stride=8\
             &search-images=1024&neighbours=119&leave-out=same-image,overlaps,copies,per-image:2,all-but-class:3,all-but-split:train"
        );
        assert_eq!(text.parse::<Link>().unwrap(), full());
        assert_eq!(format!("  {text}\n").parse::<Link>().unwrap(), full(), "as it is pasted");
        let empty = Link { filter: Some(GalleryFilter::default()), ..Link::default() };
        assert_eq!(empty.to_string(), "bagssl:1?leave-out=nothing");
        assert_eq!(empty.to_string().parse::<Link>().unwrap(), empty);
        assert_eq!("bagssl:1".parse::<Link>().unwrap(), Link::default());
    }

    #[test]
    fn what_is_wrong_with_a_link_is_told_in_words() {
        for (text, words) in [
            ("hello", "is no link"),
            ("bagssl:", "no version"),
            ("bagssl:x?image=1", "no version"),
            ("bagssl:2?image=1", "version 2; this bagssl reads version 1"),
            ("bagssl:1?image", "expected key=value"),
            ("bagssl:1?image=1&image=2", "image= twice"),
            ("bagssl:1?colour=red", "no such key; expected one of model"),
            ("bagssl:1?image=-1", "expected a whole number from 0"),
            ("bagssl:1?patch=0", "expected a whole number from 1"),
            ("bagssl:1?split=test", "data= before split="),
            ("bagssl:1?data=x&split=val", "expected train, test or all"),
            ("bagssl:1?input=32", "model= before input="),
            ("bagssl:1?query=3:4", "expected IMAGE:Y:X"),
            ("bagssl:1?query=3:4:5:6", "expected IMAGE:Y:X"),
            ("bagssl:1?query=3:4:5:0x6", "expected IMAGE:Y:X"),
            ("bagssl:1?range=1,0", "the smaller number first"),
            ("bagssl:1?range=0", "expected 2 numbers"),
            ("bagssl:1?range=nan,1", "expected 2 numbers"),
            ("bagssl:1?zoom=2,0,9", "a point from 0,0 to 1,1"),
            ("bagssl:1?mode=heat", "expected cosine, ranks, difference, pictures or lengths"),
            ("bagssl:1?leave-out=all", "expected nothing, same-image"),
            ("bagssl:1?data=%zz", "hexadecimal"),
        ] {
            let error = format!("{:#}", text.parse::<Link>().unwrap_err());
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}

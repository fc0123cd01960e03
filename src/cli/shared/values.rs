//! Values that arguments of several commands take, as they are typed.

use std::str::FromStr;

use anyhow::Context;
use clap::ValueEnum;
use clap::builder::{RangedI64ValueParser, RangedU64ValueParser};

use crate::engine::facts::Dtype;

/// Number format of a bank.
#[derive(Clone, Copy, ValueEnum)]
pub enum DtypeArg {
    F16,
    F32,
}

impl From<DtypeArg> for Dtype {
    fn from(arg: DtypeArg) -> Self {
        match arg {
            DtypeArg::F16 => Dtype::F16,
            DtypeArg::F32 => Dtype::F32,
        }
    }
}

/// `R,G,B`.
#[derive(Clone, Copy)]
pub struct Channels(pub [f32; 3]);

impl FromStr for Channels {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let values: Option<Vec<f32>> =
            text.split(',').map(|part| part.trim().parse().ok().filter(|v: &f32| v.is_finite())).collect();
        let values = values.and_then(|values| <[f32; 3]>::try_from(values).ok());
        values.map(Self).with_context(|| format!("\"{text}\": expected R,G,B such as 0.485,0.456,0.406"))
    }
}

/// `IMAGE:Y:X`.
#[derive(Clone, Copy)]
pub struct QueryPlace {
    pub image: usize,
    pub y: u32,
    pub x: u32,
}

impl FromStr for QueryPlace {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = || format!("\"{text}\": expected IMAGE:Y:X, such as 12:8:16");
        let mut parts = text.split(':');
        let mut next = || parts.next().and_then(|part| part.parse::<u32>().ok()).with_context(expected);
        let place = Self { image: next()? as usize, y: next()?, x: next()? };
        anyhow::ensure!(parts.next().is_none(), expected());
        Ok(place)
    }
}

/// Bytes of a number of GiB that a machine can have.
pub fn gibibytes(text: &str) -> Result<u64, String> {
    let size = text.parse().ok().filter(|size: &f64| (0.0625..=1e6).contains(size));
    let bytes = size.map(|size| (size * f64::from(1 << 30)) as u64);
    bytes.ok_or_else(|| "expected GiB, at least 0.0625 (64 MiB)".into())
}

/// A size that vectors may take on disk; 0 for none.
pub fn kept_gibibytes(text: &str) -> Result<u64, String> {
    let size = text.parse().ok().filter(|size: &f64| (0.0..=1e6).contains(size));
    let bytes = size.map(|size| (size * f64::from(1 << 30)) as u64);
    bytes.ok_or_else(|| "expected GiB; 0 keeps none".into())
}

/// `X,Y`.
#[derive(Clone, Copy)]
pub struct Point {
    pub x: f32,
    pub y: f32,
}

impl FromStr for Point {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let place =
            text.split_once(',').and_then(|(x, y)| Some((finite(x.trim()).ok()?, finite(y.trim()).ok()?)));
        let (x, y) = place.with_context(|| format!("\"{text}\": expected X,Y in pixels, such as 112,80"))?;
        Ok(Self { x, y })
    }
}

/// A number that is neither NaN nor infinite in float32.
pub fn finite(text: &str) -> Result<f32, String> {
    let number = text.parse().ok().filter(|number: &f32| number.is_finite());
    number.ok_or_else(|| "expected a number of at most 3.4e38, such as 0.5".into())
}

/// A share of images that leaves some on both sides.
pub fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share: &f64| *share > 0.0 && *share < 1.0);
    share.ok_or_else(|| "expected a share between 0 and 1, such as 0.2".into())
}

/// A number of at least 1.
pub fn positive() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

/// Pixels: 1 to 65,536.
pub fn pixels() -> RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=65_536)
}

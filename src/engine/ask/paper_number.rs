//! A number of the paper, or that it has none: what stands in a plan beside one of our numbers.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What stands where the paper has no number.
const NONE: &str = "-";

/// An accuracy that the paper has, %; absent (`"-"` in a file) where it has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PaperNumber(pub Option<f64>);

impl From<f64> for PaperNumber {
    fn from(percent: f64) -> Self {
        Self(Some(percent))
    }
}

impl PartialEq<f64> for PaperNumber {
    fn eq(&self, percent: &f64) -> bool {
        self.0 == Some(*percent)
    }
}

impl Serialize for PaperNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(percent) => serializer.serialize_f64(percent),
            None => serializer.serialize_str(NONE),
        }
    }
}

impl<'de> Deserialize<'de> for PaperNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PercentOrNone)
    }
}

struct PercentOrNone;

impl Visitor<'_> for PercentOrNone {
    type Value = PaperNumber;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a number, or \"{NONE}\" where the paper has none")
    }

    fn visit_f64<E: Error>(self, percent: f64) -> Result<PaperNumber, E> {
        Ok(percent.into())
    }

    fn visit_i64<E: Error>(self, percent: i64) -> Result<PaperNumber, E> {
        Ok((percent as f64).into())
    }

    fn visit_u64<E: Error>(self, percent: u64) -> Result<PaperNumber, E> {
        Ok((percent as f64).into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<PaperNumber, E> {
        match text {
            NONE => Ok(PaperNumber(None)),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
        }
    }
}

//! The networks of a file, and which one is meant.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};

use super::families;
use super::naming::Naming;
use super::refusal;
use crate::model::loose::{self, Loose, LooseArrays};
use crate::model::weights::Weights;
use crate::words::name_list;

/// A network of a file.
pub struct Network {
    /// What stands before its names, with the dot; empty where nothing does.
    pub prefix: String,
    /// How its layers are named.
    pub naming: &'static Naming,
}

/// The arrays of a network by our names.
pub struct Layers<'a> {
    arrays: &'a LooseArrays<'a>,
    theirs: BTreeMap<String, &'a str>,
    /// Their names.
    used: BTreeSet<&'a str>,
}

impl Network {
    /// Its arrays.
    pub fn layers<'a>(&self, arrays: &'a LooseArrays<'a>) -> Layers<'a> {
        let named = arrays.iter().filter_map(|(name, array)| {
            let ours = self.naming.ours(name.strip_prefix(&self.prefix)?)?;
            // A counter, whatever its numbers became when all of a file's were converted.
            let is_counter = ours.ends_with(".num_batches_tracked");
            (array.is_float() && !is_counter).then_some((ours, name.as_str()))
        });
        let theirs: BTreeMap<String, &str> = named.collect();
        let used = theirs.values().copied().collect();
        Layers { arrays, theirs, used }
    }

    /// Checks that its weights are floating-point numbers.
    ///
    /// # Errors
    /// Some are not: quantised, or of a kind that is not read. Names the first.
    pub fn ensure_float(&self, arrays: &LooseArrays<'_>) -> Result<()> {
        let is_weight = |name: &str| {
            let ours = name.strip_prefix(&self.prefix).and_then(|name| self.naming.ours(name));
            ours.is_some_and(|ours| ours.ends_with("weight"))
        };
        match arrays.iter().find(|(name, array)| !array.is_float() && is_weight(name)) {
            Some((name, _)) => bail!(
                "{name} is no floating-point array of 16, 32 or 64 bits: quantised, or another kind of number"
            ),
            None => Ok(()),
        }
    }

    /// Which one it is, for a message.
    pub fn words(&self) -> String {
        let at = self.prefix.trim_end_matches('.');
        let at = if at.is_empty() { "the network".into() } else { format!("the network \"{at}\"") };
        format!("{at} ({} names)", self.naming.title)
    }
}

impl Layers<'_> {
    /// An array by our name.
    pub fn get(&self, ours: &str) -> Option<&Loose<'_>> {
        self.arrays.get(*self.theirs.get(ours)?)
    }

    /// All our names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.theirs.keys().map(String::as_str)
    }

    /// Whether an array of the file belongs to it.
    pub fn uses(&self, theirs: &str) -> bool {
        self.used.contains(theirs)
    }

    /// All of them, read.
    ///
    /// # Errors
    /// One that cannot be, or more numbers than the file holds: arrays that lie over one another.
    pub fn read(&self) -> Result<Weights> {
        loose::ensure_apart(self.theirs.values().filter_map(|theirs| self.arrays.get(*theirs)))?;
        let read = |(ours, theirs): (&String, &&str)| Ok((ours.clone(), loose::array(self.arrays, theirs)?));
        self.theirs.iter().map(read).collect()
    }
}

/// The network that is meant, and the prefixes of the others: the one that `wanted` names, wholly or by a part that no
/// other has, else the one that is taken by habit.
///
/// # Errors
/// There is none, or none of that name; more than one has that part.
pub fn choose(arrays: &LooseArrays<'_>, wanted: Option<&str>) -> Result<(Network, Vec<String>)> {
    let mut found = networks(arrays);
    if found.is_empty() {
        bail!(refusal::why(arrays));
    }
    found.sort_by_key(|network| (rank(&network.prefix), network.prefix.len()));
    let name = |network: &Network| network.prefix.trim_end_matches('.').to_string();
    let place = match wanted {
        None => 0,
        Some(wanted) => {
            let names: Vec<String> = found.iter().map(name).collect();
            place_of(&names, wanted)?
        }
    };
    let network = found.swap_remove(place);
    Ok((network, found.iter().map(name).collect()))
}

fn place_of(names: &[String], wanted: &str) -> Result<usize> {
    if let Some(place) = names.iter().position(|name| name == wanted) {
        return Ok(place);
    }
    let has_part = |name: &String| format!(".{name}.").contains(&format!(".{wanted}."));
    match names.iter().enumerate().filter(|(_, name)| has_part(name)).collect::<Vec<_>>()[..] {
        [(place, _)] => Ok(place),
        [] => bail!("there is no network \"{wanted}\" in the file; there are {}", name_list(names)),
        _ => bail!("more than one network is \"{wanted}\": say the whole name, of {}", name_list(names)),
    }
}

fn networks(arrays: &LooseArrays<'_>) -> Vec<Network> {
    let marks: BTreeSet<&str> = families::first_marks().collect();
    let prefixes: BTreeSet<&str> = arrays
        .keys()
        .flat_map(|name| marks.iter().filter_map(|mark| name.strip_suffix(mark)))
        .filter(|prefix| prefix.is_empty() || prefix.ends_with('.'))
        .collect();
    let network =
        |prefix: &str| Some(Network { prefix: prefix.into(), naming: families::of(arrays, prefix)? });
    prefixes.into_iter().filter_map(network).collect()
}

/// Which of several networks a source means to be used, lowest first: DINO's teacher, else the one that was trained
/// by gradients and no average of it, and where BYOL keeps that twice the one beside its projector.
fn rank(prefix: &str) -> u8 {
    let has = |words: &[&str]| words.iter().any(|word| prefix.contains(word));
    match prefix {
        _ if has(&["teacher"]) => 0,
        _ if has(&["momentum", "encoder_k", "target", "ema"]) => 3,
        _ if has(&["online"]) => 1,
        _ => 2,
    }
}

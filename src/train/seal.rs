//! What a checkpoint says of itself, beside where its run stands: the configuration that it was written with, and
//! sums of its parts, so that it is held against the run that goes on from it.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use toml::Value;

use super::config::TrainConfig;
use super::differences::differences;
use crate::files;
use crate::words::thousands;

/// The settings that may change between the parts of a run: they decide what is kept and looked at, and no weight.
pub const MAY_CHANGE: [&str; 3] = ["checkpoint_every", "keep", "probe"];

/// Length and sum of a file, or of its beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartSum {
    /// Bytes.
    pub bytes: u64,
    /// Their CRC-32C in hexadecimal.
    pub crc32c: String,
}

impl PartSum {
    /// Of all `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, crc32c: format!("{:08x}", crc32c::crc32c(bytes)) }
    }

    /// Whether `bytes` begin with what it is the sum of.
    pub fn begins(&self, bytes: &[u8]) -> bool {
        usize::try_from(self.bytes).ok().and_then(|length| bytes.get(..length)).map(Self::of).as_ref()
            == Some(self)
    }

    fn words(&self) -> String {
        format!("{} bytes with the sum {}", thousands(self.bytes), self.crc32c)
    }
}

/// Sums by the name of the file.
pub type PartSums = BTreeMap<String, PartSum>;

/// Configuration and sums of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// The program that wrote it.
    pub program: String,
    /// The configuration as TOML.
    pub config: String,
    /// SHA-256 of that text in hexadecimal.
    pub config_sha256: String,
    /// Of where the run stands, as JSON without spaces.
    pub state: PartSum,
    /// Of the other files of the checkpoint.
    pub parts: PartSums,
    /// Of the run's files of lines, as far as they had come.
    pub lines: PartSums,
}

impl Seal {
    /// Of a checkpoint with this configuration, state (as JSON), files, and lines so far.
    pub fn new(config: &TrainConfig, state: &[u8], parts: PartSums, lines: PartSums) -> anyhow::Result<Self> {
        let config = config.to_toml()?;
        Ok(Self {
            program: concat!("bagssl ", env!("CARGO_PKG_VERSION")).into(),
            config_sha256: sha256(&config),
            config,
            state: PartSum::of(state),
            parts,
            lines,
        })
    }

    /// Holds the files of the checkpoint against their sums. `found` is of those that are there.
    ///
    /// # Errors
    /// By name: a file that is another or is gone, and one that does not belong there.
    pub fn check_parts(&self, state: &[u8], found: &PartSums) -> anyhow::Result<()> {
        let state = PartSum::of(state);
        ensure!(
            state == self.state,
            "state.json is not as the checkpoint was written: the state has {}; expected {}",
            state.words(),
            self.state.words()
        );
        for (file, expected) in &self.parts {
            let found = found.get(file).with_context(|| {
                format!("{file} is missing: the checkpoint was written with one of {}", expected.words())
            })?;
            ensure!(
                found == expected,
                "{file} is not the one that the checkpoint was written with: it has {}; expected {}",
                found.words(),
                expected.words()
            );
        }
        let strange = found.keys().find(|file| !self.parts.contains_key(*file));
        ensure!(
            strange.is_none(),
            "{} does not belong to the checkpoint, which was written without one",
            strange.map_or("", String::as_str)
        );
        Ok(())
    }

    /// Holds the run's configuration as it is now against that of the checkpoint.
    ///
    /// # Errors
    /// Each key that differs, with both values, but for those that [`MAY_CHANGE`].
    pub fn check_config(&self, now: &TrainConfig) -> anyhow::Result<()> {
        let found = sha256(&self.config);
        ensure!(
            found == self.config_sha256,
            "state.json is damaged: the SHA-256 of the configuration in it is {found:.12}, written down is {:.12}",
            self.config_sha256
        );
        let mut differing = differences(&tree(&now.to_toml()?)?, &self.tree()?);
        differing.retain(|difference| !may_change(&difference.key));
        let words: Vec<String> = differing
            .iter()
            .map(|found| {
                format!(
                    "config.toml says {} {}, the checkpoint was written with {}",
                    found.key, found.first, found.second
                )
            })
            .collect();
        ensure!(
            words.is_empty(),
            "{}. Set it back to go on, or begin a new run with --config; between the parts of a run only {} may change",
            words.join("; "),
            MAY_CHANGE.join(", ")
        );
        Ok(())
    }

    /// The configuration as this version of the program reads it, with the defaults of what is newer than it.
    fn tree(&self) -> anyhow::Result<Value> {
        match toml::from_str::<TrainConfig>(&self.config) {
            Ok(config) => tree(&config.to_toml()?),
            Err(_) => tree(&self.config),
        }
    }
}

fn may_change(key: &str) -> bool {
    MAY_CHANGE
        .iter()
        .any(|free| key.strip_prefix(free).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

fn tree(config: &str) -> anyhow::Result<Value> {
    Ok(Value::Table(toml::from_str(config)?))
}

fn sha256(text: &str) -> String {
    files::hex(&Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::super::recipes;
    use super::*;

    fn config() -> TrainConfig {
        recipes::find("quick-parts").unwrap().config
    }

    fn seal() -> Seal {
        let parts = PartSums::from([("a".into(), PartSum::of(b"one")), ("b".into(), PartSum::of(b"two"))]);
        Seal::new(&config(), b"state", parts, PartSums::new()).unwrap()
    }

    #[test]
    fn only_settings_that_decide_no_weight_may_change() {
        let error = |change: &str| {
            let mut now = config();
            now.set(&[change]).unwrap();
            seal().check_config(&now).err().map(|error| error.to_string())
        };
        for free in ["checkpoint_every=7", "keep.last=2", "probe.every=0"] {
            assert_eq!(error(free), None);
        }
        let seed = config().seed;
        let told = error("seed=12345").unwrap();
        let expected = format!("config.toml says seed 12345, the checkpoint was written with {seed}.");
        assert!(told.contains(&expected) && told.contains("Set it back"), "{told}");
        for decides in ["model.backbone.width=3", "views.1.flip=0.125", "epochs=999", "optimizer.lr=0.125"] {
            let key = decides.split('=').next().unwrap();
            assert!(error(decides).unwrap().contains(&format!("says {key} ")), "{decides}");
        }
        let mut damaged = seal();
        damaged.config = damaged.config.replacen("epochs", "epochS", 1);
        assert!(damaged.check_config(&config()).unwrap_err().to_string().contains("damaged"));
    }

    #[test]
    fn a_part_that_is_another_or_gone_is_named() {
        let found = |a: &[u8], b: Option<&[u8]>| {
            let mut found = PartSums::from([("a".into(), PartSum::of(a))]);
            found.extend(b.map(|b| ("b".into(), PartSum::of(b))));
            found
        };
        let error =
            |state: &[u8], found: &PartSums| seal().check_parts(state, found).unwrap_err().to_string();
        seal().check_parts(b"state", &found(b"one", Some(b"two"))).unwrap();
        assert!(error(b"State", &found(b"one", Some(b"two"))).contains("state.json is not as"));
        let swapped = error(b"state", &found(b"two", Some(b"two")));
        assert!(swapped.contains("a is not the one") && swapped.contains("3 bytes"), "{swapped}");
        assert!(error(b"state", &found(b"one", None)).contains("b is missing"));
        let mut more = found(b"one", Some(b"two"));
        more.insert("c".into(), PartSum::of(b""));
        assert!(error(b"state", &more).contains("c does not belong"));
    }

    #[test]
    fn a_sum_is_of_a_beginning() {
        let sum = PartSum::of(b"line\n");
        assert!(sum.begins(b"line\n") && sum.begins(b"line\nmore"));
        assert!(!sum.begins(b"line") && !sum.begins(b"lime\nmore"));
    }
}

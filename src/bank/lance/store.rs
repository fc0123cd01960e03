//! Small files under a bank's URI, and how the program waits for what lies far.

use std::future::Future;
use std::path::PathBuf;
use std::sync::LazyLock;

use anyhow::{Context, Result, ensure};
use lance::io::ObjectStore;
use tokio::runtime::Runtime;

/// The table of a bank.
pub const TABLE: &str = "rows.lance";
/// Which rows have no value.
pub const EMPTY: &str = "rows.json";
/// Most bytes of a small file: more than a billion images need.
pub const MOST: u64 = 64 << 30;

static RUNTIME: LazyLock<std::io::Result<Runtime>> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build());

/// Waits for `future` on the calling thread.
///
/// # Errors
/// What it ends in.
pub fn wait<T>(future: impl Future<Output = lance::Result<T>>) -> Result<T> {
    let runtime =
        RUNTIME.as_ref().map_err(|error| anyhow::anyhow!("no threads for what lies far: {error}"))?;
    runtime.block_on(future).map_err(|error| anyhow::anyhow!(plain(&error.to_string())))
}

/// What Lance says, without the lines of its code that say it.
fn plain(words: &str) -> String {
    let is_of_code = |part: &str| {
        let mut ends = part.trim().rsplitn(3, ':');
        let numbers = [ends.next(), ends.next()].map(|end| end.is_some_and(|end| end.parse::<u32>().is_ok()));
        numbers == [true; 2] && ends.next().is_some_and(|path| path.ends_with(".rs"))
    };
    let parts = words.split(", ").filter_map(|part| {
        let (place, rest) = part.split_once(": ").unwrap_or((part, ""));
        match is_of_code(place) {
            true => Some(rest).filter(|rest| !rest.is_empty()),
            false => Some(part),
        }
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// A bank's place. A folder's path is made whole, so that it stays the same wherever it is used.
#[derive(Clone, Debug)]
pub struct LancePlace {
    uri: String,
}

impl LancePlace {
    /// Of what stands behind `lance:`.
    ///
    /// # Errors
    /// Nothing stands there.
    pub fn new(uri: &str) -> Result<Self> {
        ensure!(!uri.is_empty(), "lance: needs a folder or a URI behind it, such as lance:s3://bucket/bank");
        let uri = match uri.contains("://") {
            true => uri.trim_end_matches('/').to_owned(),
            false => std::path::absolute(uri)?.to_string_lossy().into_owned(),
        };
        Ok(Self { uri })
    }

    /// The URI of `name` under it.
    pub fn uri(&self, name: &str) -> String {
        format!("{}/{name}", self.uri)
    }

    /// What it is called on the command line, with `name` behind it.
    pub fn words(&self, name: &str) -> PathBuf {
        let place = PathBuf::from(format!("lance:{}", self.uri));
        if name.is_empty() { place } else { place.join(name) }
    }

    /// The file `name`, of at most `most` bytes; `None` where there is none.
    ///
    /// # Errors
    /// It cannot be read, or is larger.
    pub fn find(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>> {
        let uri = self.uri(name);
        let found = wait(async {
            let (store, path) = ObjectStore::from_uri(&uri).await?;
            if !store.exists(&path).await? {
                return Ok(None);
            }
            let size = store.size(&path).await?;
            if size > most {
                return Ok(Some(Err(size)));
            }
            Ok(Some(Ok(store.read_one_all(&path).await?.to_vec())))
        });
        match found.with_context(|| format!("could not read {}", self.words(name).display()))? {
            None => Ok(None),
            Some(Ok(bytes)) => Ok(Some(bytes)),
            Some(Err(size)) => {
                anyhow::bail!("{} has {size} bytes; expected at most {most}", self.words(name).display())
            }
        }
    }

    /// The file `name`, which must be there.
    ///
    /// # Errors
    /// As [`LancePlace::find`]; it is not there.
    pub fn read(&self, name: &str, most: u64) -> Result<Vec<u8>> {
        self.find(name, most)?.with_context(|| format!("{} is not there", self.words(name).display()))
    }

    /// Writes the file `name`, at once or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let uri = self.uri(name);
        let written = wait(async {
            let (store, path) = ObjectStore::from_uri(&uri).await?;
            store.put(&path, bytes).await
        });
        written.map(|_| ()).with_context(|| format!("could not write {}", self.words(name).display()))
    }

    /// Names of what lies in the folder `name`; none where there is no such folder.
    ///
    /// # Errors
    /// It cannot be listed.
    pub fn list(&self, name: &str) -> Result<Vec<String>> {
        let uri = self.uri(name);
        let listed = wait(async {
            let (store, path) = ObjectStore::from_uri(&uri).await?;
            match store.read_dir(path).await {
                Err(lance::Error::NotFound { .. }) => Ok(vec![]),
                listed => listed,
            }
        });
        listed.with_context(|| format!("could not list {}", self.words(name).display()))
    }
}

impl LancePlace {
    /// What the files of the folder `name` take, bytes.
    ///
    /// # Errors
    /// It cannot be listed.
    pub fn bytes_in(&self, name: &str) -> Result<u64> {
        let mut bytes = 0;
        for file in self.list(name)? {
            let uri = self.uri(&format!("{name}/{file}"));
            bytes += wait(async {
                let (store, path) = ObjectStore::from_uri(&uri).await?;
                store.size(&path).await
            })?;
        }
        Ok(bytes)
    }
}

/// [`super::super::read_beside`] of a bank under `uri`.
pub fn read_beside(uri: &str, name: &str, most: u64) -> Result<Vec<u8>> {
    LancePlace::new(uri)?.read(name, most)
}

/// [`super::super::write_beside`] of a bank under `uri`.
pub fn write_beside(uri: &str, name: &str, bytes: &[u8]) -> Result<()> {
    LancePlace::new(uri)?.write(name, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_lance_stand_without_its_lines_of_code() {
        let said =
            "LanceError(IO): no bucket 'x', /a/b/aws.rs:342:13: no bucket, really: sent, twice, src/c.rs:1:2";
        assert_eq!(plain(said), "LanceError(IO): no bucket 'x', no bucket, really: sent, twice");
        assert_eq!(plain("one: two, three"), "one: two, three");
    }
}

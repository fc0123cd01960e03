//! Small files under a bank's URI, its table, and how the program waits for what lies far.

use std::collections::HashMap;
use std::env;
use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use futures::future::{Either, select};
use lance::Dataset;
use lance::dataset::builder::DatasetBuilder;
use lance::io::{ObjectStore, ObjectStoreParams, ObjectStoreRegistry, StorageOptionsAccessor};
use tokio::runtime::Runtime;

use crate::progress::{CancelToken, Cancelled};

/// The table of a bank.
pub const TABLE: &str = "rows.lance";
/// Which rows have no value.
pub const EMPTY: &str = "rows.json";
/// Most bytes of a small file: more than a billion images need.
pub const MOST: u64 = 64 << 30;

/// How long a store is asked that does not answer: a request ends after 30 s (Lance's own limit, `AWS_TIMEOUT` by another
/// name), is made once more and is given up, and one that is refused is made again ten times, later each time. Each with the
/// variable by which somebody says otherwise. Lance's own layer of retries above these cannot tell a store that is
/// down from one that is busy and makes eight minutes of them.
const RETRIES: [(&str, &str, &str); 3] = [
    ("client_max_retries", "10", "OBJECT_STORE_CLIENT_MAX_RETRIES"),
    ("client_retry_timeout", "31", "OBJECT_STORE_CLIENT_RETRY_TIMEOUT"),
    ("lance_aimd_max_retries", "0", "LANCE_AIMD_MAX_RETRIES"),
];
/// What needs several small answers waits at most so long for all of them.
const AT_MOST: Duration = Duration::from_secs(75);
/// How often is looked whether somebody asked to stop.
const LOOK: Duration = Duration::from_millis(50);

static RUNTIME: LazyLock<std::io::Result<Runtime>> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build());

fn runtime() -> Result<&'static Runtime> {
    RUNTIME.as_ref().map_err(|error| anyhow!("no threads for what lies far: {error}"))
}

/// Waits for `future` on the calling thread.
///
/// # Errors
/// What it ends in.
pub fn wait<T>(future: impl Future<Output = lance::Result<T>>) -> Result<T> {
    runtime()?.block_on(future).map_err(|error| told(&error.to_string()))
}

/// The same of what needs a few answers, each of which may be long in coming.
///
/// # Errors
/// What it ends in; it takes too long.
fn wait_briefly<T>(future: impl Future<Output = lance::Result<T>>) -> Result<T> {
    let ended = runtime()?.block_on(async { tokio::time::timeout(AT_MOST, future).await });
    match ended {
        Ok(done) => done.map_err(|error| told(&error.to_string())),
        Err(_) => Err(silent(&endpoint(), &format!("no answer within {} s", AT_MOST.as_secs()))),
    }
}

/// The same of what is long in any case, until somebody asks to stop.
///
/// # Errors
/// What it ends in; cancelled.
pub fn wait_unless<T>(cancel: &CancelToken, future: impl Future<Output = lance::Result<T>>) -> Result<T> {
    let asked = async {
        while !cancel.is_cancelled() {
            tokio::time::sleep(LOOK).await;
        }
    };
    runtime()?.block_on(async {
        match select(pin!(future), pin!(asked)).await {
            Either::Left((done, _)) => done.map_err(|error| told(&error.to_string())),
            Either::Right(_) => Err(Cancelled.into()),
        }
    })
}

/// What Lance says, in words of the store where that does not answer.
fn told(words: &str) -> anyhow::Error {
    match words.split_once("Error performing ").filter(|_| words.contains("HTTP error")) {
        Some((_, request)) => {
            let address = request.split_whitespace().nth(1).unwrap_or_default();
            let host = address.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
            silent(&host, &plain(request))
        }
        None => anyhow!(plain(words)),
    }
}

/// The store at `address` does not answer.
fn silent(address: &str, request: &str) -> anyhow::Error {
    anyhow!(
        "the object store at {address} does not answer ({request}). See that it runs and can be reached (AWS_ENDPOINT says \
         where it is); what is written so far stays, and the same command goes on from there"
    )
}

/// Where the store is, as far as somebody said so.
fn endpoint() -> String {
    let mut said = ["AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"].into_iter();
    said.find_map(|name| env::var(name).ok()).unwrap_or_else(|| "its own address".into())
}

/// How a store is asked.
fn options() -> HashMap<String, String> {
    let ours = RETRIES.into_iter().filter(|(.., variable)| env::var_os(variable).is_none());
    ours.map(|(name, value, _)| (name.to_owned(), value.to_owned())).collect()
}

/// The same for what writes.
pub fn store_params() -> ObjectStoreParams {
    let options = StorageOptionsAccessor::with_static_options(options());
    ObjectStoreParams { storage_options_accessor: Some(Arc::new(options)), ..ObjectStoreParams::default() }
}

/// Stores that are open.
fn stores() -> Arc<ObjectStoreRegistry> {
    static STORES: LazyLock<Arc<ObjectStoreRegistry>> = LazyLock::new(Arc::default);
    STORES.clone()
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

    /// The table, as it is now; `None` where there is none.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn table(&self) -> Result<Option<Dataset>> {
        let builder = DatasetBuilder::from_uri(self.uri(TABLE)).with_storage_options(options());
        let opened = wait_briefly(async {
            match builder.load().await {
                Err(lance::Error::DatasetNotFound { .. }) => Ok(None),
                opened => opened.map(Some),
            }
        });
        opened.with_context(|| format!("cannot open {}", self.words(TABLE).display()))
    }

    /// The file `name`, of at most `most` bytes; `None` where there is none.
    ///
    /// # Errors
    /// It cannot be read, or is larger.
    pub fn find(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>> {
        let uri = self.uri(name);
        let words = || format!("could not read {}", self.words(name).display());
        let size = wait_briefly(async {
            let (store, path) = ObjectStore::from_uri_and_params(stores(), &uri, &store_params()).await?;
            match store.exists(&path).await? {
                true => store.size(&path).await.map(Some),
                false => Ok(None),
            }
        });
        let Some(size) = size.with_context(words)? else { return Ok(None) };
        ensure!(size <= most, "{} has {size} bytes; expected at most {most}", self.words(name).display());
        let bytes = wait(async {
            let (store, path) = ObjectStore::from_uri_and_params(stores(), &uri, &store_params()).await?;
            store.read_one_all(&path).await
        });
        Ok(Some(bytes.with_context(words)?.to_vec()))
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
            let (store, path) = ObjectStore::from_uri_and_params(stores(), &uri, &store_params()).await?;
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
        let listed = wait_briefly(async {
            let (store, path) = ObjectStore::from_uri_and_params(stores(), &uri, &store_params()).await?;
            match store.read_dir(path).await {
                Err(lance::Error::NotFound { .. }) => Ok(vec![]),
                listed => listed,
            }
        });
        listed.with_context(|| format!("could not list {}", self.words(name).display()))
    }

    /// What the files of the folder `name` take, bytes.
    ///
    /// # Errors
    /// It cannot be listed.
    pub fn bytes_in(&self, name: &str) -> Result<u64> {
        let mut bytes = 0;
        for file in self.list(name)? {
            let uri = self.uri(&format!("{name}/{file}"));
            bytes += wait_briefly(async {
                let (store, path) = ObjectStore::from_uri_and_params(stores(), &uri, &store_params()).await?;
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

    #[test]
    fn a_store_that_does_not_answer_is_named_with_what_to_do() {
        let said = "LanceError(IO): Generic S3 error: Error performing HEAD http://127.0.0.1:9/banks/x/bank.json in 3s, after 10 \
                    retries, max_retries: 10, retry_timeout: 31s  - HTTP error: error sending request, /a/src/aws.rs:1:2";
        let told = told(said).to_string();
        assert!(
            told.starts_with("the object store at http://127.0.0.1:9 does not answer (HEAD http://127"),
            "{told}"
        );
        assert!(told.contains("AWS_ENDPOINT") && !told.contains("aws.rs"), "{told}");
        let said =
            "Error performing GET http://host/x in 1s - Server returned non-2xx status code: 403 Forbidden";
        assert_eq!(super::told(said).to_string(), said);
    }

    #[test]
    fn what_is_waited_for_is_left_when_somebody_asks() {
        let cancel = CancelToken::at_question(3);
        let never = wait_unless(&cancel, std::future::pending::<lance::Result<()>>());
        assert!(never.unwrap_err().downcast_ref::<Cancelled>().is_some());
        assert_eq!(wait_unless(&CancelToken::default(), async { Ok(7) }).unwrap(), 7);
    }
}

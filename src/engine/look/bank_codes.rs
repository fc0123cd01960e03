//! Codes of a bank that is open: they may be made while it is, as by `bank index`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::bank::{Bank, VectorCache};
use crate::search::{Processor, Quantised};

/// How often it is noted that codes in the cache are in use, so that others go before them.
const NOTED_EVERY: Duration = Duration::from_secs(60);

/// What searches a bank by the codes that there are of it.
#[derive(Clone)]
pub struct BankCodes {
    cache: Option<VectorCache>,
    found: Arc<Mutex<FoundCodes>>,
}

/// What was found when it was last looked.
#[derive(Default)]
struct FoundCodes {
    /// Of each space, when its codes were written.
    written: Vec<Option<SystemTime>>,
    processor: Option<Arc<Processor>>,
    /// When it was last noted that they are in use.
    noted: Option<Instant>,
}

impl FoundCodes {
    fn note_use(&mut self, cache: &VectorCache) {
        let Some(processor) = &self.processor else { return };
        if self.noted.is_some_and(|noted| noted.elapsed() < NOTED_EVERY) {
            return;
        }
        let kept = processor.codes().filter(|codes| codes.elsewhere().is_some());
        kept.for_each(|codes| cache.note_use(codes.path()));
        self.noted = Some(Instant::now());
    }
}

impl BankCodes {
    /// Codes lie beside a bank or are kept of it in `cache`.
    pub fn new(cache: Option<&VectorCache>) -> Self {
        Self { cache: cache.cloned(), found: Arc::default() }
    }

    /// What searches `bank`, always the same, by the codes that there are by now; `None` where there are none. Damaged ones
    /// are told and left out.
    pub fn processor(&self, bank: &Bank) -> Option<Arc<Processor>> {
        if bank.far().is_some() {
            return self.by_index(bank);
        }
        let cache = self.cache.as_ref();
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let written: Vec<_> = bank.spaces().map(|space| Quantised::written(bank, space, cache)).collect();
        if written != found.written {
            let of_space = |space: &str| {
                Quantised::open(bank, space, cache).unwrap_or_else(|error| {
                    log::warn!(
                        "{error:#}; every patch is compared. `bagssl bank index` makes the codes again"
                    );
                    None
                })
            };
            let codes: Vec<Quantised> = bank.spaces().filter_map(of_space).collect();
            let processor = (!codes.is_empty()).then(|| Arc::new(Processor::by_codes(codes)));
            *found = FoundCodes { written, processor, noted: None };
        }
        if let Some(cache) = cache {
            found.note_use(cache);
        }
        found.processor.clone()
    }

    /// The same of a bank whose rows lie elsewhere, where all of its spaces have an index.
    fn by_index(&self, bank: &Bank) -> Option<Arc<Processor>> {
        let has_index = |space: &str| bank.space(space).is_ok_and(|space| space.far_index().is_some());
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        bank.spaces()
            .all(has_index)
            .then(|| found.processor.get_or_insert_with(|| Arc::new(Processor::by_index())).clone())
    }
}

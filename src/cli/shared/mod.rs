//! What several commands take and need: arguments, their values, output, the [`Commander`].

mod codes;
mod commander;
mod decoding_args;
mod model_args;
mod output;
mod plot_args;
mod query_args;
mod signals;
mod values;
mod voice;

pub use codes::{codes_words, index_words, segment_words};
pub use commander::{Commander, SharedArgs, WrongUsage, decoding_words, skipped_words};
pub use decoding_args::DecodingArgs;
pub use model_args::{ModelArgs, OverrideArgs};
pub use output::{bytes, chain, duration, show, thousands};
pub use plot_args::{LOOK, PlotArgs};
pub use query_args::{FILTER, FilterArgs, QueryArgs, SearchArgs, among_words, recall_words, search_request};
pub use signals::{interrupted, listen};
pub use values::{DtypeArg, Point, QueryPlace, finite, pixels, positive, share};
pub use voice::{log_to_stderr, say};
#[cfg(test)]
pub use {commander::SHARED, decoding_args::READING, model_args::OVERRIDES};

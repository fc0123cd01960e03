//! How requests and their answers find each other.

/// Numbers a request; answers carry the number of what they answer, and stale ones are dropped.
pub type RequestId = u64;

//! What holds for the sources themselves: borders between folders, words, and the generated CRD. No operator runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod border;
mod crd;
mod docs;
mod explain;
mod sources;
mod words;

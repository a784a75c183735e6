//! What holds for the sources themselves: borders between folders, words, the generated CRD, and the chart's values. No
//! operator runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod border;
mod chart;
mod crd;
mod docs;
mod explain;
mod metrics;
mod sources;
mod words;

//! The loop: the only place that drives, retries and publishes.

pub mod drive;
pub mod ledger;

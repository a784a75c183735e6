//! The loop: the only place that drives, retries and publishes.

pub mod drive;
pub mod ledger;
pub mod object;
pub mod publish;
pub mod secrets;
pub mod sieve;

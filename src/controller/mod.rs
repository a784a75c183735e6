//! The loop: the only place that drives, retries and publishes.
//!
//! ```text
//!   run ─▶ watch ─▶ sieve ─▶ pass ─▶ resolve ─▶ reconcile (build_up, tear_down) ─▶ drive ─▶ adapters
//!                     ▲        └──▶ conditions ─▶ publish
//!              secrets (by name)
//! ```

pub mod counting;
pub mod drive;
pub mod found;
pub mod hands;
pub mod lease;
pub mod ledger;
mod left;
pub mod object;
pub mod outside;
pub mod pass;
pub mod publish;
pub mod reconcile;
pub mod resolve;
pub mod run;
pub mod secrets;
pub mod sieve;
pub mod world;

pub use outside::Outside;
pub use run::run;
pub use world::Setup;

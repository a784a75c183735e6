//! The loop: the only place that watches, retries and publishes.
//!
//! ```text
//!   startup ─▶ watch ─▶ predicate ─▶ work (scheduler) ─▶ reconcile ─▶ converge ─▶ adapters
//!                           ▲         ▲ restart              └──▶ status, finalizer, events
//!             reference_watch (by name)
//! ```

// A name that says all needs no sentence; what is not obvious has one.
#![allow(missing_docs)]

pub mod api;
pub mod claim;
pub mod clients;
pub mod context;
pub mod converge;
pub mod dereference;
pub mod events;
pub mod finalizer;
pub mod object;
pub mod others;
mod packed;
pub mod platform_state;
pub mod platforms;
pub mod predicate;
pub mod reconcile;
pub mod reference_watch;
mod restart;
pub mod scheduler;
pub mod seats;
pub mod shard;
pub mod startup;
pub mod status;
pub mod stored;
pub mod template_judge;
pub mod watch;
mod work;

pub use clients::ClientFactory;
pub use context::Dependencies;
pub use watch::run;

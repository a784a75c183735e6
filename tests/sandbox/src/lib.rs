//! AWS and Jenkins as far as MLOps projects need them, in one process: what the operator's tests, the
//! crash explorer and the demo run against.
//!
//! ```text
//!            transport/http.rs (loopback)   transport/in_process.rs (no sockets, paused clock)
//!                        \               /
//!                     Sandbox: clock, faults, journal          control.rs  /_sandbox/...
//!                        |
//!        aws/mod.rs  (which service? which wire protocol?)     jenkins/
//!           |  wire/ json · query · xml · cbor
//!        aws/<service>.rs   fn call(&mut World, &Call) -> Outcome
//!                        |
//!                     World: plain data that can be cloned; time passes through `World::advance`
//! ```
//!
//! It does not pretend: what it does not know is refused with an error of the kind that the service gives.
//! Nothing of it is part of the operator's binary.

pub mod aws;
mod check_in;
pub mod clock;
mod control;
mod control_git;
pub mod faults;
pub mod jenkins;
pub mod journal;
pub mod kubernetes;
mod record;
pub mod repositories;
pub mod sandbox;
pub mod transport;
mod waiting;
pub mod wire;
pub mod world;

pub use clock::Clock;
pub use faults::{Fault, What, When};
pub use journal::Entry;
pub use sandbox::{Dropped, Edge, Endpoint, Onlooker, Sandbox};
pub use world::{Settings, World};

//! Jenkins over HTTP: `transport` opens the way to a real server, `client` makes single calls, `errors` sorts refusals,
//! `server` and `jobs` are the actuators, `listing` is what the latter finds, `folders` is the way that both go, `outage` is a server that does not answer, and `builds` is what runs in the jobs. In tests the same client runs over the sandbox's service.

mod body;
mod builds;
mod client;
mod errors;
mod folders;
mod glance;
mod jobs;
mod listing;
mod outage;
mod proxy;
mod server;
mod transport;

pub use client::{BoxError, JenkinsClient};
pub use jobs::JenkinsJobsActuator;
pub use server::JenkinsServerActuator;

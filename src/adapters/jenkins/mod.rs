//! Jenkins over HTTP: `connect` opens the way to a real server, `client` makes single calls, `faults` sorts refusals,
//! `jobs` is the hands of `resources::jenkins_jobs`. In tests the same client runs over the sandbox's service.

mod client;
mod connect;
mod faults;
mod jobs;

pub use client::{BoxError, JenkinsClient};

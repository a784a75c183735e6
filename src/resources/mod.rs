//! The external resources, one folder each, all with the same parts in the same order: what it is and never touches,
//! `Desired`, `Observed`, `Action`, `Output`, `desired()`, `decide()`, table tests.

// A name that says all needs no sentence; what is not obvious has one.
#![allow(missing_docs)]

pub mod artifact_bucket;
pub mod catalog;
pub mod jenkins_jobs;
pub mod jenkins_server;
pub mod model_route;
pub mod model_trigger;
pub mod prerequisites;
pub mod sagemaker_project;

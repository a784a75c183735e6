//! One resource at a time: the real adapter through the real loop, against the sandbox in process. And what the operator
//! bundles or ships for them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../harness/mod.rs"]
mod harness;

mod archives;
mod catalog;
mod jenkins;
mod model_route;
mod model_trigger;
mod prerequisites;
mod sagemaker_project;
mod setup_templates;
mod states;

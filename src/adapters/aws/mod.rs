//! AWS: the clients, the sorting of errors, and one file or folder for each resource that lives there.

pub mod artifact_bucket;
pub(crate) mod budgeted;
pub mod catalog;
pub mod clients;
pub mod errors;
pub mod model_route;
pub mod model_trigger;
pub mod prerequisites;
pub mod sagemaker_project;
mod stack_events;

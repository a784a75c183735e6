//! The ask: the kinds that users write, and the status that they read. Types and bounds only; behaviour lives in
//! `domain` and below.

// KubeSchema puts a copy of each struct into a function, where `pub` reaches nothing.
#![allow(unreachable_pub)]

pub mod generate;
pub mod identifiers;
mod intent;
mod jobs_status;
pub mod mlops_platform;
pub mod partitions;
pub mod placement;
pub mod platform;
pub mod project;
pub mod reference;
pub mod schema;
pub mod status;
mod status_schema;
mod trigger_status;
pub mod troubleshooting;

pub use mlops_platform::{MlopsPlatform, MlopsPlatformSpec};
pub use project::{MlopsProject, MlopsProjectSpec};

//! A Kubernetes operator that keeps MLOps projects in AWS and Jenkins as declared.
//!
//! ```text
//!   MlopsProject ──▶ controller ──▶ drive: observe ─▶ decide ─▶ act ─▶ look again
//!        ▲               │              │adapters     │domain      │adapters
//!        └── status ◀── publish ◀── conditions ◀── outcome of each resource
//! ```
//!
//! Imports point one way: `controller → adapters → resources → domain → crd`.
//!
//! | folder | what stands there |
//! | --- | --- |
//! | `crd` | the ask: `MlopsProject`, its status, the condition types and reasons |
//! | `domain` | the rules: names, ownership, faults, decisions, conditions; pure |
//! | `resources` | the things, one file or folder each, all of one shape; pure |
//! | `templates` | files as files: CloudFormation templates, the Lambda, job XML; and the judge of a user's own; pure |
//! | `adapters` | the outside: AWS and Jenkins clients; I/O without decisions |
//! | `controller` | the loop: the only place that drives, retries and publishes |
//! | `cli` | subcommands that need neither cluster nor AWS |
//!
//! To add a resource, see the README.

pub mod adapters;
pub mod cli;
pub mod clock;
pub mod config;
pub mod controller;
pub mod crd;
pub mod domain;
pub mod metrics;
pub mod resources;
pub mod server;
pub mod telemetry;
pub mod templates;

// The fixture of `tests/` names this crate as those tests do.
#[cfg(test)]
extern crate self as mlops_operator;
#[cfg(test)]
#[path = "../tests/common/project.rs"]
mod fixture;

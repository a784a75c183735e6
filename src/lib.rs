//! A Kubernetes operator that keeps MLOps projects in AWS and Jenkins as declared.
//!
//! ```text
//!   MlopsProject ──▶ reconcile ──▶ converge: observe ─▶ decide ─▶ act ─▶ observe again
//!        ▲                             │ adapters  │ resources │ adapters
//!        └── status ◀── conditions ◀── outcome of each external resource
//! ```
//!
//! Imports point one way: `controller → adapters → resources → domain → crd`, with `templates` and `template_lint` beside `crd`.
//!
//! | folder | what stands there |
//! | --- | --- |
//! | `crd` | the ask: `MlopsProject`, its status, the condition types and reasons; the names of AWS in them as types |
//! | `domain` | the rules: names, ownership, faults, decisions, conditions; pure |
//! | `resources` | the external resources, one folder each, all of one shape; pure |
//! | `templates` | files as files: CloudFormation templates, the Lambda, the archives with seed code; pure |
//! | `template_lint` | the judge of a user's own project template; pure |
//! | `metrics` | what is counted, and the table of it from which `docs/metrics.md` is written |
//! | `telemetry` | logs, and the spans of a reconcile: where they go, and what may be in them |
//! | `adapters` | AWS and Jenkins: clients, errors, and one actuator for each resource; I/O without decisions |
//! | `controller` | the loop: the only place that watches, retries and publishes |
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
pub mod leader_election;
pub mod metrics;
pub mod resources;
pub mod server;
pub mod telemetry;
pub mod template_lint;
pub mod templates;

// The fixture of `tests/` names this crate as those tests do.
#[cfg(test)]
extern crate self as mlops_operator;
#[cfg(test)]
#[path = "../tests/harness/project.rs"]
mod fixture;

//! The operator as a whole, in process, under a paused clock: lifecycles as readable text, deletion, crashes and faults at
//! every call, wrong environments, secrets, permissions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../harness/mod.rs"]
mod harness;

mod authority;
mod bench;
mod bounds;
mod bucket_owner;
mod budget;
mod command_line;
mod controller;
mod crash;
mod deletion;
mod docs_url;
mod environment_faults;
mod explorer;
mod glances;
mod grants;
mod installations;
mod least_privilege;
mod lifecycles;
mod lint_template;
mod model_trigger;
mod ownership;
mod parameters;
mod platforms;
mod plugins;
mod recovery;
mod remote_text;
mod sandbox_transport;
mod scheduling;
mod secrets;
mod sharding;
mod tenants;
mod traces;
mod trigger_user;

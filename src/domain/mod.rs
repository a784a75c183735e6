//! The rules: names, ownership, faults, decisions, conditions. Pure: no async, no client, no clock of its own.

pub mod address;
pub mod budget;
pub mod conditions;
pub mod docs_url;
pub mod events;
pub mod external_resource;
pub mod fault;
pub mod grants;
pub mod identity;
pub mod links;
pub mod outcome;
pub mod platform;
pub mod problem;
pub mod project;
pub mod recent;
pub mod requeue;
pub mod scrubber;
pub mod seal;
pub mod secret;
pub mod step;
pub mod tags;
pub mod text;
pub mod time;
pub mod validate;
pub mod watch_selector;

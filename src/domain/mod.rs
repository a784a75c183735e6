//! The rules: names, ownership, faults, decisions. Pure: no async, no client, no clock of its own.

pub mod conditions;
pub mod fault;
pub mod identity;
pub mod parse;
pub mod project;
pub mod report;
pub mod resource;
pub mod secret;
pub mod tenancy;

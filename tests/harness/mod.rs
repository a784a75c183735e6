//! What the test programs share: a project for tests of one resource, the operator in process over sandbox and in-memory
//! API, its story as text, a real API server, and the search for secrets. Each program uses a part of it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

pub mod aws;
pub mod canary;
pub mod cluster;
pub mod collector;
pub mod environment_fault;
pub mod function;
pub mod judges;
pub mod operator;
pub mod project;
pub mod readable;
pub mod story;

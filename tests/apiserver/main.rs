//! What needs a real API server: which manifests it takes and in which words it refuses, every field of the CRD, leases and
//! two operators at once, and that the in-memory API agrees with it. Its tests run one after another: each has a server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../harness/mod.rs"]
mod harness;

mod agreement;
mod fields;
mod leases;
mod manifests;
mod optional_objects;
mod two_leaders;
mod wrong_manifests;

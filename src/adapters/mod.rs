//! Clients of AWS and Jenkins. I/O without decisions; every reply is put into the domain's words here.

// A name that says all needs no sentence; what is not obvious has one.
#![allow(missing_docs)]

pub mod aws;
pub mod budget;
pub mod jenkins;
pub mod sharing;

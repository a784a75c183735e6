//! Subcommands that need neither cluster nor AWS. They stand apart from `main.rs`, which only starts them.

// A name that says all needs no sentence; what is not obvious has one.
#![allow(missing_docs)]

pub mod crd;
pub mod docs;
pub mod lint_template;

//! Subcommands that need neither cluster nor AWS. They stand apart from `main.rs`, which only starts them.

pub mod lint_template;

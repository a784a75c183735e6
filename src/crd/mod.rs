//! The ask: the kinds that users write, and the status that they read. Types only; no rule of behaviour lives here.

pub mod status;

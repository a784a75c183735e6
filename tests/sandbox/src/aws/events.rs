//! events: placeholder of the first commit.

use super::{Call, Outcome, Refusal};
use crate::world::World;

/// What exists.
#[derive(Clone, Debug, Default)]
pub struct State {}

/// Answers one call.
pub fn call(_world: &mut World, call: &Call<'_>) -> Outcome {
    Err(Refusal::new("UnknownOperationException", format!("{} is not known here", call.operation)))
}

/// Matches an event of an AWS service with the rules of the default bus.
pub fn publish(_world: &mut World, _account: &str, _region: &str, _event: &serde_json::Value) {}

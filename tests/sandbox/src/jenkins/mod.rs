//! Jenkins: placeholder of the first commit.

use bytes::Bytes;

use crate::world::{Due, World};

/// What exists.
#[derive(Clone, Debug, Default)]
pub struct Jenkins {}

/// Answers one request.
pub fn handle(_world: &mut World, _request: &http::Request<Bytes>) -> http::Response<Bytes> {
    http::Response::new(Bytes::new())
}

/// Lets a scheduled thing happen.
pub fn wake(_world: &mut World, _due: &Due) {}

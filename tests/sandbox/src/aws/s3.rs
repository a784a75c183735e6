//! S3: placeholder of the first commit. It speaks HTTP itself (restXml), since paths, headers and bodies carry its input.

use bytes::Bytes;

use super::Caller;
use crate::world::World;

/// What exists: buckets by their global name.
#[derive(Clone, Debug, Default)]
pub struct State {}

/// Answers one request; `region` is that of the request's signature.
pub fn handle(
    _world: &mut World,
    _caller: &Caller,
    _region: &str,
    _request: &http::Request<Bytes>,
) -> http::Response<Bytes> {
    http::Response::new(Bytes::new())
}

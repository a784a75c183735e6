//! Reads the bodies of answers and bounds what they take in memory: a Jenkins that answers with megabytes, or a hundred
//! that do, must not stop the projects of others. It stands alone as the only place where a body is read.

use std::sync::{Arc, LazyLock};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Limited};
use hyper::body::Body;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::client::{BoxError, MAX_BODY};

/// Bytes that an answer may have before it counts as large: a folder with a thousand jobs has half of that.
const SMALL: usize = 256 * 1024;
/// Large answers that are held at once in the whole process, and thereby 32 MiB.
const LARGE_AT_ONCE: usize = 4;

static LARGE: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(LARGE_AT_ONCE)));

/// Reads the bodies of one Jenkins' answers. Of large ones it holds one at a time, so that no Jenkins takes all places
/// that there are in the process; the next waits, unread, as long as its call has time.
#[derive(Clone)]
pub(super) struct Bodies {
    all: Arc<Semaphore>,
    own: Arc<Semaphore>,
}

/// A large body, which has its place until nobody reads it any more.
struct Held {
    body: Bytes,
    _place: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Bodies {
    /// For one more Jenkins of this process.
    pub(super) fn new() -> Self {
        Self::among(LARGE.clone())
    }

    /// For one more Jenkins among those that share these places.
    fn among(all: Arc<Semaphore>) -> Self {
        Self { all, own: Arc::new(Semaphore::new(1)) }
    }

    /// The whole body.
    ///
    /// # Errors
    /// The connection's, or that there is more than [`MAX_BODY`].
    pub(super) async fn read<B>(&self, body: B) -> Result<Bytes, BoxError>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let mut body = std::pin::pin!(Limited::new(body, MAX_BODY));
        let mut read = BytesMut::new();
        let mut place = None;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            if place.is_none() && read.len() + data.len() > SMALL {
                // Its own first: who waits for that keeps none of the others' places.
                let own = self.own.clone().acquire_owned().await?;
                place = Some((self.all.clone().acquire_owned().await?, own));
            }
            read.extend_from_slice(&data);
        }
        let body = read.freeze();
        Ok(match place {
            Some(_place) => Bytes::from_owner(Held { body, _place }),
            None => body,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use futures::FutureExt;
    use futures::stream::{self, StreamExt};
    use http_body_util::{Full, LengthLimitError, StreamBody};
    use hyper::body::Frame;

    use super::*;

    const KIB: usize = 1024;

    /// A body of so many bytes, in pieces, as it comes over a wire.
    fn pieces(bytes: usize) -> impl Body<Data = Bytes, Error = BoxError> {
        let whole = Bytes::from(vec![b'a'; bytes]);
        let cut = move |at: usize| whole.slice(at..(at + 16 * KIB).min(bytes));
        StreamBody::new(
            stream::iter((0..bytes).step_by(16 * KIB)).map(move |at| Ok::<_, BoxError>(Frame::data(cut(at)))),
        )
    }

    /// What of a body can be had at once.
    fn at_once(bodies: &Bodies, bytes: usize) -> Option<Bytes> {
        bodies.read(pieces(bytes)).now_or_never().map(|read| read.expect("it is within the limit"))
    }

    #[test]
    fn large_answers_wait_for_one_another_and_small_ones_never() {
        let places = Arc::new(Semaphore::new(2));
        let jenkins: Vec<Bodies> = (0..3).map(|_| Bodies::among(places.clone())).collect();
        let first = at_once(&jenkins[0], 8 * 1024 * KIB).unwrap();
        assert_eq!(first.len(), 8 * 1024 * KIB);
        assert!(at_once(&jenkins[0], 300 * KIB).is_none(), "a second one of the same Jenkins");
        let second = at_once(&jenkins[1], 300 * KIB).unwrap();
        assert!(at_once(&jenkins[2], 300 * KIB).is_none(), "there is no place any more");
        for bodies in &jenkins {
            assert_eq!(at_once(bodies, 200 * KIB).unwrap().len(), 200 * KIB, "a small one");
        }
        let part = second.slice(..10);
        drop(second);
        assert!(at_once(&jenkins[2], 300 * KIB).is_none(), "a part of it is still read");
        drop(part);
        assert!(at_once(&jenkins[2], 300 * KIB).is_some());
        drop(first);
        assert!(at_once(&jenkins[0], 300 * KIB).is_some());
    }

    #[test]
    fn an_answer_without_an_end_is_refused_and_leaves_its_place() {
        let places = Arc::new(Semaphore::new(1));
        let bodies = Bodies::among(places.clone());
        let refused = bodies.read(pieces(MAX_BODY + 1)).now_or_never().unwrap().unwrap_err();
        assert!(refused.is::<LengthLimitError>(), "{refused}");
        assert_eq!(places.available_permits(), 1);
        let whole = bodies.read(Full::new(Bytes::from(vec![b'a'; MAX_BODY]))).now_or_never().unwrap().unwrap();
        assert_eq!(
            (whole.len(), places.available_permits()),
            (MAX_BODY, 0),
            "one that comes in one piece counts alike"
        );
    }

    #[test]
    fn a_reader_that_gives_up_leaves_its_place() {
        let places = Arc::new(Semaphore::new(1));
        let bodies = Bodies::among(places.clone());
        let endless = StreamBody::new(
            stream::iter([Ok::<_, BoxError>(Frame::data(Bytes::from(vec![0; 300 * KIB])))]).chain(stream::pending()),
        );
        assert!(bodies.read(endless).now_or_never().is_none());
        assert_eq!(places.available_permits(), 1, "its call timed out");
    }
}

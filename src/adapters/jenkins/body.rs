//! Reads the bodies of answers and bounds what they take in memory: a Jenkins that answers with megabytes, or a hundred
//! that do, must not stop the projects of others. It stands alone as the only place where a body is read.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Limited};
use hyper::body::Body;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::client::{BoxError, MAX_BODY};

/// Bytes that an answer may have before it counts as large: a folder with a thousand jobs has half of that.
const SMALL: usize = 256 * 1024;
/// Large answers that are held at once in the whole process, and thereby 32 MiB.
const LARGE_AT_ONCE: usize = 4;
/// Those of them that one server has, whoever asks it: many projects share the one Jenkins of a company.
const OF_ONE_SERVER: usize = 2;
/// How long the rest of a large answer may take once it has its place: half of what a read may take in all, so that one who
/// waits for the place of a server that sends nothing still has time to read its own.
const HELD: Duration = Duration::from_secs(5);

static BODIES: LazyLock<Bodies> = LazyLock::new(|| Bodies::of(LARGE_AT_ONCE));

/// Reads the bodies of answers. Of large ones of one server it holds two at a time, whoever asks it, and for a short time, so
/// that no server takes all places that there are in the process; the next waits, unread, as long as its call has time.
#[derive(Clone)]
pub(super) struct Bodies {
    all: Arc<Semaphore>,
    /// The places of each server of which a large answer is wanted.
    servers: Arc<Mutex<BTreeMap<String, Weak<Semaphore>>>>,
}

type Place = (OwnedSemaphorePermit, OwnedSemaphorePermit);

/// A large body, which has its place until nobody reads it any more.
struct Held {
    body: Bytes,
    _place: Place,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Bodies {
    /// Those of this process.
    pub(super) fn shared() -> Self {
        BODIES.clone()
    }

    /// With so many places.
    fn of(places: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(places)), servers: Arc::default() }
    }

    /// The whole body of an answer of this server: its host and port.
    ///
    /// # Errors
    /// The connection's; that there is more than [`MAX_BODY`]; that a large one takes longer than [`HELD`].
    pub(super) async fn read<B>(&self, server: &str, body: B) -> Result<Bytes, BoxError>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let mut body = std::pin::pin!(Limited::new(body, MAX_BODY));
        let mut read = BytesMut::new();
        let Some(more) = next(body.as_mut(), &mut read, SMALL).await? else { return Ok(read.freeze()) };
        let _place = self.place(server).await?;
        read.extend_from_slice(&more);
        timeout(HELD, next(body, &mut read, MAX_BODY)).await??;
        Ok(Bytes::from_owner(Held { body: read.freeze(), _place }))
    }

    /// A place for one more large answer. Its server's own first: who waits for that keeps none of the others' places.
    async fn place(&self, server: &str) -> Result<Place, BoxError> {
        let own = self.own(server).acquire_owned().await?;
        Ok((self.all.clone().acquire_owned().await?, own))
    }

    fn own(&self, server: &str) -> Arc<Semaphore> {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        servers.retain(|_, own| own.strong_count() > 0);
        if let Some(own) = servers.get(server).and_then(Weak::upgrade) {
            return own;
        }
        let own = Arc::new(Semaphore::new(OF_ONE_SERVER));
        servers.insert(server.to_owned(), Arc::downgrade(&own));
        own
    }
}

/// Reads on as long as there are at most so many bytes; gives the piece that goes beyond, `None` at the end.
async fn next<B>(mut body: Pin<&mut Limited<B>>, read: &mut BytesMut, most: usize) -> Result<Option<Bytes>, BoxError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if read.len() + data.len() > most {
            return Ok(Some(data));
        }
        read.extend_from_slice(&data);
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use futures::FutureExt;
    use futures::stream::{self, StreamExt};
    use http_body_util::{Full, LengthLimitError, StreamBody};
    use hyper::body::Frame;
    use tokio::time::{Instant, sleep};

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

    /// A body that is large at once and then comes byte by byte, one a second, without an end.
    fn trickling() -> impl Body<Data = Bytes, Error = BoxError> {
        let bytes = stream::repeat(1).then(async |bytes| {
            sleep(Duration::from_secs(1)).await;
            bytes
        });
        let sizes = stream::iter([300 * KIB]).chain(bytes);
        StreamBody::new(sizes.map(|bytes| Ok::<_, BoxError>(Frame::data(Bytes::from(vec![b'a'; bytes])))))
    }

    /// What of a body of this server can be had at once.
    fn at_once(bodies: &Bodies, server: &str, bytes: usize) -> Option<Bytes> {
        bodies.read(server, pieces(bytes)).now_or_never().map(|read| read.expect("it is within the limit"))
    }

    #[tokio::test(start_paused = true)]
    async fn large_answers_wait_for_one_another_and_small_ones_never() {
        let bodies = Bodies::of(3);
        let beside = at_once(&bodies, "a", 300 * KIB).unwrap();
        let first = at_once(&bodies, "a", 8 * 1024 * KIB).unwrap();
        assert_eq!(first.len(), 8 * 1024 * KIB);
        assert!(at_once(&bodies, "a", 300 * KIB).is_none(), "a third one of the same Jenkins");
        assert!(at_once(&bodies.clone(), "a", 300 * KIB).is_none(), "nor one that another client asks for");
        let second = at_once(&bodies, "a:8443", 300 * KIB).unwrap();
        assert!(at_once(&bodies, "b", 300 * KIB).is_none(), "there is no place any more");
        for server in ["a", "a:8443", "b"] {
            assert_eq!(at_once(&bodies, server, 200 * KIB).unwrap().len(), 200 * KIB, "a small one");
        }
        let part = second.slice(..10);
        drop(second);
        assert!(at_once(&bodies, "b", 300 * KIB).is_none(), "a part of it is still read");
        drop(part);
        assert!(at_once(&bodies, "b", 300 * KIB).is_some());
        drop(first);
        assert!(at_once(&bodies, "a", 300 * KIB).is_some());
        drop(beside);
        drop(at_once(&bodies, "c", 300 * KIB));
        assert_eq!(bodies.servers.lock().unwrap().len(), 1, "servers of which nothing is read are forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_without_an_end_is_refused_and_leaves_its_place() {
        let bodies = Bodies::of(1);
        let refused = bodies.read("a", pieces(MAX_BODY + 1)).now_or_never().unwrap().unwrap_err();
        assert!(refused.is::<LengthLimitError>(), "{refused}");
        assert_eq!(bodies.all.available_permits(), 1);
        let whole = bodies.read("a", Full::new(Bytes::from(vec![b'a'; MAX_BODY]))).now_or_never().unwrap().unwrap();
        assert_eq!(
            (whole.len(), bodies.all.available_permits()),
            (MAX_BODY, 0),
            "one that comes in one piece counts alike"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_gives_up_leaves_its_place() {
        let bodies = Bodies::of(1);
        assert!(bodies.read("a", trickling()).now_or_never().is_none());
        assert_eq!(bodies.all.available_permits(), 1, "its call timed out");
    }

    #[tokio::test(start_paused = true)]
    async fn servers_that_send_slowly_keep_their_places_for_a_short_time() {
        let (bodies, begun) = (Bodies::of(4), Instant::now());
        let slow: Vec<_> = ["a", "b", "c", "a", "a"]
            .map(|server| {
                let bodies = bodies.clone();
                tokio::spawn(async move { bodies.read(server, trickling()).await.unwrap_err().to_string() })
            })
            .into_iter()
            .collect();
        sleep(Duration::from_millis(1)).await;
        let victim = bodies.read("victim", pieces(300 * KIB)).await.unwrap();
        assert_eq!(victim.len(), 300 * KIB);
        assert!(begun.elapsed() < Duration::from_secs(6), "a call has ten: {:?}", begun.elapsed());
        drop(victim);
        for one in slow {
            assert_eq!(one.await.unwrap(), "deadline has elapsed");
        }
        assert_eq!(bodies.all.available_permits(), 4);
    }
}

//! What Jenkins' own classes decide about builds that run, new items, views, moves, choices, the queue, new names and
//! crumbs, as tables. It stands alone so that each rule can be held against the class that it names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use bytes::Bytes;

use super::tests::*;
use super::*;
use crate::world::Settings;

/// A Jenkins whose builds take a minute.
fn slow() -> World {
    let settings = Settings { jenkins_build: Duration::from_secs(60), ..Settings::default() };
    World::new(settings, Timestamp::from_second(1_700_000_000).unwrap())
}

fn pass(world: &mut World, seconds: u64) {
    let later = world.after(Duration::from_secs(seconds));
    world.advance(later);
}

fn operator() -> String {
    let (user, token) = Jenkins::credentials();
    authorization(&user, &token)
}

fn header(answer: &http::Response<Bytes>, name: &str) -> Option<String> {
    answer.headers().get(name).map(|value| value.as_bytes().iter().map(|byte| char::from(*byte)).collect())
}

/// Run.delete and Run.doDoDelete.
#[test]
fn a_build_is_deleted_only_once_it_has_ended() {
    let mut world = slow();
    send(&mut world, "POST /createItem?name=p", PLAIN_JOB);
    send(&mut world, "POST /job/p/build?delay=0sec", "");
    let rows = [("while it runs", 1, 200, None, 1), ("once it has ended", 90, 302, Some("/job/p/".to_owned()), 0)];
    for (name, seconds, status, location, left) in rows {
        pass(&mut world, seconds);
        let answer = send_as(&mut world, Some(&operator()), "POST /job/p/1/doDelete", "");
        assert_eq!((answer.status().as_u16(), header(&answer, "location")), (status, location), "{name}");
        assert_eq!(world.jenkins.item("p").unwrap().builds.len(), left, "{name}");
        let told = String::from_utf8_lossy(answer.body()).contains("Unable to delete p #1 because it is still running");
        assert_eq!(told, left == 1, "{name}");
    }
}

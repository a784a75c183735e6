//! A Jenkins that does not answer, as all objects that use it see it: after a few calls in a row without an answer only one
//! now and then is sent, which asks for nothing in particular, and all others fail at once with what that one met. Otherwise each object would wait for its own
//! time-out, and together they would hold the workers of all. It stands alone since the client sends one call at a time and
//! remembers nothing. It sends nothing, and what an answer says is not its business: any answer ends an outage.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::errors;
use crate::domain::fault::Fault;

/// So many calls in a row without an answer are an outage. Those of one reconcile go side by side, so a moment's loss of the
/// network makes fewer.
const CALLS: u32 = 5;
/// How long no call is sent at first, and at most. The longest is short, for who has just mended the server waits for it.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How a call went without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    NoConnection,
    TooSlow,
}

/// How a call may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    Free,
    /// Only once the server has answered something else: that a caller's own calls are slow says nothing of the server.
    Try,
}

impl Silence {
    /// As the fault of what was attempted.
    pub(super) fn fault(self, attempt: &str) -> Fault {
        match self {
            Self::NoConnection => errors::no_connection(attempt),
            Self::TooSlow => errors::too_slow(attempt),
        }
    }
}

/// What is known of one server; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Outage(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Calls in a row without an answer, and how the last one went.
    silent: u32,
    last: Option<Silence>,
    /// No call is sent before.
    until: Option<Instant>,
}

impl Outage {
    /// Whether a call may be sent now; `Err`: how it would go. After a pause one caller is to try first whether the server
    /// answers, within so long, and all others are held back meanwhile.
    pub(super) fn may_send(&self, limit: Duration) -> Result<Passage, Silence> {
        let mut state = self.state();
        let (Some(until), Some(last)) = (state.until, state.last) else { return Ok(Passage::Free) };
        if Instant::now() < until {
            return Err(last);
        }
        state.until = Some(Instant::now() + limit + FIRST_PAUSE);
        Ok(Passage::Try)
    }

    /// A call was answered. Whether that ends an outage.
    pub(super) fn answered(&self) -> bool {
        std::mem::take(&mut *self.state()).until.is_some()
    }

    /// The try went without an answer.
    pub(super) fn goes_on(&self, how: Silence) {
        let mut state = self.state();
        state.silent = state.silent.saturating_add(1);
        state.last = Some(how);
        let more = state.silent.saturating_sub(CALLS).min(8);
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(more)).min(LONGEST_PAUSE);
        state.until = Some(Instant::now() + pause);
    }

    /// A call went without an answer. Whether that begins an outage; those that were sent before it began change nothing.
    pub(super) fn silent(&self, how: Silence) -> bool {
        let mut state = self.state();
        if state.until.is_some() {
            return false;
        }
        state.silent = state.silent.saturating_add(1);
        state.last = Some(how);
        let begins = state.silent >= CALLS;
        state.until = begins.then(|| Instant::now() + FIRST_PAUSE);
        begins
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_server_that_does_not_answer_is_tried_now_and_then() {
        let outage = Outage::default();
        for n in 1..CALLS {
            assert_eq!(outage.may_send(LIMIT), Ok(Passage::Free));
            assert!(!outage.silent(Silence::TooSlow), "{n} may be a moment's loss");
        }
        assert!(outage.silent(Silence::NoConnection), "it begins");
        assert_eq!(outage.may_send(LIMIT), Err(Silence::NoConnection), "others are told how the last one went");
        assert!(!outage.silent(Silence::TooSlow), "one that was sent before");
        tokio::time::sleep(FIRST_PAUSE).await;
        assert_eq!(outage.may_send(LIMIT), Ok(Passage::Try), "and it has made the pause no longer");
        assert_eq!(outage.may_send(LIMIT), Err(Silence::NoConnection), "no other beside it");
        outage.goes_on(Silence::TooSlow);
        tokio::time::sleep(FIRST_PAUSE).await;
        assert_eq!(outage.may_send(LIMIT), Err(Silence::TooSlow), "it is tried more rarely");
        tokio::time::sleep(LONGEST_PAUSE).await;
        assert_eq!(outage.may_send(LIMIT), Ok(Passage::Try));
        assert!(outage.answered(), "any answer ends it");
        assert_eq!([outage.may_send(LIMIT), outage.may_send(LIMIT)], [Ok(Passage::Free); 2]);
        assert!(!outage.answered());
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_that_vanished_holds_the_others_only_for_a_while() {
        let outage = Outage::default();
        for _ in 0..CALLS {
            outage.silent(Silence::TooSlow);
        }
        tokio::time::sleep(FIRST_PAUSE).await;
        assert_eq!(outage.may_send(LIMIT), Ok(Passage::Try));
        tokio::time::sleep(LIMIT + FIRST_PAUSE).await;
        assert_eq!(outage.may_send(LIMIT), Ok(Passage::Try));
    }
}

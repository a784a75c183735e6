//! Lets calls go as fast as the service that is called allows: one budget for each AWS account, region and service, and one
//! for each Jenkins, shared by all objects. It stands alone since both sides are called by the same rules. It only waits: the
//! rules are `domain::budget`'s, and what a call is or what its answer means is its caller's business.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::adapters::aws::clients::PLACES;
use crate::clock::Clock;
use crate::domain::budget::{Bucket, Lane, Limits, Ticket, Turn};
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::recent::Recent;
use crate::domain::time::elapsed;
use crate::metrics::{BudgetLabels, BudgetMeters, Class, Metrics};

/// For how long a call waits for its turn, at most.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A wait that is as short keeps no other object from being worked on.
const SHORT: Duration = Duration::from_secs(1);
/// After how long a reconcile that may not wait, since enough others do, tries again, at least.
const AGAIN: Duration = Duration::from_secs(5);
/// How many budgets are kept: nine services for each place that has clients, and as many Jenkins servers. Beyond it the one
/// that was not used for longest is forgotten, and its rate found anew.
const BUDGETS: usize = PLACES * 9 + PLACES;
/// Which part of the reconciles at once may begin where they have to wait long for one account, in each lane: with more of them, one account that is
/// throttled would keep the objects of all others waiting.
const PART: usize = 4;
/// The account of the operator's own credentials, whose number no call tells.
pub const OPERATOR: &str = "operator";
/// The service of a Jenkins.
pub const JENKINS: &str = "jenkins";

tokio::task_local! {
    static CALLER: Arc<Caller>;
}

/// The reconcile that calls are made for.
struct Caller {
    lane: Lane,
    stopping: watch::Receiver<bool>,
    begun: Mutex<Begun>,
}

/// For how long the calls of this reconcile have waited for their turns until now, all together.
pub fn waited() -> Duration {
    CALLER.try_with(|caller| caller.begun().waited).unwrap_or_default()
}

/// For what a reconcile may wait long, until it ends, and how long it did.
#[derive(Default)]
struct Begun {
    /// The accounts that keep one of their places for it.
    permits: BTreeMap<String, OwnedSemaphorePermit>,
    /// The services that have answered it: what they said would have to be asked for again.
    services: HashSet<Place>,
    /// For how long its calls have waited.
    waited: Duration,
}

/// Does `work`, whose calls go in this lane; those that wait give up once the operator is stopping. What is called outside
/// of it is a routine look.
pub async fn in_lane<T>(lane: Lane, stopping: watch::Receiver<bool>, work: impl Future<Output = T>) -> T {
    // A reconcile's future is large, and would lie on the stack twice.
    CALLER.scope(Arc::new(Caller { lane, stopping, begun: Mutex::default() }), Box::pin(work)).await
}

/// Whose calls a budget is for.
pub type Place = BudgetLabels;

/// All budgets of the operator; clones share them.
#[derive(Clone)]
pub struct Budgets(Arc<Shared>);

struct Shared {
    clock: Clock,
    metrics: Metrics,
    /// How many reconciles may wait long for one account, in each lane.
    waiting: usize,
    budgets: Mutex<Recent<Place, Arc<Budget>>>,
    accounts: Mutex<Recent<String, Arc<Semaphore>>>,
}

struct Budget {
    bucket: Mutex<Bucket>,
    meters: BudgetMeters,
}

/// A call whose turn has come.
pub struct Sent {
    budget: Arc<Budget>,
    clock: Clock,
    at: Timestamp,
}

/// A call that was not sent: it would have had to wait for too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withheld {
    place: Place,
    wait: Duration,
}

impl fmt::Debug for Budgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Budgets")
    }
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not until when: a condition would be written anew at each attempt, and be news to all projects of a platform.
        write!(f, "{} takes no more calls for now", named(&self.place))
    }
}

impl std::error::Error for Withheld {}

/// A place as people call it.
pub fn named(place: &Place) -> String {
    let BudgetLabels { remote, account, region } = place;
    let named = match (remote.as_str(), account.as_str()) {
        (JENKINS, server) => format!("Jenkins at {server}"),
        (service, OPERATOR) => format!("{service} in the operator's own account"),
        (service, account) => format!("{service} in account {account}"),
    };
    if region.is_empty() { named } else { format!("{named} and {region}") }
}

impl Withheld {
    /// As the fault of what was attempted.
    pub fn fault(&self, attempt: &str) -> Fault {
        let fault = Fault::new(FaultKind::Throttled, format!("could not {attempt}: {self}"));
        Fault { retry_after: Some(self.wait), unsent: true, ..fault }
    }
}

impl Budgets {
    /// Budgets that are all full, of an operator that works on so many objects at once.
    pub fn new(clock: Clock, metrics: Metrics, concurrency: u16) -> Self {
        Self(Arc::new(Shared {
            clock,
            metrics,
            waiting: (usize::from(concurrency) / PART).max(1),
            budgets: Mutex::new(Recent::new(BUDGETS)),
            accounts: Mutex::new(Recent::new(BUDGETS)),
        }))
    }

    /// Waits until a call may go.
    ///
    /// # Errors
    /// It would have to wait for too long, or the operator is stopping.
    pub async fn turn(&self, place: &Place) -> Result<Sent, Withheld> {
        let (clock, budget) = (self.0.clock, self.budget(place));
        let caller = CALLER.try_with(Arc::clone).ok();
        let lane = caller.as_ref().map_or(Lane::Routine, |caller| caller.lane);
        let (waiting, begun) = (Waiting::enter(&budget, lane), clock.now());
        loop {
            let now = clock.now();
            let Turn::In(wait) = waiting.turn(now) else { break };
            let too_long = elapsed(begun, now).saturating_add(wait) > LONGEST_WAIT;
            if too_long || caller.as_ref().is_some_and(|caller| !self.may_wait(caller, place, wait)) {
                let wait = if too_long { wait } else { wait.max(AGAIN) };
                budget.meters.withheld.inc();
                if let Some(caller) = &caller {
                    caller.begun().waited += elapsed(begun, now);
                }
                return Err(Withheld { place: place.clone(), wait });
            }
            // Others may leave, and the rate may rise.
            tokio::time::sleep(wait.min(SHORT)).await;
        }
        drop(waiting);
        let at = clock.now();
        if let Some(caller) = &caller {
            let mut of_caller = caller.begun();
            of_caller.services.insert(place.clone());
            of_caller.waited += elapsed(begun, at);
        }
        budget.meters.waited.inc_by(elapsed(begun, at).as_secs_f64());
        budget.meters.rate.set(budget.bucket().rate());
        Ok(Sent { budget, clock, at })
    }

    /// Whether a reconcile may wait so long. One that the service has not answered yet loses nothing where it comes again
    /// later; one that has begun and did so would take the calls from others for what it has read already. It goes on until it has waited
    /// for long, all its calls together, lest a few accounts hold all slots.
    fn may_wait(&self, caller: &Caller, place: &Place, wait: Duration) -> bool {
        if *caller.stopping.borrow() {
            return false;
        }
        let Begun { permits, services, waited } = &mut *caller.begun();
        let goes_on = services.contains(place) && *waited < LONGEST_WAIT;
        if wait <= SHORT || permits.contains_key(&place.account) || goes_on {
            return true;
        }
        let permit = self.account(&format!("{:?} {}", caller.lane, place.account)).try_acquire_owned();
        permit.map(|permit| permits.insert(place.account.clone(), permit)).is_ok()
    }

    fn account(&self, name: &str) -> Arc<Semaphore> {
        let mut accounts = self.0.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = accounts.get(&name.to_owned()) {
            return known;
        }
        let made = Arc::new(Semaphore::new(self.0.waiting));
        accounts.keep(name.to_owned(), made.clone());
        made
    }

    fn budget(&self, place: &Place) -> Arc<Budget> {
        let mut budgets = self.0.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = budgets.get(place) {
            return known;
        }
        let bucket = Mutex::new(Bucket::new(Limits::of(&place.remote), self.0.clock.now()));
        let made = Arc::new(Budget { bucket, meters: self.0.metrics.budget(place) });
        if let Some(forgotten) = budgets.keep(place.clone(), made.clone()) {
            self.0.metrics.forget_budget(&forgotten);
        }
        made
    }
}

impl Caller {
    fn begun(&self) -> MutexGuard<'_, Begun> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Budget {
    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sent {
    /// The call was refused since calls come too fast.
    pub fn throttled(&self, retry_after: Option<Duration>) {
        let mut bucket = self.budget.bucket();
        bucket.throttled(self.at, self.clock.now(), retry_after);
        self.budget.meters.throttles.inc();
        self.budget.meters.rate.set(bucket.rate());
    }

    /// The answer asks for no more calls for so long, for another reason.
    pub fn hold(&self, retry_after: Duration) {
        self.budget.bucket().hold(self.clock.now(), retry_after);
    }

    /// It was answered, or given up.
    pub fn ended(&self, class: Class) {
        self.budget.meters.took(class, elapsed(self.at, self.clock.now()));
    }

    /// How long an answer asks to wait by its header `Retry-After`.
    pub fn retry_after(&self, header: Option<&str>) -> Option<Duration> {
        crate::domain::budget::retry_after(header?, self.clock.now())
    }
}

/// A call among those that wait. It is no longer one of them when this is dropped: its task may end while it waits.
struct Waiting<'a> {
    budget: &'a Budget,
    ticket: Ticket,
}

impl<'a> Waiting<'a> {
    fn enter(budget: &'a Budget, lane: Lane) -> Self {
        Self { budget, ticket: budget.bucket().enter(lane) }
    }

    fn turn(&self, now: Timestamp) -> Turn {
        self.budget.bucket().turn(self.ticket, now)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.budget.bucket().leave(self.ticket);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures::FutureExt;
    use tokio::time::Instant;

    use super::*;

    fn place(account: &str) -> Place {
        Place { remote: "SageMaker".to_owned(), account: account.to_owned(), region: "eu-west-1".to_owned() }
    }

    fn budgets(metrics: &Metrics) -> Budgets {
        Budgets::new(Clock::starting_at("2026-03-01T12:00:00Z".parse().unwrap()), metrics.clone(), 8)
    }

    /// A reconcile that makes one call and then goes on for a minute. Whether the call was sent.
    async fn reconcile(budgets: Budgets, account: &str, lane: Lane, stopping: watch::Receiver<bool>) -> bool {
        let place = place(account);
        let work = async move {
            let sent = budgets.turn(&place).await.is_ok();
            tokio::time::sleep(Duration::from_mins(1)).await;
            sent
        };
        in_lane(lane, stopping, work).await
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_part_of_the_reconciles_may_wait_long_for_one_account() {
        let rows = [
            ("a quarter of eight waits, of each lane", 10, "1111", Lane::Routine, 2),
            ("those for users are counted by themselves", 10, "1111", Lane::User, 2),
            ("a short wait is nobody's loss", 0, "1111", Lane::Routine, 6),
            ("another account has not asked for a pause", 10, "2222", Lane::Routine, 6),
        ];
        for (name, hold, account, lane, expected) in rows {
            let budgets = budgets(&Metrics::default());
            let (_stop, stopping) = watch::channel(false);
            let first = budgets.turn(&place("1111")).await.unwrap();
            first.hold(Duration::from_secs(hold));
            let all = (0..6).map(|_| reconcile(budgets.clone(), account, lane, stopping.clone()));
            let sent = futures::future::join_all(all).await.into_iter().filter(|sent| *sent).count();
            assert_eq!(sent, expected, "{name}");
            let again = reconcile(budgets.clone(), account, lane, stopping.clone()).await;
            assert!(again, "{name}: who has ended is in nobody's way");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_begun_goes_on_and_asks_for_nothing_twice() {
        let budgets = budgets(&Metrics::default());
        let (_stop, stopping) = watch::channel(false);
        let reconcile = || {
            let (budgets, stopping) = (budgets.clone(), stopping.clone());
            let work = async move {
                budgets.turn(&place("1111")).await.unwrap();
                tokio::time::sleep(Duration::from_secs(1)).await;
                budgets.turn(&place("1111")).await.is_ok()
            };
            in_lane(Lane::User, stopping, work)
        };
        let held = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            budgets.turn(&place("1111")).await.unwrap().hold(Duration::from_secs(10));
        };
        let (went_on, ()) = tokio::join!(futures::future::join_all((0..6).map(|_| reconcile())), held);
        assert_eq!(went_on, [true; 6], "the service has slowed down after the first answers");
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_gives_up_soon_once_the_operator_stops() {
        let budgets = budgets(&Metrics::default());
        let (stop, stopping) = watch::channel(false);
        budgets.turn(&place("1111")).await.unwrap().hold(Duration::from_secs(20));
        let begun = Instant::now();
        let waiting = in_lane(Lane::User, stopping, async { budgets.turn(&place("1111")).await.is_ok() });
        let (sent, ()) = tokio::join!(waiting, async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            stop.send_replace(true);
        });
        assert!(!sent && begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn what_ends_while_it_waits_is_in_nobodys_way() {
        let metrics = Metrics::default();
        let budgets = budgets(&metrics);
        budgets.turn(&place("1111")).await.unwrap().hold(Duration::from_secs(20));
        for _ in 0..1000 {
            let here = place("1111");
            assert!(budgets.turn(&here).now_or_never().is_none());
        }
        let begun = Instant::now();
        budgets.turn(&place("1111")).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(21), "{:?}", begun.elapsed());
        let text = metrics.text();
        assert!(
            text.contains("budget_waits_seconds_total{remote=\"sagemaker\",account=\"1111\",region=\"eu-west-1\"} 20."),
            "{text}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn names_without_end_take_no_more_room() {
        let metrics = Metrics::default();
        let budgets = budgets(&metrics);
        for n in 0..BUDGETS + 100 {
            budgets.turn(&place(&n.to_string())).await.unwrap();
        }
        assert_eq!(
            metrics.text().lines().filter(|line| line.starts_with("mlops_operator_budget_rate{")).count(),
            BUDGETS
        );
    }

    #[test]
    fn a_call_that_was_not_sent_is_a_fault_that_says_why() {
        let wait = Duration::from_secs(40);
        let server =
            Place { remote: JENKINS.to_owned(), account: "ci.example/jenkins".to_owned(), region: String::new() };
        let rows = [
            (place("111122223333"), "SageMaker in account 111122223333 and eu-west-1 takes no more calls for now"),
            (place(OPERATOR), "SageMaker in the operator's own account and eu-west-1 takes no more calls for now"),
            (server, "Jenkins at ci.example/jenkins takes no more calls for now"),
        ];
        for (place, said) in rows {
            let fault = Withheld { place, wait }.fault("look");
            assert_eq!(fault.message, format!("could not look: {said}"));
            assert_eq!((fault.kind, fault.retry_after, fault.unsent), (FaultKind::Throttled, Some(wait), true));
        }
    }
}
